"""`make photo` and the end of `make demo`: what is run for a user's photograph, by programs that note their arguments."""

import shutil
import subprocess
from pathlib import Path

import pytest

PHOTO, MASK = "my pics/it's a photo.jpg", "my pics/$mask 1.png"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile with an environment that notes what is called, and a photo with its mask."""
    shutil.copy("Makefile", tmp_path)
    for name in (PHOTO, MASK):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for program in ("retouch", "python"):
        path = tmp_path / ".venv/bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\n(printf "{program}"; printf "|%s" "$@"; echo) >> calls\n')
        path.chmod(0o755)
    for name in ("requirements.lock", "pyproject.toml", ".venv/.synced"):  # the environment is up to date
        (tmp_path / name).touch()
    return tmp_path


def make(project: Path, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    values = [f"{key}={value.replace('$', '$$')}" for key, value in variables.items()]
    return subprocess.run(
        ["make", target, *values],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )


def calls(project: Path) -> list[str]:
    path = project / "calls"
    return path.read_text().splitlines() if path.exists() else []


def ship(project: Path, name: str) -> None:
    (project / "pretrained" / name).mkdir(parents=True)
    (project / "pretrained" / name / "card.json").touch()


def test_the_demo_ends_with_the_users_photo(project: Path):
    done = make(project, "demo", PHOTO=PHOTO, MASK=MASK)
    assert done.returncode == 0, done.stderr
    assert [line.partition("|")[2] for line in calls(project)[:3]] == ["use|sample", "download", "-m|flows.pipeline"]
    assert calls(project)[3] == f"retouch|harmonize|{PHOTO}|--out|results|--overwrite|--mask|{MASK}|--model|seam-fit"
    assert (project / "results").is_dir()


def test_the_demo_without_a_photo_is_as_ever(project: Path):
    assert make(project, "demo").returncode == 0
    assert len(calls(project)) == 3


def test_a_shipped_model_is_used_where_there_is_one(project: Path):
    ship(project, "region")
    assert make(project, "photo", PHOTO=PHOTO, MASK=MASK).returncode == 0
    assert calls(project) == [f"retouch|harmonize|{PHOTO}|--out|results|--overwrite|--mask|{MASK}"]
    ship(project, "region-free")
    assert make(project, "photo", PHOTO=PHOTO).returncode == 0
    assert calls(project)[1] == f"retouch|harmonize|{PHOTO}|--out|results|--overwrite"


@pytest.mark.parametrize(
    ("variables", "words"),
    [({"PHOTO": "nothing.jpg", "MASK": MASK}, "PHOTO="), ({"PHOTO": PHOTO, "MASK": "nothing.png"}, "MASK="),
     ({"PHOTO": PHOTO}, "give a mask")],
)  # fmt: skip
def test_what_is_missing_is_said_before_the_training(project: Path, variables: dict[str, str], words: str):
    done = make(project, "demo", **variables)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[0]
    assert done.stderr.startswith("error: ")
    assert calls(project) == []
