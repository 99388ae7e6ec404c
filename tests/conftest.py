"""Fixtures that every tier uses. Tests run from the project's root and write only to their own temporary folders."""

import os
import signal
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

from retouch.cli.environment import limit_spinning

limit_spinning()  # before a test loads torch
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores Ctrl-C in background jobs, and their children would
# a first call may import torch; the same cases in every run, so that a change is judged by what it changes
settings.register_profile("retouch", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)  # new cases: `pytest --hypothesis-profile explore`
settings.load_profile("retouch")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True, scope="module")
def own_code() -> Iterator[None]:
    """MLflow puts a model's own copy of this package on the path; processes that start later must not find it."""
    before = sys.path.copy()
    yield
    sys.path[:] = before
