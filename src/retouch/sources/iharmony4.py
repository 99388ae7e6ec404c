"""iHarmony4 (Cong et al. 2020), as released: composites with their masks and real photographs, in four sub-datasets."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from retouch.errors import SourceError
from retouch.sources.base import Photo, Source, Split

FOLDER = "iHarmony4"
SUBSETS = ("HAdobe5k", "HCOCO", "HFlickr", "Hday2night")
KINDS = ("composite_images", "masks", "real_images")
SPLITS: tuple[Split, ...] = ("train", "test")


class IHarmony4(Source):
    """Composites to be mended: the photograph's image is the composite, its target the real picture, with the mask between.

    A real picture `a.jpg` has masks `a_b.png` and composites `a_b_c.jpg`; splits are the authors', by real picture.
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
        """Composites by sub-dataset and list; one without its files raises SourceError with its name."""
        found = False
        for subset in SUBSETS:
            folder = root / FOLDER / subset
            if not folder.is_dir():
                continue
            there = {kind: _names(folder / kind) for kind in KINDS}
            split_of: dict[str, Split] = {}
            for split in SPLITS:
                path, composites = _listed(root / FOLDER, subset, split)
                for composite in composites:
                    photo = _photo(self.name, folder, composite, split, path, there)
                    if split_of.setdefault(photo.photo, split) != split:
                        raise SourceError(
                            f"{path} lists {composite}, but {photo.target} is in the other split too: take it off one list"
                        )
                    found = True
                    yield photo
        if not found:
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


def _photo(source: str, folder: Path, composite: str, split: Split, path: Path, there: dict[str, frozenset[str]]) -> Photo:
    stem = Path(composite).stem
    masked, real = stem.rpartition("_")[0], stem.rpartition("_")[0].rpartition("_")[0]
    if not real:
        raise SourceError(f"{path} lists {composite}, which is no name like a_b_c.jpg: take it off the list")
    files = {"composite_images": composite, "masks": f"{masked}.png", "real_images": f"{real}.jpg"}
    for kind, name in files.items():
        if name not in there[kind]:
            raise SourceError(f"{path} lists {composite} but {folder / kind / name} is missing: restore it or the list")
    image, mask, target = (folder / kind / name for kind, name in files.items())
    group = folder.name
    return Photo(f"{group}/{stem}", source, f"{group}/{real}", split, image, target=target, mask=mask, group=group)
