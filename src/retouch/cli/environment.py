"""What this program sets in the environment of its process and its children, before torch is loaded."""

import os
from collections.abc import MutableMapping

SPIN = {"GOMP_SPINCOUNT": "1000"}
"""How often an OpenMP thread looks for work before it sleeps; libgomp's own 300,000 keep a core busy that others need.

On two cores, a training step of a small U-Net is as fast with it alone (4.9 a second, 4.9 without) and faster beside one busy
process (2.6, 1.7 without). Threads that sleep at once (OMP_WAIT_POLICY=passive) are as fast on quiet cores (4.8, 2.6), but
lost up to half their speed where the machine had short pieces of other work (2.6 to 3.2, 4.6 with this).
Measured by benchmarks/threads.py.
"""
USERS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
"""Where the user has set one of these, nothing is changed."""


def limit_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads sleep soon when they wait. libgomp reads it once, when torch is loaded; children inherit it."""
    if not any(name in environment for name in USERS):
        environment.update(SPIN)
