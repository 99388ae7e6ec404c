"""`retouch download`: raw photographs → data/, and their snapshot → data.dvc."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from retouch.errors import SourceError
from retouch.files import check_trackable, delete
from retouch.settings import Settings
from retouch.settings.sections import PlaceSettings
from retouch.sources import places


@dataclass(frozen=True)
class Snapshot:
    """A state of data/: its hash in data.dvc, whether it differs from the previous one, number of photographs by source."""

    md5: str
    changed: bool
    counts: dict[str, int]


def download(settings: Settings, root: Path = Path("data")) -> Snapshot:
    """Fetch every source of data.sources from every place of data.location, and record the snapshot in `root`.dvc.

    The folders are `root`/NAME, and `root`/NAME@PLACE of a second place and others.

    Incremental: a killed download continues, and with nothing new upstream the snapshot stays the same.
    Raises SourceError when a source cannot be read or this is not a DVC repository, and RetouchError when `root` is a link.
    """
    if not Path(".dvc").is_dir():
        raise SourceError(f"{Path.cwd()} is not a DVC repository: run retouch in the project's folder")
    check_trackable(root)
    root.mkdir(exist_ok=True)
    folders: dict[str, PlaceSettings | None] = {}
    for name in settings.data.sources:
        folders |= places.fetch(name, settings.data, settings.seed, root)
    for path in root.iterdir():
        if path.name not in folders and path.name != places.FILE:
            delete(path)
    places.write_places(root, folders)
    counts = {name: sum(1 for _ in places.photos(name, root)) for name in settings.data.sources}
    pointer = root.with_suffix(".dvc")
    before = _md5(pointer)
    process = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "add", "--quiet", str(root)],
        check=False,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise SourceError(f"`dvc add {root}` failed: {' '.join(process.stderr.split())}")
    after = _md5(pointer)
    return Snapshot(after or "", after != before, counts)


def _md5(pointer: Path) -> str | None:
    if not pointer.is_file():
        return None
    return str(yaml.safe_load(pointer.read_text())["outs"][0].get("md5"))
