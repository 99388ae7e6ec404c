"""How fast scenes are packed and read, and that memory does not grow with their number.

    python benchmarks/store.py --json

`images_per_second_per_core`: 256 px scenes read in random order by one thread, picture and labels copied out of the mapped
file, `cold` after the system was asked to forget the file, `warm` right after; the lower of the two. `memory`: what a process
holds (the mapped file's own pages do not count) after opening a file of so many scenes and reading 500 of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from retouch.store import Scenes

SIZE, COUNT = 256, 1500
MEMORY_SIZE, MEMORY_COUNTS, READ = 32, (1_000, 50_000), 500


def scenes(count: int, size: int) -> Iterator[dict[str, Any]]:
    """Scenes of noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, size, size, 3), dtype=np.uint8)
    for i in range(count):
        image = images[i % 16]
        yield {"id": f"bench/{i}", "source": "bench", "photo": f"bench/{i}", "split": "test" if i % 6 == 0 else "train",
               "height": size, "width": size, "image": image, "labels": image[..., 0]}  # fmt: skip


def read(path: Path, order: np.ndarray) -> float:
    """Scenes a second of wall time, each one's picture and labels copied."""
    store, begun = Scenes(path), time.perf_counter()
    for index in order:
        row = store[int(index)]
        row["image"].copy(), row["labels"].copy()
    return len(order) / (time.perf_counter() - begun)


def forget(path: Path) -> None:
    """Ask the system to drop the file from its cache; it may decline what is still mapped."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def speed(folder: Path) -> dict[str, float]:
    """Packing, then reading cold and warm."""
    path, begun = folder / "scenes.arrow", time.perf_counter()
    Scenes.write(path, scenes(COUNT, SIZE))
    packing = COUNT / (time.perf_counter() - begun)
    order = np.random.default_rng(1).permutation(COUNT)
    forget(path)
    cold = read(path, order)
    warm = max(read(path, order) for _ in range(3))
    return {"packed_per_second": round(packing), "cold": round(cold), "warm": round(warm)}


def held(path: str) -> None:
    """In a process of its own: anonymous memory in MiB and seconds for the metadata, after READ random scenes."""
    store, begun = Scenes(path), time.perf_counter()
    store.index(split="test")
    metadata = time.perf_counter() - begun
    for index in np.random.default_rng(2).integers(0, len(store), READ):
        store[int(index)]["image"].copy()
    memory = psutil.Process().memory_full_info()
    print(json.dumps({"mib": round(memory.uss / 2**20 - _mapped(path), 1), "index_seconds": round(metadata, 3)}))


def _mapped(path: str) -> float:
    """MiB of the file's own pages that only this process has mapped."""
    maps = [entry for entry in psutil.Process().memory_maps() if entry.path == str(Path(path).resolve())]
    return sum(entry.private_clean + entry.private_dirty for entry in maps) / 2**20


def memory(folder: Path) -> dict[str, dict[str, float]]:
    """What is held with few and with many scenes in the file."""
    found = {}
    for count in MEMORY_COUNTS:
        path = folder / f"{count}.arrow"
        Scenes.write(path, scenes(count, MEMORY_SIZE))
        done = subprocess.run([sys.executable, __file__, "--held", str(path)], check=True, capture_output=True, text=True)
        found[str(count)] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--held", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.held:
        return held(chosen.held)
    with tempfile.TemporaryDirectory() as folder:
        measured = speed(Path(folder))
        packed = measured.pop("packed_per_second")
        result = {
            "images_per_second_per_core": min(measured.values()),
            **measured,
            "packed_per_second": packed,
            "size": SIZE,
            "memory": memory(Path(folder)),
        }
    print(json.dumps(result, indent=2) if chosen.json else "\n".join(f"{key}: {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
