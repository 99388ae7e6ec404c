"""The one family of errors: each message says what was wrong, where, and what to do.

The command line prints them in one line and exits 2; anything else that escapes is a bug.
"""

from pathlib import Path


class RetouchError(Exception):
    """Something the user can fix; the message names the file or key and the remedy."""


class ExistsError(RetouchError):
    """A file exists that may not be replaced without being asked; `content` says what it holds, where that matters."""

    def __init__(self, path: Path, content: str = "") -> None:
        what = f" and holds {content}" if content else ""
        super().__init__(f"{path} exists{what}: --overwrite replaces it, or name another place")


class SettingsError(RetouchError):
    """A key or value in a parameter file is wrong."""


class SourceError(RetouchError):
    """A source folder, photograph or label map cannot be used."""


class EmptyLocationError(SourceError):
    """A location holds nothing of a source."""


class StoreError(RetouchError):
    """A packed file of scenes or samples is missing, damaged or of another schema."""


class GateError(RetouchError):
    """Rows of the data must not be trained on, says the data gate."""


class WeightsError(RetouchError):
    """Pretrained or trained weights are missing or are not the pinned ones."""


class TrackingError(RetouchError):
    """The MLflow server or registry cannot be reached or lacks what was asked for."""


class BusyError(RetouchError):
    """Another pipeline is at work in this workspace."""
