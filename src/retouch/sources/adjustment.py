"""Photographs and the same ones retouched: folders of pairs, one folder an effect (Yan et al. 2016; FiveK, Bychkovsky 2011)."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Photo, Source, Split
from retouch.sources.folder import pictures
from retouch.sources.splits import by_name

FOLDERS = ("adjustment", "fivek")
TEST_SHARE = 45 / 115  # Yan et al. and SA-AdjustNet §4.1 test on 45 photographs of 115


class Adjustment(Source):
    """Input and target of equal names. The same name in several effects is the same photograph, in one split.

    The splits are by name, or those of EFFECT/test.txt, which lists the names (without suffix) to test on.
    """

    name: ClassVar[str] = "adjustment"
    layout: ClassVar[str] = "adjustment/EFFECT/{input,target}/NAME.jpg, fivek/{input,target}/NAME.jpg"
    licence: ClassVar[str] = "Yan et al.: research; FiveK: research (LicenseAdobe, LicenseAdobeMIT)"
    size: ClassVar[str] = "Yan et al.: 115 photographs × 3 effects; FiveK: 5,000 × 5 experts"
    folders: ClassVar[tuple[str, ...]] = FOLDERS
    needs: ClassVar[tuple[str, ...]] = tuple(
        " or ".join(f"{place}/{half}" for folder in FOLDERS for place in (folder, f"{folder}/*"))
        for half in ("input", "target")
    )

    def photos(self, root: Path) -> Iterator[Photo]:
        """Pairs by effect and name; an input without target, or the reverse, raises SourceError that names the file."""
        found = False
        for place in FOLDERS:
            effects = list(_effects(root / place))
            lists = [effect / "test.txt" for effect in effects if (effect / "test.txt").is_file()]
            tests = {name for path in lists for name in path.read_text().split()}
            for effect in effects:
                for stem, image, target in _pairs(effect):
                    split: Split = "test" if stem in tests else "train" if lists else by_name(stem, TEST_SHARE)
                    identity = f"{effect.name}/{stem}"
                    yield Photo(identity, self.name, f"{place}/{stem}", split, image, target=target, group=effect.name)
                    found = True
        if not found:
            raise SourceError(f"no pairs in {root}: source {self.name} expects {self.layout} there")


def _effects(place: Path) -> Iterator[Path]:
    """`place` itself and the folders in it, where they have `input` and `target`; one with only one of them is an error."""
    for folder in (place, *sorted(path for path in place.glob("*") if path.is_dir())):
        halves = [(folder / half).is_dir() for half in ("input", "target")]
        if all(halves):
            yield folder
        elif any(halves):
            missing = folder / ("target" if halves[0] else "input")
            raise SourceError(f"{missing} is missing: every effect has its pictures in `input` and `target`")


def _pairs(effect: Path) -> Iterator[tuple[str, Path, Path]]:
    inputs, targets = _by_stem(effect / "input"), _by_stem(effect / "target")
    for stem in sorted(inputs.keys() | targets.keys()):
        if stem not in inputs or stem not in targets:
            lone, half = (inputs[stem], "target") if stem in inputs else (targets[stem], "input")
            raise SourceError(f"{lone} has no partner {effect / half / stem}.*: restore it or remove {lone.name}")
        yield stem, inputs[stem], targets[stem]


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in pictures(folder):
        if path.stem in found:
            raise SourceError(f"{path} and {found[path.stem].name} have one name: remove one of them")
        found[path.stem] = path
    return found
