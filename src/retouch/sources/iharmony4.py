"""iHarmony4 (Cong et al. 2020), as released: composites with masks and original photographs, in four sub-datasets."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Photo, Source, Split, raise_problems

FOLDER = "iHarmony4"
SUBSETS = ("HAdobe5k", "HCOCO", "HFlickr", "Hday2night")
KINDS = ("composite_images", "masks", "real_images")
SPLITS: tuple[Split, ...] = ("train", "test")


class IHarmony4(Source):
    """Composites: `image` is the composite, `target` the original photograph, `mask` where they differ.

    An original `a.jpg` has masks `a_b.png` and composites `a_b_c.jpg`; splits are the authors', by original photograph.
    """

    name: ClassVar[str] = "iharmony4"
    layout: ClassVar[str] = (
        f"{FOLDER}/{{{','.join(SUBSETS)}}}/{{composite_images/a_b_c.jpg,masks/a_b.png,real_images/a.jpg}} and the lists "
        f"{FOLDER}/*/*_{{train,test}}.txt or {FOLDER}/IHD_{{train,test}}.txt"
    )
    licence: ClassVar[str] = "research; the photographs are COCO's, FiveK's, Flickr's and day2night's"
    size: ClassVar[str] = "65,742 + 7,404 composites"
    folders: ClassVar[tuple[str, ...]] = (FOLDER,)
    needs: ClassVar[tuple[str, ...]] = (
        *(f"{FOLDER}/*/{kind}" for kind in KINDS),
        f"{FOLDER}/*/*_train.txt or {FOLDER}/*/*_test.txt or {FOLDER}/IHD_train.txt or {FOLDER}/IHD_test.txt",
    )

    def photos(self, root: Path) -> Iterator[Photo]:
        """Composites by sub-dataset and list. Raises SourceError that names those without their files."""
        is_empty = True
        problems: list[str] = []
        for subset in SUBSETS:
            folder = root / FOLDER / subset
            if not folder.is_dir():
                continue
            names = {kind: _names(folder / kind) for kind in KINDS}
            split_of: dict[str, Split] = {}
            for split in SPLITS:
                path, composites = _listed(root / FOLDER, subset, split)
                for composite in composites:
                    is_empty = False
                    if problem := _problem(folder, composite, names):
                        problems.append(f"{path} lists {composite}{problem}")
                        continue
                    photo = _photo(self.name, folder, composite, split)
                    if split_of.setdefault(photo.photo, split) == split:
                        yield photo
                    else:
                        problems.append(
                            f"{path} lists {composite}, but {photo.target} is in the other split too: take it off one list"
                        )
        raise_problems(problems)
        if is_empty:
            raise SourceError(f"no photographs in {root}: source {self.name} expects {self.layout} there")


def _names(folder: Path) -> frozenset[str]:
    if not folder.is_dir():
        raise SourceError(f"{folder} is missing: restore it or remove {folder.parent}")
    return frozenset(path.name for path in folder.iterdir())


def _listed(root: Path, subset: str, split: Split) -> tuple[Path, list[str]]:
    """The list that names a sub-dataset's composites, and their file names, sorted."""
    own = {name: root / subset / f"{subset}_{name}.txt" for name in SPLITS}
    if any(path.is_file() for path in own.values()):
        path = own[split]
        lines = path.read_text().split() if path.is_file() else []
    else:
        path = root / f"IHD_{split}.txt"
        if not any((root / f"IHD_{name}.txt").is_file() for name in SPLITS):
            raise SourceError(f"{own[split]} is missing, and so is {path}: restore one of them, the splits are written there")
        lines = [line for line in (path.read_text().split() if path.is_file() else []) if line.startswith(f"{subset}/")]
    return path, sorted(line.rpartition("/")[2] for line in lines)


def _files(composite: str) -> dict[str, str]:
    """The file names of a composite a_b_c.jpg, its mask a_b.png and its original a.jpg, by kind."""
    masked = Path(composite).stem.rpartition("_")[0]
    return {"composite_images": composite, "masks": f"{masked}.png", "real_images": f"{masked.rpartition('_')[0]}.jpg"}


def _problem(folder: Path, composite: str, names: dict[str, frozenset[str]]) -> str | None:
    """Why a composite of a list cannot be used; `names` are the files of each kind."""
    if Path(composite).stem.count("_") < 2:
        return ", which is not a name like a_b_c.jpg: take it off the list"
    missing = [folder / kind / name for kind, name in _files(composite).items() if name not in names[kind]]
    return f" but {missing[0]} is missing: restore it or the list" if missing else None


def _photo(source: str, folder: Path, composite: str, split: Split) -> Photo:
    image, mask, target = (folder / kind / name for kind, name in _files(composite).items())
    group = folder.name
    return Photo(f"{group}/{image.stem}", source, f"{group}/{target.stem}", split, image, target=target, mask=mask, group=group)
