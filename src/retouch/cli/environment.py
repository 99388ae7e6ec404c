"""What this program sets in the environment of its process and its children, before torch is loaded."""

import atexit
import gc
import io
import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

SPIN = {"GOMP_SPINCOUNT": "200"}
"""How often an OpenMP thread looks for work before it sleeps; libgomp's own 300,000 keep a core busy that others need.

Steps a second of a small U-Net with two threads on two cores, alone and beside one busy process: libgomp's default 4.9 and
1.6 to 2.0, 200 4.6 and 2.6 to 2.7, 1000 4.7 and 2.5 to 2.6, sleeping at once 2.6 to 4.8 and 2.3 to 2.7. `sgmmh-om` beside three
busy processes: 0 to 200 2.7 to 5.4, 1000 2.4 to 4.7, 5000 1.7 to 3.3. benchmarks/threads.py measures it.
"""
USERS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
"""Where the user has set one of these, nothing is changed."""


def limit_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads sleep soon when they wait. libgomp reads it once, when torch is loaded; children inherit it."""
    if not any(name in environment for name in USERS):
        environment.update(SPIN)


SELDOM = 50_000
"""New objects after which Python looks for circles of dead ones, in place of 700. `import torch` makes millions that stay."""


@contextmanager
def collect_seldom() -> Iterator[None]:
    """Inside, and when the process ends, Python hardly looks for circles of dead objects.

    `import torch` and the end of the process take 1.2 s in place of 1.9 s of processor time so (benchmarks/shell.py).
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(SELDOM, *thresholds[1:])
    atexit.register(gc.freeze)  # what is frozen is not looked at again
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def print_any_name() -> None:
    """Let names of files that are not UTF-8 be printed as the bytes that they are."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape" if stream is sys.stdout else "backslashreplace")
