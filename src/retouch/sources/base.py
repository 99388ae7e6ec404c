"""The interface of a source: it fetches a raw snapshot, and lists the photographs in it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from retouch.errors import SourceError
from retouch.settings import DataSettings
from retouch.sources.annotation import Annotation
from retouch.storage.listing import Archive

__all__ = ["Archive", "Photo", "Source", "Split", "raise_problems"]

Split = Literal["train", "test"]
NAMED_PROBLEMS = 20  # in one error; the rest are counted


@dataclass(frozen=True)
class Photo:
    """One photograph of a snapshot, and what its source gives with it.

    `photo` names the original photograph, by which splits are made; `scene` is the scene type; `group` is a part of the source
    that reports list separately (a sub-dataset, an effect). Maps have the picture's size: `labels` ADE20K classes, `parts` LIP
    body parts, `matte` the people's alpha, `objects` the objects' categories, `people` non-zero where a person is. A pair has
    its target in `target`, and in `mask` the alpha of what was changed.
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
    """A data set of photographs in its official layout.

    `folders` belong to it below data.location ("" = everything there), `archives` are its official ones; `needs` are the
    folders and files that must be there (patterns; "A or B" where either will do); `of_people` says that all its photographs
    show people, who are matted if it has no mask of them; `has_place` that it is fetched from data.location.
    """

    name: ClassVar[str]
    layout: ClassVar[str]  # the official folders, as errors name them
    licence: ClassVar[str]
    size: ClassVar[str]
    folders: ClassVar[tuple[str, ...]] = ("",)
    archives: ClassVar[tuple[Archive, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    of_people: ClassVar[bool] = False
    has_place: ClassVar[bool] = True

    def fetch(self, settings: DataSettings, seed: int, into: Path) -> None:
        """Fetch the raw snapshot from the first place of `settings` to the folder `into`, incrementally.

        Raises EmptyLocationError when there is nothing to fetch, and SourceError when it cannot be fetched.
        """
        from retouch.storage import SourceLayout, fetch_source

        layout = SourceLayout(self.name, self.layout, self.folders, self.archives)
        place = settings.places[0].place if settings.places else None
        fetch_source(place, settings.endpoint, layout, into)

    @abstractmethod
    def photos(self, root: Path) -> Iterator[Photo]:
        """List the photographs of the snapshot `root`, by id. Raises SourceError that names the missing files of the layout."""


def raise_problems(problems: Sequence[str], named: int = NAMED_PROBLEMS) -> None:
    """Raise one SourceError that names all problems, or as many as `named` and their number; do nothing if there are none."""
    if problems:
        more = len(problems) - named
        raise SourceError("; ".join(problems[:named]) + (f"; and {more} more" if more > 0 else ""))
