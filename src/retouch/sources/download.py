"""`retouch download`: raw photographs → data/, and the snapshot they make → data.dvc."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from retouch.errors import SourceError
from retouch.settings import Settings
from retouch.sources import get


@dataclass(frozen=True)
class Snapshot:
    """A state of data/: its hash in data.dvc, whether it differs from the one before, photographs by source."""

    md5: str
    changed: bool
    counts: dict[str, int]


def download(settings: Settings, root: Path = Path("data")) -> Snapshot:
    """Fetch every source of data.sources into `root`/NAME and note the snapshot in `root`.dvc.

    Incremental and repeatable: killed, it continues; with nothing new upstream the snapshot stays the same.
    Raises SourceError when a source cannot be read or this is no DVC repository.
    """
    if not Path(".dvc").is_dir():
        raise SourceError(f"{Path.cwd()} is no DVC repository: run retouch in the project's folder")
    root.mkdir(exist_ok=True)
    counts = {}
    for name in settings.data.sources:
        source = get(name)
        source.fetch(settings.data, settings.seed, root / name)
        counts[name] = sum(1 for _ in source.photos(root / name))
    for folder in root.iterdir():
        if folder.name not in settings.data.sources:
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    note = root.with_suffix(".dvc")
    before = _md5(note)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "add", "--quiet", str(root)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SourceError(f"`dvc add {root}` failed: {' '.join(done.stderr.split())}")
    after = _md5(note)
    return Snapshot(after or "", after != before, counts)


def _md5(note: Path) -> str | None:
    if not note.is_file():
        return None
    return str(yaml.safe_load(note.read_text())["outs"][0].get("md5"))
