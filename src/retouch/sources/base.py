"""What a source of photographs is: it fetches a raw snapshot, and lists the photographs in it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from retouch.settings import DataSettings
from retouch.sources.annotation import Annotation
from retouch.storage.items import Archive

__all__ = ["Archive", "Photo", "Source", "Split"]

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Photo:
    """One photograph of a snapshot, and what its source gives with it.

    `photo` names the photograph it stands on (splits are by it), `scene` is the scene type, `group` what reports
    tell apart in one source (a sub-dataset, an effect). Maps are of the picture's size: `labels` ADE20K classes, `parts` LIP
    body parts, `matte` the people's alpha, `objects` the objects' categories, `people` non-zero where a person is. A pair
    has its answer in `target`, and in `mask` what was changed (alpha).
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
    group: str | None = None
    objects: Annotation | None = None
    target: Path | None = None
    mask: Path | None = None
    people: Path | None = None


class Source(ABC):
    """A place photographs come from, in its official layout.

    `folders` are what belongs to it below data.location ("" = everything there), `archives` its official ones; `needs`
    are the folders and files that cannot be absent (patterns; "A or B" where either will do), `of_people` says that there
    are people in all its photographs, to be matted where it gives no mask of them.
    """

    name: ClassVar[str]
    layout: ClassVar[str]  # the official folders, as errors name them
    licence: ClassVar[str]
    size: ClassVar[str]
    folders: ClassVar[tuple[str, ...]] = ("",)
    archives: ClassVar[tuple[Archive, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    of_people: ClassVar[bool] = False

    def fetch(self, settings: DataSettings, seed: int, into: Path) -> None:
        """Bring the raw snapshot into the folder `into`, incrementally. Raises SourceError when there is nothing to bring."""
        from retouch.storage import Wanted, bring

        bring(settings.location, settings.endpoint, Wanted(self.name, self.layout, self.folders, self.archives), into)

    @abstractmethod
    def photos(self, root: Path) -> Iterator[Photo]:
        """List the photographs of the snapshot `root`, by id. Raises SourceError where a file of the layout is missing."""
