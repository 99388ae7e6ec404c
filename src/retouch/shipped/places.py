"""Where shipped models lie: in the project at work, in the sources of an editable install, or installed with the package."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from retouch.shipped import CARD, FOLDER, HERE
from retouch.tracking.project import root

INSTALLED = Path("share", "retouch")
"""Of a Python environment: where a wheel puts the folder (pyproject.toml, shared-data)."""


def places() -> list[Path]:
    """The folders of shipped models that there are; of two models of a name, the one in the first of them counts."""
    is_editable = (HERE / "pyproject.toml").is_file()  # the environment then holds a copy of the time of the installation
    candidates = (root() / FOLDER, HERE / FOLDER if is_editable else Path(sys.prefix) / INSTALLED / FOLDER)
    return [place for place in dict.fromkeys(candidates) if place.is_dir()]


def names() -> list[str]:
    """The shipped models there are."""
    return sorted({folder.name for place in places() for folder in _models(place)})


def find(name: str) -> Path | None:
    """The folder of a shipped model, by its name or as `pretrained/NAME`; None where there is none."""
    name = name.removeprefix(f"{FOLDER}/").rstrip("/")
    folders = (folder for place in places() for folder in _models(place) if folder.name == name)
    return next(map(_short, folders), None)


def is_shipped(folder: Path) -> bool:
    """Whether a folder is that of a shipped model."""
    return (folder / CARD).is_file()


def _models(place: Path) -> Iterator[Path]:
    yield from (folder for folder in sorted(place.iterdir()) if is_shipped(folder))


def _short(folder: Path) -> Path:
    """The path as messages show it: from the working folder on, where that is shorter."""
    relative = Path(os.path.relpath(folder))
    return folder if ".." in relative.parts else relative
