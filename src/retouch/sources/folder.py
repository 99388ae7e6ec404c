"""Any folder of plain photographs, without labels: the scene parser gives them theirs."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.settings import DataSettings
from retouch.sources.base import Photo, Source
from retouch.sources.disk import mirror

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
TEST_SHARE = 0.1


class Folder(Source):
    """Photographs found at any depth; a tenth of them, by the hash of their path, is for testing."""

    name: ClassVar[str] = "folder"
    layout: ClassVar[str] = "photographs (jpg, png, webp, tif, bmp) at any depth"
    licence: ClassVar[str] = "yours"
    size: ClassVar[str] = "any"

    def fetch(self, settings: DataSettings, seed: int, into: Path) -> None:
        """Mirror the photographs below data.location."""
        origin = self.location(settings)
        mirror([photo.image for photo in self.photos(origin)], origin, into, self.name)

    def photos(self, root: Path) -> Iterator[Photo]:
        """Photographs by their path below `root`."""
        images = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not images:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")
        for image in images:
            name = image.relative_to(root).as_posix()
            share = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
            yield Photo(name, self.name, name, "test" if share < TEST_SHARE else "train", image)
