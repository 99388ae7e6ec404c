"""What a source of photographs is: it fetches a raw snapshot, and lists the photographs in it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from retouch.errors import SourceError
from retouch.settings import DataSettings

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Photo:
    """One photograph of a snapshot, and the label maps that its source gives.

    `photo` names the photograph it stands on (splits are by it), `labels` ADE20K classes, `parts` LIP body parts,
    `matte` the people's alpha; `scene` is the scene type.
    """

    id: str
    source: str
    photo: str
    split: Split
    image: Path
    labels: Path | None = None
    parts: Path | None = None
    matte: Path | None = None
    scene: str | None = None


class Source(ABC):
    """A place photographs come from, in its official layout."""

    name: ClassVar[str]
    layout: ClassVar[str]  # the official folders, as errors name them
    licence: ClassVar[str]
    size: ClassVar[str]

    @abstractmethod
    def fetch(self, settings: DataSettings, seed: int, into: Path) -> None:
        """Bring the raw snapshot into the folder `into`, incrementally. Raises SourceError when there is nothing to bring."""

    @abstractmethod
    def photos(self, root: Path) -> Iterator[Photo]:
        """List the photographs of the snapshot `root`, by id. Raises SourceError where a file of the layout is missing."""

    def location(self, settings: DataSettings) -> Path:
        """The folder named by data.location. Raises SourceError when there is none."""
        remedy = f"`retouch use photos --photos FOLDER`, where FOLDER holds {self.layout}"
        if settings.location is None:
            raise SourceError(f"data.location is not set and source {self.name} needs it: {remedy}")
        if "://" in settings.location:
            raise SourceError(
                f"data.location {settings.location}: sources are read from folders; copy it to disk, then {remedy}"
            )
        folder = Path(settings.location)
        if not folder.is_dir():
            raise SourceError(f"data.location {folder} is not a folder: {remedy}")
        return folder
