"""Memory that every step frees and asks for again."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of <malloc.h>
ALL = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed for the next step; False where there is another C library.

    By itself it hands blocks above 32 MiB back at once, and the system fills fresh pages with zeros at every step: a quarter
    of a training step on a CPU. What a process holds stays at its peak instead.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    return bool(library.mallopt(MMAP_THRESHOLD, ALL) and library.mallopt(TRIM_THRESHOLD, ALL))
