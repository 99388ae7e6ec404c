"""Folders of triples (composite, mask, target), laid out as iHarmony4 is or as people lay out their own.

A set is a folder with a folder each of composites, masks and targets, matched by name, or with files such as `a_composite.png`,
`a_mask.png` and `a_target.png`. Sets may lie in folders of any depth, up to MAX_DEPTH.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retouch.errors import SourceError
from retouch.inference.photo_files import is_picture, natural_order

WORDS = {
    "composite": ("composite", "composites", "compositeimage", "compositeimages", "comp", "comps", "input", "inputs"),
    "mask": ("mask", "masks", "foregroundmask", "foregroundmasks", "fgmask", "fgmasks", "matte", "mattes", "alpha"),
    "target": ("target", "targets", "real", "reals", "realimage", "realimages", "reference", "references", "groundtruth",
               "groundtruths", "gt", "original", "originals", "truth"),
}  # fmt: skip
"""What folders and files of each role are called, in lower case, without blanks, hyphens and underscores."""
ROLE_OF = {word: role for role, words in WORDS.items() for word in words}
FALLBACK = {"image": "composite", "images": "composite", "photos": "composite"}
"""Names of a composites' folder where no other is there."""
MAX_DEPTH = 4
"""Of folders within folders."""
LEFT_OUT = ": left out"
"""How notes about triples end that do not count."""
LAYOUT = "folders composite_images, masks and real_images (or composite, mask and target) with files of the same names"


@dataclass(frozen=True)
class Triple:
    """Three files; `subset` is the sub-folder that they belong to, `name` the composite's within the whole folder."""

    name: str
    subset: str
    composite: Path
    mask: Path
    target: Path


@dataclass(frozen=True)
class Triples:
    """The triples of a folder in the order of their names, and what was left out, one line each."""

    triples: tuple[Triple, ...]
    notes: tuple[str, ...] = ()

    def limit(self, count: int | None) -> "Triples":
        """At most `count` of them, as many of each sub-folder as possible."""
        if count is None or count >= len(self.triples):
            return self
        by_subset = defaultdict(list)
        for triple in self.triples:
            by_subset[triple.subset].append(triple)
        ranked = [(place, triple) for part in by_subset.values() for place, triple in enumerate(part)]
        selection = {triple for _, triple in sorted(ranked, key=lambda pair: pair[0])[:count]}
        return Triples(tuple(triple for triple in self.triples if triple in selection), self.notes)


