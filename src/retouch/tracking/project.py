"""The project's folder."""

from pathlib import Path


def root() -> Path:
    """The nearest folder, from the working folder upwards, that holds dvc.yaml or params.yaml; else the working folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").exists() or (folder / "params.yaml").exists():
            return folder
    return here
