"""The project's folder."""

from pathlib import Path

EXPERIMENTS = (".dvc", "tmp", "exps")
"""The folder of a project in which DVC runs experiments."""


def root() -> Path:
    """The nearest folder, from the working folder upwards, that holds dvc.yaml or params.yaml; else the working folder."""
    here = Path.cwd()
    return project_of(here) or here


def project_of(place: Path) -> Path | None:
    """The nearest folder, from a folder upwards, that holds dvc.yaml or params.yaml, or None."""
    for folder in (place, *place.parents):
        if (folder / "dvc.yaml").exists() or (folder / "params.yaml").exists():
            return folder
    return None


def store_folder() -> Path:
    """The folder whose mlflow.db is the store: the project's, of a temporary copy by `dvc exp run --temp` the original's.

    DVC deletes such a copy at the end, and with it what was registered there (dvc#10616).
    """
    project = root()
    for folder in project.parents:
        if folder.parts[-len(EXPERIMENTS) :] == EXPERIMENTS:
            return folder.parents[len(EXPERIMENTS) - 1]
    return project
