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
from retouch.store import Scenes
from retouch.validation.likeness import Repeats

PROCESSES = 2
AHEAD = 32  # photographs decoded before they are asked for
FILE = "scenes.arrow"
Row = dict[str, Any]


@dataclass
class Parsed:
    """What became of the photographs: scenes by source, split and who labelled them; and what was left out, and why."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    repeats: dict[str, str] = field(default_factory=dict)  # id → the scene that it repeats


def parse(settings: Settings, data: Path = Path("data"), out: Path = Path("scenes")) -> Parsed:
    """Decode every photograph, stretch it to parse.size², give it labels, and pack it; the folder appears when it is whole.

    Labels are the source's; where it has none, those of parse.parser. People's mattes are the source's, or else of
    parse.matting. A picture that repeats an earlier one is left out, as is a training picture that nearly repeats a test
    picture (validate.near_duplicate_bits). Raises SourceError that names the first photograph or map that cannot be used.
    """
    photos = _listed(settings, data)
    finish = _networks(settings.parse, photos)
    seen = Repeats(settings.validate_.near_duplicate_bits)
    found = Parsed()

    def rows() -> Iterator[Row]:
        with ProcessPoolExecutor(PROCESSES) as pool:
            decoded = _ahead(pool, partial(_decode, settings=settings.parse), photos)
            for row in track(decoded, "scenes", total=len(photos)):
                if earlier := seen.earlier(row):
                    found.repeats[row["id"]] = earlier
                    continue
                finish(row)
                found.counts[row["source"], row["split"], row["labelled_by"] or "nobody"] += 1
                yield row

    with atomic_folder(out) as folder:
        Scenes.write(folder / FILE, rows())
    return found


def _listed(settings: Settings, data: Path) -> list[Photo]:
    photos: list[Photo] = []
    for name in settings.data.sources:
        taken: Counter[str] = Counter()
        for photo in get(name).photos(data / name):
            taken[photo.split] += 1
            if settings.data.limit is None or taken[photo.split] <= settings.data.limit:
                photos.append(photo)
    names: set[tuple[str, str]] = set()
    repeated: set[tuple[str, str]] = set()
    for photo in photos:
        key = (photo.source, photo.id)
        (repeated if key in names else names).add(key)
    if repeated:
        raise SourceError(f"photographs listed twice: {', '.join('/'.join(key) for key in sorted(repeated)[:5])}")
    return sorted(photos, key=_tests_first)


def _tests_first(photo: Photo) -> bool:
    return photo.split == "train"


def _decode(photo: Photo, settings: ParseSettings) -> Row:
    matting = settings.matting.size if settings.matting and get(photo.source).of_people else None
    return decode_photo(photo, settings.size, settings.parser.size if settings.parser else None, matting)


def _networks(settings: ParseSettings, photos: list[Photo]) -> Callable[[Row], None]:
    """What fills in the labels and mattes that the sources do not give, loading only the networks that are needed."""
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


def _ahead(pool: ProcessPoolExecutor, function: Callable[[Photo], Row], photos: Iterable[Photo]) -> Iterator[Row]:
    """`pool.map` in order, but at most AHEAD rows wait: with a slow network behind it, a map would hold all photographs."""
    waiting: deque[Future[Row]] = deque()
    for photo in photos:
        if len(waiting) == AHEAD:
            yield waiting.popleft().result()
        waiting.append(pool.submit(function, photo))
    while waiting:
        yield waiting.popleft().result()
