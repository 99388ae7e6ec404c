"""Which code and which data a run stands on."""

import subprocess
from pathlib import Path

import yaml

from retouch.files import sha256_file
from retouch.tracking.project import root


def lineage(project: Path | None = None) -> dict[str, str]:
    """`git_commit`, `git_dirty`, `data_md5` (of data.dvc) and `dvc_lock_sha256` of a project, each where there is one.

    It is the project at work unless another's folder is given.

    `git_dirty` ignores data.dvc and dvc.lock: the pipeline itself writes them, and they have hashes of their own.
    """
    folder = project or root()
    tags: dict[str, str] = {}
    if commit := _git(folder, "rev-parse", "HEAD"):
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!data.dvc", ":!dvc.lock")
        tags |= {"git_commit": commit, "git_dirty": str(bool(changes)).lower()}
    if (folder / "data.dvc").exists():
        outs = (yaml.safe_load((folder / "data.dvc").read_text()) or {}).get("outs") or [{}]
        if outs[0].get("md5"):
            tags["data_md5"] = str(outs[0]["md5"])
    if (folder / "dvc.lock").exists():
        tags["dvc_lock_sha256"] = sha256_file(folder / "dvc.lock")
    return tags


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        process = subprocess.run(["git", *arguments], cwd=folder, check=False, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout.strip() if process.returncode == 0 else None
