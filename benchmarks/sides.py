"""What training.py and inference.py share: one network on two sides, each in a process of its own, in turns.

`ours` is what the project does, called as the project calls it; `plain` is the same network with the same weights as a library
user would write it: NCHW, eager, 32 bits. A side's process has nothing else in it, so that its memory is its own.
"""

import argparse
import json
import math
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

SIDES = ("ours", "plain")
WARM_UP, TURN = 2, 0.3  # turns that do not count; seconds that a turn lasts at least
MODELS = ("idih", "idih-hrnet18", "issam")


@dataclass(frozen=True)
class Chosen:
    """What was asked for."""

    models: list[str]
    size: int
    batch: int
    rounds: int
    threads: int
    device: str
    compile: bool
    json: bool


Work = Callable[[], Any]
"""Does the work once; what it returns is compared between the sides."""


@dataclass(frozen=True)
class Benchmark:
    """A description, the imports that do not count, how one side is made, and how far two results are apart."""

    description: str
    libraries: Callable[[], None]
    build: Callable[[str, str, Chosen], Work]
    apart: Callable[[Any, Any], float]


def main(benchmark: Benchmark) -> None:
    """Read the options, measure, print."""
    chosen = options(benchmark.description)
    models = {name: measure(benchmark, name, chosen) for name in chosen.models}
    if chosen.json:
        asked = {"size": chosen.size, "batch": chosen.batch, "rounds": chosen.rounds, "compile": chosen.compile}
        print(json.dumps({"models": models, **asked, **machine(chosen)}, indent=2))
        return
    for name, found in models.items():
        memory = found["peak_memory_mb"]
        print(
            f"{name}: ours {found['ours']:.2f} img/s, plain {found['plain']:.2f} img/s, ratio {found['ratio']:.2f} "
            f"(of processor time {found['processor_ratio']:.2f}); "
            f"peak memory {memory['ours']} and {memory['plain']} MiB"
        )


def options(description: str) -> Chosen:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="NAME", help="of `retouch models`")
    parser.add_argument("--size", type=int, default=256, help="px")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=10, help="turns of each side; its best one counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="torch.compile for ours; without the option, on cuda only"
    )
    found = parser.parse_args()
    if found.compile is None:
        found.compile = found.device == "cuda"
    return Chosen(**vars(found))


def machine(chosen: Chosen) -> dict[str, Any]:
    """Where it was measured."""
    import torch

    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    found = {
        "device": chosen.device,
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(names) or None,
        "threads": chosen.threads,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    if chosen.device == "cuda":
        found["gpu"] = torch.cuda.get_device_name()
    return {"machine": found, "torch": torch.__version__}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def measure(benchmark: Benchmark, name: str, chosen: Chosen) -> dict[str, Any]:
    """Pictures a second of both sides of one network, their memory, and how far their first results are apart."""
    context = get_context("spawn")
    pipes: dict[str, Connection] = {}
    for side in SIDES:
        pipes[side], theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, benchmark, side, name, chosen), daemon=True).start()
        theirs.close()
    first = {side: _answer(pipes, side) for side in SIDES}
    best, count = dict.fromkeys(SIDES, (math.inf, math.inf)), dict.fromkeys(SIDES, 1)
    for turn in range(-WARM_UP, chosen.rounds):
        for side, pipe in pipes.items():
            pipe.send(count[side])
            wall, processor = (seconds / count[side] for seconds in _answer(pipes, side))
            if turn >= 0:
                best[side] = min(best[side][0], wall), min(best[side][1], processor)
            else:
                count[side] = math.ceil(TURN / wall)
    memory = {}
    for side, pipe in pipes.items():
        pipe.send(0)
        memory[side] = _answer(pipes, side)
    rates = {side: round(chosen.batch / best[side][0], 3) for side in SIDES}
    ratio, of_processors = (round(plain / ours, 3) for ours, plain in zip(best["ours"], best["plain"], strict=True))
    more = {"processor_ratio": of_processors, "peak_memory_mb": memory, "apart": benchmark.apart(first["ours"], first["plain"])}
    return {**rates, "ratio": ratio, **more}


def _answer(pipes: dict[str, Connection], side: str) -> Any:
    try:
        return pipes[side].recv()
    except EOFError:
        sys.exit(f"error: the process of {side} ended; its own words stand above")


def serve(pipe: Connection, benchmark: Benchmark, side: str, name: str, chosen: Chosen) -> None:
    """In a side's process: the first result, then wall and processor seconds of as many repetitions as asked for, MiB."""
    import torch

    torch.set_num_threads(chosen.threads)
    benchmark.libraries()
    import psutil

    cuda = chosen.device == "cuda"
    before = 0 if cuda else psutil.Process().memory_info().rss
    work = benchmark.build(side, name, chosen)
    pipe.send(work())
    while repetitions := pipe.recv():
        begin = time.perf_counter(), time.process_time()
        for _ in range(repetitions):
            work()
        if cuda:
            torch.cuda.synchronize()
        pipe.send((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    unit = 1024 if sys.platform == "linux" else 1
    peak = torch.cuda.max_memory_allocated() if cuda else unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(round((peak - before) / 2**20))


def batch(chosen: Chosen) -> dict[str, Any]:
    """Pictures of noise, their composites, darker in a square, and masks."""
    import torch

    generator = torch.Generator().manual_seed(0)
    real = torch.rand(chosen.batch, 3, chosen.size, chosen.size, generator=generator)
    mask = torch.zeros(chosen.batch, 1, chosen.size, chosen.size)
    inner = slice(chosen.size // 4, 3 * chosen.size // 4)
    mask[:, :, inner, inner] = 1
    return {name: value.to(chosen.device) for name, value in {
        "composite": real * (1 - 0.3 * mask), "real": real, "mask": mask}.items()}  # fmt: skip
