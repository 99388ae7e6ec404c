import subprocess
import sys

import pytest

CODE = """
import resource, sys
from retouch.training.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
bytearray(80_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    bytearray(80_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of glibc")
def test_memory_that_is_freed_and_asked_for_again_is_not_fetched_anew():
    def faults(mode: str) -> tuple[str, int]:
        done = subprocess.run([sys.executable, "-c", CODE, mode], check=True, capture_output=True, text=True)
        kept, count = done.stdout.split()
        return kept, int(count)

    kept, with_it = faults("keep")
    if kept == "False":
        pytest.skip("another C library than glibc")
    assert with_it * 5 < faults("as ever")[1]
