"""Which files a command means: photos by file, folder and pattern, and masks, label maps and layers by the photo's name."""

import glob
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from retouch.errors import RetouchError
from retouch.pictures.formats import FORMATS

READ_ONLY_SUFFIXES = (".gif", ".jp2", ".j2k", ".ppm", ".pgm", ".psd", ".tga", ".qoi")
PICTURES = frozenset({*FORMATS, *READ_ONLY_SUFFIXES})
"""Suffixes, in lower case, of the files that a folder's photos, masks and maps are."""
MASK_ENDINGS = ("", "-mask", "_mask")
RESULT_ENDINGS = ("-harmonized", "-edited", "-mask")
"""Of results beside their photos, whichever command made them."""
IHARMONY4 = re.compile(r"(.+_\d+)_\d+")
"""iHarmony4's composites, a_1_2: the second version of a's first mask, a_1."""
PATTERN = re.compile(r"[*?[]")


def find_photos(arguments: Sequence[str]) -> list[Path]:
    """The photos that arguments name, each once, in the order given; those of a folder or pattern in the order of their names.

    What exists is a file or a folder, whatever its name looks like; only other names are patterns, with `**` for all folders
    below. Of a folder its pictures are taken, not those of folders in it; hidden files are not. A name that matches nothing is
    returned as it is. Raises RetouchError for a folder without pictures.
    """
    photos: dict[Path, Path] = {}
    for argument in arguments:
        for photo in _expand(argument):
            photos.setdefault(photo.absolute(), photo)
    return list(photos.values())


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if not argument:
        raise RetouchError("a photo without a name: '' was given, which would be this whole folder; name it '.'")
    if path.is_dir():
        pictures = _pictures_in(path)
        if not pictures:
            raise RetouchError(f"{path} holds no picture ({', '.join(sorted(PICTURES))}): name another folder")
        return pictures
    if not path.exists() and PATTERN.search(argument):
        names = glob.glob(argument, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        matches = sorted(map(Path, names), key=natural_order)
        pictures = [match for match in matches if is_picture(match)]
        pictures += [picture for match in matches if match.is_dir() and "**" not in argument for picture in _pictures_in(match)]
        return pictures or [path]
    return [path]


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(filter(is_picture, folder.iterdir()), key=natural_order)


def is_picture(path: Path) -> bool:
    """Whether a path is a file that is named like a picture and not hidden, as macOS's companions `._a.jpg` are."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def natural_order(path: Path) -> list[tuple[int, str]]:
    """A key that sorts numbers in names by value: a2, a10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part) if part.isdecimal() else 0, part) for part in parts]


def earlier_results(photos: Iterable[Path], *endings: str) -> list[Path]:
    """Those of `photos` that are results of others of them, by their names: a-harmonized.jpg beside a.jpg."""
    photos = list(photos)
    stems = {(photo.parent, photo.stem) for photo in photos}
    return [
        photo
        for photo in photos
        if any(
            ending and photo.stem.endswith(ending) and (photo.parent, photo.stem.removesuffix(ending)) in stems
            for ending in endings
        )
    ]


class Companions:
    """The files of a folder that belong to photos by name: masks, label maps."""

    def __init__(self, folder: Path) -> None:
        """Raises RetouchError where `folder` is none, or holds no picture."""
        self.folder = folder
        self.by_stem: dict[str, list[Path]] = defaultdict(list)
        if not folder.is_dir():
            raise RetouchError(f"{folder} is no folder: for several photos, name a folder with one file for each")
        for path in _pictures_in(folder):
            self.by_stem[_normal(path.stem)].append(path)
        if not self.by_stem:
            raise RetouchError(f"{folder} holds no picture: name a folder with one file for each photo")

    def of(self, photo: Path) -> Path | None:
        """The photo's companion: of the same stem, or with `-mask` or `_mask`; else of iHarmony4's, a_1 for a_1_2; or None.

        Raises RetouchError where two files have that name.
        """
        stem = _normal(photo.stem)
        composite = IHARMONY4.fullmatch(stem)
        for name in (*(stem + ending for ending in MASK_ENDINGS), *([composite[1]] if composite else ())):
            matches = [path for path in self.by_stem.get(name, ()) if not _is_same(path, photo)]
            if len(matches) > 1:
                raise RetouchError(f"{matches[0]} and {matches[1].name} both belong to {photo}: leave one of them there")
            if matches:
                return matches[0]
        return None


def _normal(stem: str) -> str:
    """macOS decomposes accents in names, others do not."""
    return unicodedata.normalize("NFC", stem)


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)