def find_triples(folder: Path) -> Triples:
    """All triples of a folder. Raises SourceError, saying what was expected, where there are none."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is {'no folder' if folder.exists() else 'missing'}: name a folder with {LAYOUT}")
    triples: list[Triple] = []
    notes: list[str] = []
    for place, folders, files in _walk(folder):
        roles = _role_folders(folders)
        if len(roles) == len(WORDS):
            triples += _of_folders(folder, place, roles, notes)
        elif len(roles) == 2:
            (missing,) = WORDS.keys() - roles.keys()
            notes.append(f"{place} has no {missing} folder{LEFT_OUT}")
        else:
            triples += _of_files(folder, place, files)
    if not triples:
        reason = f" ({notes[0].removesuffix(LEFT_OUT)})" if notes else ""
        is_role = ROLE_OF.get(_word(folder.resolve().name))
        remedy = f"name {folder.resolve().parent}, the folder around it" if is_role else f"give {LAYOUT}"
        raise SourceError(f"no triples in {folder}{reason}: {remedy}")
    return Triples(tuple(sorted(triples, key=lambda triple: natural_order(Path(triple.name)))), tuple(notes))


def _walk(folder: Path) -> Iterator[tuple[Path, dict[str, Path], list[Path]]]:
    """Folders from `folder` on: their sub-folders by word, and their pictures. The folders of a set are not entered."""
    for root, names, files in os.walk(folder, followlinks=True):
        place = Path(root)
        names[:] = sorted(name for name in names if not name.startswith("."))
        folders = {name: place / name for name in names}
        yield place, folders, [place / file for file in sorted(files) if is_picture(place / file)]
        if len(_role_folders(folders)) >= 2 or len(place.relative_to(folder).parts) >= MAX_DEPTH:
            names.clear()


def _role_folders(folders: dict[str, Path]) -> dict[str, Path]:
    roles = {role: path for name, path in folders.items() if (role := ROLE_OF.get(_word(name)))}
    for name, path in folders.items():
        if role := FALLBACK.get(_word(name)):
            roles.setdefault(role, path)
    return roles if len(roles) > 1 else {}


def _word(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name.lower())


def _of_folders(folder: Path, place: Path, roles: dict[str, Path], notes: list[str]) -> list[Triple]:
    """The triples of a set of three folders; of composites with a test list, those on it."""
    files = {role: {_key(path, root): path for path in _pictures(root)} for role, root in roles.items()}
    composites = files["composite"]
    test_names = _test_list(place)
    if test_names is not None:
        composites = {key: path for key, path in composites.items() if path.name in test_names}
        absent = sorted(test_names - {path.name for path in composites.values()})
        _note(notes, place, [place / name for name in absent], "on its test list are missing")
    triples, incomplete = [], []
    for key, composite in composites.items():
        mask, target = _partner(files["mask"], key), _partner(files["target"], key)
        if mask is None or target is None:
            incomplete.append(composite)
            continue
        inner = composite.parent.relative_to(roles["composite"])
        triples.append(_triple(folder, place / inner, composite.stem, composite, mask, target))
    _note(notes, place, incomplete, "have no mask or no target of their name")
    return triples


def _pictures(root: Path) -> list[Path]:
    return sorted((path for path in root.rglob("*") if is_picture(path)), key=natural_order)


def _key(path: Path, root: Path) -> tuple[str, str]:
    """The folder within `root`, and the name without its suffix and role."""
    return path.parent.relative_to(root).as_posix(), _role_of_stem(path.stem)[1]


def _partner(files: dict[tuple[str, str], Path], key: tuple[str, str]) -> Path | None:
    """The file of a composite's name or of its beginning: iHarmony4's a_1_2 has the mask a_1 and the target a."""
    inner, stem = key
    while True:
        if (inner, stem) in files:
            return files[inner, stem]
        stem, separator, _ = stem.rpartition("_")
        if not separator:
            return None


def _test_list(place: Path) -> frozenset[str] | None:
    """The file names on the authors' list of test composites, where there is one."""
    for path in (*sorted(place.glob("*_test.txt")), place / "test.txt", place.parent / "IHD_test.txt"):
        if path.is_file():
            lines = path.read_text(errors="replace").split()
            is_own = path.parent == place
            return frozenset(line.rpartition("/")[2] for line in lines if is_own or line.startswith(f"{place.name}/"))
    return None


def _of_files(folder: Path, place: Path, files: Sequence[Path]) -> list[Triple]:
    """The triples whose files lie side by side, told apart by a word in their names."""
    groups: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in files:
        role, stem = _role_of_stem(path.stem)
        if role:
            groups[stem].setdefault(role, path)
    triples = []
    for stem, roles in groups.items():
        if len(roles) == len(WORDS):
            subset, name = (place, stem) if stem or place == folder else (place.parent, place.name)
            triples.append(_triple(folder, subset, name or place.name, **roles))
    return triples


def _role_of_stem(stem: str) -> tuple[str | None, str]:
    """The role that a file's name tells at its end or beginning, and the rest of it: `a_mask` → mask, a."""
    normal = unicodedata.normalize("NFC", stem)  # macOS decomposes accents in names, others do not
    if role := ROLE_OF.get(_word(normal)):
        return role, ""
    for pattern, word in ((r"(.+)[\s_.-]([A-Za-z]+)", 2), (r"([A-Za-z]+)[\s_.-](.+)", 1)):
        match = re.fullmatch(pattern, normal)
        if match and (role := ROLE_OF.get(match[word].lower())):
            return role, match[3 - word]
    return None, normal


def _triple(folder: Path, subset: Path, name: str, composite: Path, mask: Path, target: Path) -> Triple:
    inner = subset.relative_to(folder).as_posix()
    subset_name = folder.resolve().name if inner == "." else inner
    return Triple(f"{subset_name}/{name}", subset_name, composite, mask, target)


def _note(notes: list[str], place: Path, paths: Sequence[Path], words: str) -> None:
    if paths:
        notes.append(f"{place}: {len(paths)} composites {words}, such as {paths[0].name}{LEFT_OUT}")
