"""Stage `parse`: data/ → scenes/scenes.arrow."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import track

from retouch.errors import SourceError
from retouch.files import atomic_folder
from retouch.images import resize, resize_labels
from retouch.parsing.decode import decode_photo
from retouch.settings import ParseSettings, Settings
from retouch.sources import Photo, get
from retouch.sources.base import raise_problems
from retouch.sources.places import photos as list_photos
from retouch.store import Scenes
from retouch.validation.likeness import PictureIndex, Repeats, fingerprints

PROCESSES = 2
AHEAD = 32  # photographs decoded in advance
FILE = "scenes.arrow"
NAMED = 5  # photographs in one error
NAMED_UNREADABLE = 1000  # files in the error that names those to replace
Row = dict[str, Any]


@dataclass
class ParseSummary:
    """The scenes by source, split and who labelled them; and which need care."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    repeats: dict[str, str] = field(default_factory=dict)
    """Left out: id → the scene that it repeats."""
    lookalikes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Training scenes that resemble test scenes, by their source and that of the test scenes."""
    unreadable: list[str] = field(default_factory=list)
    """Left out: what is wrong with the files of each photograph that cannot be used."""


def parse(settings: Settings, data: Path = Path("data"), out: Path = Path("scenes")) -> ParseSummary:
    """Decode every photograph, stretch it to parse.size², label it, and pack it; the folder appears when it is complete.

    Labels are the source's; where it has none, those of parse.parser. People's mattes are the source's, or else of
    parse.matting. A picture that repeats an earlier one of its source and split is left out. A training scene lists the test
    scenes of all sources that it resembles (validate.near_duplicate_bits): which of them matter depends on the model.
    Photographs whose files cannot be used are left out, up to parse.max_unreadable. Raises SourceError that names all of them
    when there are more.
    """
    photos = _list_photos(settings, data)
    finish = _networks(settings.parse, photos)
    repeats, tests = Repeats(), PictureIndex(settings.validate_.near_duplicate_bits)
    summary = ParseSummary()

    def rows() -> Iterator[Row]:
        problems, bound = summary.unreadable, settings.parse.max_unreadable
        with ProcessPoolExecutor(PROCESSES) as pool:
            decoded = _decode_ahead(pool, partial(_decode, settings=settings.parse), photos)
            for row in track(decoded, "scenes", total=len(photos)):
                if isinstance(row, str):
                    problems.append(row)
                elif earlier := repeats.earlier(row):
                    summary.repeats[row["id"]] = earlier
                elif len(problems) <= bound:
                    finish(row)
                    row["resembles"] = _resembles(row, tests)
                    summary.lookalikes.update((row["source"], other) for other in {_source(name) for name in row["resembles"]})
                    summary.counts[row["source"], row["split"], row["labelled_by"] or "nobody"] += 1
                    yield row
        if len(problems) > bound:
            raise_problems(problems, NAMED_UNREADABLE)

    with atomic_folder(out) as folder:
        Scenes.write(folder / FILE, rows())
    return summary


def _resembles(row: Row, tests: PictureIndex) -> list[str]:
    """The test scenes that a training scene resembles; a test scene is added to `tests`, so these must come first."""
    pictures = fingerprints(row)
    if row["split"] == "train":
        return tests.resembling(pictures)
    tests.add(row["id"], pictures)
    return []


def _source(scene: str) -> str:
    return scene.partition("/")[0]


def _list_photos(settings: Settings, data: Path) -> list[Photo]:
    photos: list[Photo] = []
    for name in settings.data.sources:
        counts: Counter[str] = Counter()
        for photo in list_photos(name, data):
            counts[photo.split] += 1
            if settings.data.limit is None or counts[photo.split] <= settings.data.limit:
                photos.append(photo)
    ids = Counter((photo.source, photo.id) for photo in photos)
    repeated = sorted("/".join(key) for key, count in ids.items() if count > 1)
    if repeated:
        raise SourceError(f"photographs listed twice: {', '.join(repeated[:NAMED])}")
    return sorted(photos, key=_tests_first)


def _tests_first(photo: Photo) -> bool:
    return photo.split == "train"


def _decode(photo: Photo, settings: ParseSettings) -> Row | str:
    """The photograph's row, or what is wrong with its files."""
    matting = settings.matting.size if settings.matting and get(photo.source).of_people else None
    try:
        return decode_photo(photo, settings.size, settings.parser.size if settings.parser else None, matting)
    except SourceError as error:
        return str(error)


def _networks(settings: ParseSettings, photos: list[Photo]) -> Callable[[Row], None]:
    """A function that adds the labels and mattes that the sources do not give; only the networks that are needed are loaded."""
    label = matte = None
    if settings.parser is not None and any(photo.labels is None for photo in photos):
        from retouch.parsing.onnx import OnnxParser

        label = OnnxParser(settings.parser)
    if settings.matting is not None and any(
        photo.matte is None and photo.people is None and get(photo.source).of_people for photo in photos
    ):
        from retouch.parsing.matting import OnnxMatting

        matte = OnnxMatting(settings.matting)
    size = settings.size

    def finish(row: Row) -> None:
        unlabelled, unmatted = row.pop("for_parser"), row.pop("for_matting")
        if unlabelled is not None and label is not None:
            row |= {"labels": resize_labels(label(unlabelled), size, size), "labelled_by": label.name}
        if unmatted is not None and matte is not None:
            row["matte"] = resize(matte(unmatted), size, size)

    return finish


def _decode_ahead(
    pool: ProcessPoolExecutor, function: Callable[[Photo], Row | str], photos: Iterable[Photo]
) -> Iterator[Row | str]:
    """`pool.map`, but at most AHEAD rows wait: with a slow network behind it, a map would hold all photographs in memory."""
    futures: deque[Future[Row | str]] = deque()
    for photo in photos:
        if len(futures) == AHEAD:
            yield futures.popleft().result()
        futures.append(pool.submit(function, photo))
    while futures:
        yield futures.popleft().result()
