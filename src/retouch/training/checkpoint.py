"""States of a training on disk: whole or absent, the last two kept, gone when the training is done."""

import pickle
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from retouch.files import atomic_file

KEPT = 2


class Checkpoints:
    """The states of one training in `folder`, named by their step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state and delete all but the last two."""
        with atomic_file(self.folder / f"{step:08d}.pt") as partial:
            torch.save(state, partial)
        for old in self._paths()[:-KEPT]:
            old.unlink()

    def latest(self) -> dict[str, Any] | None:
        """The last state that can be read; a damaged one is reported and passed over."""
        for path in reversed(self._paths()):
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
                print(f"checkpoint {path} is damaged ({str(error).splitlines()[0]}): passed over", file=sys.stderr)
        return None

    def clear(self) -> None:
        """Delete all states of this training."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*.pt") if re.fullmatch(r"\d{8}\.pt", path.name))
