"""Photographs before and after retouching: folders of pairs, one an effect (Yan et al. 2016; FiveK, Bychkovsky 2011)."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Photo, Source, Split, raise_problems
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
        """Pairs by effect and name. Raises SourceError that names every picture without its partner."""
        is_empty = True
        problems: list[str] = []
        for folder in FOLDERS:
            effects = list(_effects(root / folder))
            lists = [effect / "test.txt" for effect in effects if (effect / "test.txt").is_file()]
            tests = {name for path in lists for name in path.read_text().split()}
            for effect in effects:
                for stem, image, target in _pairs(effect, problems):
                    split: Split = "test" if stem in tests else "train" if lists else by_name(stem, TEST_SHARE)
                    identity = f"{effect.name}/{stem}"
                    yield Photo(identity, self.name, f"{folder}/{stem}", split, image, target=target, group=effect.name)
                    is_empty = False
        raise_problems(problems)
        if is_empty:
            raise SourceError(f"no pairs in {root}: source {self.name} expects {self.layout} there")


def _effects(root: Path) -> Iterator[Path]:
    """`root` itself and the folders in it that have `input` and `target`; one with only one of them is an error."""
    for folder in (root, *sorted(path for path in root.glob("*") if path.is_dir())):
        halves = [(folder / half).is_dir() for half in ("input", "target")]
        if all(halves):
            yield folder
        elif any(halves):
            missing = folder / ("target" if halves[0] else "input")
            raise SourceError(f"{missing} is missing: every effect has its pictures in `input` and `target`")


def _pairs(effect: Path, problems: list[str]) -> Iterator[tuple[str, Path, Path]]:
    inputs, targets = _by_stem(effect / "input", problems), _by_stem(effect / "target", problems)
    for stem in sorted(inputs.keys() | targets.keys()):
        if stem in inputs and stem in targets:
            yield stem, inputs[stem], targets[stem]
        else:
            single, half = (inputs[stem], "target") if stem in inputs else (targets[stem], "input")
            problems.append(f"{single} has no partner {effect / half / stem}.*: restore it or remove {single.name}")


def _by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for path in pictures(folder):
        if path.stem in paths:
            problems.append(f"{path} and {paths[path.stem].name} have one name: remove one of them")
        paths[path.stem] = path
    return paths
