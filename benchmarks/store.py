"""How fast scenes are packed and read, and that memory does not grow with their number.

    python benchmarks/store.py --json

`images_per_second_per_core`: 256 px scenes read in random order by one thread, picture and labels copied out of the mapped
file, `cold` after the system was asked to drop the file from its cache, `warm` right after; the lower of the two. `memory`:
what a process keeps (without the mapped file's own pages) after it opened a file of so many scenes and read some of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from harness.options import parser

from retouch.store import Scenes


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    size: int = 256  # px
    count: int = 1500  # scenes for speed
    memory_size: int = 32  # px
    memory_counts: tuple[int, ...] = (1_000, 50_000)
    reads: int = 500  # scenes read before memory is measured


QUICK = Plan(size=64, count=20, memory_counts=(10, 20), reads=5)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--memory", type=Path, help=argparse.SUPPRESS)  # one file, in a process of its own
    options.add_argument("--reads", type=int, default=Plan.reads, help=argparse.SUPPRESS)
    values = options.parse_args()
    if values.memory:
        print(json.dumps(read_memory(values.memory, values.reads)))
        return
    plan = QUICK if values.quick else Plan()
    with tempfile.TemporaryDirectory() as folder:
        rates = speed(Path(folder), plan)
        result = {
            "images_per_second_per_core": min(rates["cold"], rates["warm"]),
            **rates,
            "size": plan.size,
            "memory": memory(Path(folder), plan),
        }
    print(json.dumps(result, indent=2) if values.json else "\n".join(f"{key}: {value}" for key, value in result.items()))


def scenes(count: int, size: int) -> Iterator[dict[str, Any]]:
    """Scenes of noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, size, size, 3), dtype=np.uint8)
    for i in range(count):
        image = images[i % 16]
        yield {"id": f"bench/{i}", "source": "bench", "photo": f"bench/{i}", "split": "test" if i % 6 == 0 else "train",
               "height": size, "width": size, "image": image, "labels": image[..., 0]}  # fmt: skip


def speed(folder: Path, plan: Plan) -> dict[str, float]:
    """Scenes a second: packing, then reading cold and warm."""
    path, begin = folder / "scenes.arrow", time.perf_counter()
    Scenes.write(path, scenes(plan.count, plan.size))
    packing = plan.count / (time.perf_counter() - begin)
    order = np.random.default_rng(1).permutation(plan.count)
    drop_from_cache(path)
    cold = read(path, order)
    warm = max(read(path, order) for _ in range(3))
    return {"packed_per_second": round(packing), "cold": round(cold), "warm": round(warm)}


def read(path: Path, order: np.ndarray) -> float:
    """Scenes a second of wall time, the picture and labels of each copied."""
    store, begin = Scenes(path), time.perf_counter()
    for index in order:
        row = store[int(index)]
        row["image"].copy(), row["labels"].copy()
    return len(order) / (time.perf_counter() - begin)


def drop_from_cache(path: Path) -> None:
    """Ask the system to drop the file from its cache; it may decline what is still mapped."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def memory(folder: Path, plan: Plan) -> dict[str, dict[str, float]]:
    """What a process keeps with few and with many scenes in the file."""
    results = {}
    for count in plan.memory_counts:
        path = folder / f"{count}.arrow"
        Scenes.write(path, scenes(count, plan.memory_size))
        command = [sys.executable, __file__, "--memory", str(path), "--reads", str(plan.reads)]
        process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results[str(count)] = json.loads(process.stdout)
    return results


def read_memory(path: Path, reads: int) -> dict[str, float]:
    """Anonymous memory in MiB after some random scenes, and the seconds for the metadata."""
    store, begin = Scenes(path), time.perf_counter()
    store.index(split="test")
    metadata = time.perf_counter() - begin
    for index in np.random.default_rng(2).integers(0, len(store), reads):
        store[int(index)]["image"].copy()
    process = psutil.Process().memory_full_info()
    return {"mib": round(process.uss / 2**20 - mapped_memory(path), 1), "index_seconds": round(metadata, 3)}


def mapped_memory(path: Path) -> float:
    """MiB of the file's own pages that only this process has mapped."""
    maps = [entry for entry in psutil.Process().memory_maps() if entry.path == str(path.resolve())]
    return sum(entry.private_clean + entry.private_dirty for entry in maps) / 2**20


if __name__ == "__main__":
    main()
