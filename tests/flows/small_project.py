"""The small DVC project of these tests."""

import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path.cwd()
DVC_YAML = """\
stages:
  parse:
    cmd: echo parsing; cat data/photos > scenes
    deps: [data]
    outs: [scenes]
  train:
    foreach: ${models}
    do:
      cmd: "echo ${key}: step 1; test ! -e fail-${key} || { echo 'error: ${key} is broken: fix it' >&2; exit 2; }; \\
        test ! -e slow-${key} || { echo $$ > sleeper; sleep 300; }; cat scenes > artifacts-${key}"
      params: ["models.${key}"]
      deps: [scenes]
      outs: ["artifacts-${key}"]
  register:
    foreach: ${models}
    do:
      cmd: cat artifacts-${key} > registration-${key}
      deps: ["artifacts-${key}"]
      outs: ["registration-${key}"]
  report:
    cmd: cat registration-idih registration-sgmmh-om > report
    deps: [registration-idih, registration-sgmmh-om]
    outs: [report]
"""
STAGES = ["parse", "register@idih", "register@sgmmh-om", "report", "train@idih", "train@sgmmh-om"]


def dvc(*arguments: str, cwd: Path) -> str:
    """What a command of DVC prints."""
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def change(folder: Path, model: str) -> None:
    """Give a model another number of steps, so that its training is out of date."""
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["models"][model]["steps"] += 1
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
