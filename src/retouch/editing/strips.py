"""Large pictures processed strip by strip, on several threads."""

import math
import mmap
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

STRIP_PIXELS = 1 << 15  # fewer cost calls, more the cache
TURNS = 8
"""In so many turns each thread takes strips that follow one another: what it computed for one often serves the next."""


class Buffers:
    """Arrays by name, reused from strip to strip: fresh memory costs a thread more than the arithmetic on it."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.views: dict[str, np.ndarray] = {}
        self.states: dict[int, Any] = {}
        """What users of the buffers remember from strip to strip, by their id."""

    def __call__(self, name: str, shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
        """An array of anything, the same memory as at the last call with `name` where that is large enough."""
        view = self.views.get(name)
        if view is not None and view.shape == shape:
            return view
        count = math.prod(shape)
        if name not in self.arrays or self.arrays[name].size < count:
            # mapped, so that the system has it back at the end: the C library keeps what a thread freed
            self.arrays[name] = np.frombuffer(mmap.mmap(-1, count * np.dtype(dtype).itemsize), dtype)
        self.views[name] = view = self.arrays[name][:count].reshape(shape)
        return view


def thread_count() -> int:
    """The threads for work on large arrays: one a core that this process may use, or fewer, as OMP_NUM_THREADS says."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # one a level, where there are several
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


def strip_rows(width: int) -> int:
    """How many rows of a picture are processed at a time."""
    return max(1, STRIP_PIXELS // width)


def for_each_strip(height: int, width: int, work: Callable[[int, int, Buffers], None]) -> None:
    """Call `work(top, bottom, buffers)` for all strips of a picture, on several threads with buffers of their own."""
    step, count = strip_rows(width), thread_count()
    length = step * max(1, height // (step * count * TURNS))
    turns = iter(range(0, height, length))  # shared: whichever thread is free takes the next
    lock = threading.Lock()

    def worker() -> None:
        buffers = Buffers()
        while True:
            with lock:
                begin = next(turns, height)
            if begin >= height:
                return
            for top in range(begin, min(begin + length, height), step):
                work(top, min(top + step, height), buffers)

    with ThreadPoolExecutor(count) as threads:
        for future in [threads.submit(worker) for _ in range(count)]:
            future.result()
