"""Fixtures that every tier uses. Tests run from the project's root and write only to their own temporary folders."""

import os

import numpy as np
import pytest

os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
