"""The sample: scenes drawn by this project, as a source. Fetching draws those that are missing in the snapshot."""

import csv
import hashlib
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

from rich.progress import track

from retouch import drawn_scenes
from retouch.errors import SourceError
from retouch.files import atomic_file, write_json
from retouch.images import encode
from retouch.settings import DataSettings
from retouch.sources.base import Photo, Source, Split
from retouch.storage.disk import prune

MAPS = {"image": "images", "labels": "labels", "parts": "parts", "matte": "mattes"}
PROCESSES = 2
COMPRESSION = zlib.Z_RLE  # the other ways search for repeats, which zlib does differently on different processors


class Sample(Source):
    """Drawn daylight scenes with one light each and full ground truth."""

    name: ClassVar[str] = "sample"
    layout: ClassVar[str] = "{images,labels,parts,mattes}/{train,test}/*.png and scenes.csv"
    licence: ClassVar[str] = "none needed: drawn by this project"
    size: ClassVar[str] = "as many as data.sample asks for, about 50 KB each at 128 px"
    has_place: ClassVar[bool] = False

    def fetch(self, settings: DataSettings, seed: int, into: Path) -> None:
        """Draw the missing scenes; all of them after a change of size, seed or drawing code."""
        sample = settings.sample
        version = {"code": _code_digest(), "seed": seed, "size": sample.size}
        version_file = into / "version.json"
        if not version_file.is_file() or json.loads(version_file.read_text()) != version:
            prune(into, keep=set())
            write_json(version_file, version)
        names = [("train", index) for index in range(sample.train)] + [("test", index) for index in range(sample.test)]
        scenes = {name: _files(into, *name) for name in names}
        keep = {path for files in scenes.values() for path in files.values()}
        prune(into, keep | {version_file, into / "scenes.csv"})
        missing = [name for name, files in scenes.items() if not all(path.is_file() for path in files.values())]
        draw = partial(draw_scene, into=into, seed=seed, size=sample.size)
        if missing:
            with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
                for _ in track(pool.map(draw, missing, chunksize=4), "sample: drawing scenes", total=len(missing)):
                    pass
        _write_table(into, [json.loads(files["truth"].read_text()) for files in scenes.values()])

    def photos(self, root: Path) -> Iterator[Photo]:
        """The scenes of scenes.csv, train before test."""
        table = root / "scenes.csv"
        if not table.is_file():
            raise SourceError(f"{table} is missing: run `retouch download`")
        with table.open(newline="") as file:
            for row in csv.DictReader(file):
                split: Split = "train" if row["split"] == "train" else "test"
                files = _files(root, split, int(row["index"]))
                image, labels, parts, matte = (files[kind] for kind in MAPS)
                yield Photo(row["id"], self.name, row["id"], split, image, labels, parts, matte, row["scene"])


def _files(root: Path, split: str, index: int) -> dict[str, Path]:
    stem = f"{split}_{index:05d}"
    files = {name: root / folder / split / f"{stem}.png" for name, folder in MAPS.items()}
    return files | {"truth": root / "truth" / split / f"{stem}.json"}


def draw_scene(name: tuple[str, int], into: Path, seed: int, size: int) -> None:
    """Draw one scene and write its files; the truth file comes last."""
    from retouch.drawn_scenes.draw import draw

    maps, truth = draw(seed, *name, size)
    files = _files(into, *name)
    for kind in MAPS:
        with atomic_file(files[kind]) as partial_path:
            partial_path.write_bytes(encode(maps[kind], compress_type=COMPRESSION))
    write_json(files["truth"], {"id": files["image"].stem, "split": name[0], "index": name[1], **truth})


def _write_table(into: Path, rows: list[dict[str, Any]]) -> None:
    with atomic_file(into / "scenes.csv") as path, path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"people": json.dumps(row["people"])} for row in rows)


def _code_digest() -> str:
    total = hashlib.sha256()
    for path in sorted(Path(drawn_scenes.__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()
