"""Any folder of plain photographs without labels; the scene parser labels them."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Photo, Source
from retouch.sources.splits import by_name
from retouch.storage.listing import is_hidden

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif"}
TEST_SHARE = 0.1


class Folder(Source):
    """Photographs at any depth; a tenth of them, by the hash of their path, is for testing."""

    name: ClassVar[str] = "folder"
    layout: ClassVar[str] = "photographs (jpg, png, webp, tif, bmp, heic, avif) at any depth"
    licence: ClassVar[str] = "yours"
    size: ClassVar[str] = "any"
    folders: ClassVar[tuple[str, ...]] = ("",)

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by their path below `root`."""
        images = pictures(root)
        if not images:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
        for image in images:
            name = image.relative_to(root).as_posix()
            yield Photo(name, self.name, name, by_name(name, TEST_SHARE), image)


def pictures(folder: Path) -> list[Path]:
    """The pictures below `folder` at any depth, sorted, without hidden ones; none if it is not a folder."""
    return sorted(path for path in folder.rglob("*") if is_picture(path, folder) and path.is_file())


def is_picture(path: Path, folder: Path) -> bool:
    """Whether a file below `folder` is named as a picture and is not hidden, as macOS's `._a.jpg` are."""
    return path.suffix.lower() in SUFFIXES and not is_hidden(path.relative_to(folder).as_posix())
