"""Training steps a second of a small U-Net on all cores, by how OpenMP's threads wait: alone, and beside a busy process.

    python benchmarks/threads.py --json

Each setting runs in a process of its own, for libgomp reads its environment once. `chosen` is what `retouch` sets.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional as F

from retouch.cli.environment import SPIN, USERS

SETTINGS = {
    "default": {},
    "chosen": SPIN,
    "sleep at once": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
WIDTH, DEPTH, BATCH, SIZE = 24, 4, 16, 64


class UNet(nn.Module):
    """A plain U-Net of the size of the sample's models."""

    def __init__(self) -> None:
        super().__init__()
        widths = [WIDTH * 2**level for level in range(DEPTH + 1)]
        self.first, self.last = self._block(3, WIDTH), nn.Conv2d(WIDTH, 3, 1)
        self.down = nn.ModuleList(self._block(fine, coarse) for fine, coarse in itertools.pairwise(widths))
        self.up = nn.ModuleList(self._block(fine + coarse, fine) for fine, coarse in itertools.pairwise(widths))

    @staticmethod
    def _block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """N×3×H×W → N×3×H×W."""
        features, skips = self.first(image), []
        for block in self.down:
            skips.append(features)
            features = block(F.max_pool2d(features, 2))
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            features = block(torch.cat([F.interpolate(features, scale_factor=2), skip], 1))
        return self.last(features)


def steps_per_second(seconds: float) -> float:
    """Steps of forward, backward and Adam; the first ones do not count."""
    network = UNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters())
    images = torch.rand(BATCH, 3, SIZE, SIZE).to(memory_format=torch.channels_last)

    def step() -> None:
        optimizer.zero_grad()
        (network(images) - images).square().mean().backward()
        optimizer.step()

    step()
    step()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        step()
        count += 1
    return count / (time.perf_counter() - began)


@contextmanager
def busy_process() -> Iterator[None]:
    """One other process that never waits."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(setting: dict[str, str], seconds: float) -> float:
    """Steps a second in a new process with these variables."""
    bare = {name: value for name, value in os.environ.items() if name not in (*USERS, "OMP_NUM_THREADS")}
    command = [sys.executable, __file__, "--steps", "--seconds", str(seconds)]
    return float(subprocess.run(command, env=bare | setting, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="a glance: shows that it runs, measures nothing")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--steps", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    seconds = 0.1 if options.quick else options.seconds
    if options.steps:
        print(steps_per_second(seconds))
        return
    names = ["chosen"] if options.quick else list(SETTINGS)
    alone = {name: measure(SETTINGS[name], seconds) for name in names}
    with busy_process():
        beside = {name: measure(SETTINGS[name], seconds) for name in names}
    if options.json:
        print(json.dumps({"alone": alone, "beside_a_busy_process": beside, "settings": SETTINGS}, indent=2))
        return
    for name in names:
        print(f"{name}: {alone[name]:.2f} steps a second alone, {beside[name]:.2f} beside a busy process")


if __name__ == "__main__":
    main()
