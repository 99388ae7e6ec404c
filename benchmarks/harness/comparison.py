"""One network on two sides, each in a process of its own, in turns: shared by training.py and inference.py.

`ours` is what the project does, called as the project calls it; `plain` is the same network with the same weights as a library
user would write it: NCHW, eager, 32 bits. A side's process runs nothing else, so that its memory is its own.
"""

import argparse
import json
import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from harness.options import machine, parser

SIDES = ("ours", "plain")
WARM_UP = 2  # turns that do not count
MODELS = ("idih", "idih-hrnet18", "issam")
QUICK = {"models": ["idih"], "size": 64, "batch": 2, "rounds": 1, "threads": 1, "turn": 0.0}


@dataclass(frozen=True)
class Options:
    """What to measure."""

    models: list[str]
    size: int
    batch: int
    rounds: int
    threads: int
    turn: float  # seconds that a turn lasts at least
    device: str
    compile: bool
    json: bool
    quick: bool


Work = Callable[[], Any]
"""Does the work once; its results on the two sides are compared."""


@dataclass(frozen=True)
class Comparison:
    """A description, the imports that do not count as memory, how a side is built, and how far two results differ."""

    description: str
    libraries: Callable[[], None]
    build: Callable[[str, str, Options], Work]
    difference: Callable[[Any, Any], float]


def main(comparison: Comparison) -> None:
    """Read the options, measure, print."""
    options = _options(comparison.description)
    models = {name: _measure(comparison, name, options) for name in options.models}
    if options.json:
        settings = {"size": options.size, "batch": options.batch, "rounds": options.rounds, "compile": options.compile}
        print(json.dumps({"models": models, **settings, **machine(options.threads, options.device)}, indent=2))
        return
    for name, figures in models.items():
        memory = figures["peak_memory_mb"]
        print(
            f"{name}: ours {figures['ours']:.2f} img/s, plain {figures['plain']:.2f} img/s, ratio {figures['ratio']:.2f} "
            f"(of processor time {figures['processor_ratio']:.2f}); "
            f"peak memory {memory['ours']} and {memory['plain']} MiB"
        )


def _options(description: str) -> Options:
    options = parser(description)
    options.add_argument("--models", nargs="+", default=list(MODELS), metavar="NAME", help="of `retouch models`")
    options.add_argument("--size", type=int, default=256, help="px")
    options.add_argument("--batch", type=int, default=4)
    options.add_argument("--rounds", type=int, default=10, help="turns of each side; its best one counts")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--turn", type=float, default=0.3, help="seconds that a turn lasts at least")
    options.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="torch.compile for ours; without the option, on cuda only"
    )
    values = vars(options.parse_args())
    if values["compile"] is None:
        values["compile"] = values["device"] == "cuda"
    return Options(**(values | (QUICK if values["quick"] else {})))


def _measure(comparison: Comparison, name: str, options: Options) -> dict[str, Any]:
    """Pictures a second of both sides of one network, their memory, and how far their first results differ."""
    if options.quick:  # both sides then share one import
        comparison.libraries()
    context: Any = get_context("fork" if options.quick else "spawn")
    pipes: dict[str, Connection] = {}
    for side in SIDES:
        pipes[side], other_end = context.Pipe()
        context.Process(target=_serve, args=(other_end, comparison, side, name, options), daemon=True).start()
        other_end.close()
    first = {side: _receive(pipes, side) for side in SIDES}
    best, repetitions = dict.fromkeys(SIDES, (math.inf, math.inf)), dict.fromkeys(SIDES, 1)
    for turn in range(-1 if options.quick else -WARM_UP, options.rounds):
        for side, pipe in pipes.items():
            pipe.send(repetitions[side])
            wall, processor = (seconds / repetitions[side] for seconds in _receive(pipes, side))
            if turn >= 0:
                best[side] = min(best[side][0], wall), min(best[side][1], processor)
            else:
                repetitions[side] = max(1, math.ceil(options.turn / wall))
    memory = {}
    for side, pipe in pipes.items():
        pipe.send(0)
        memory[side] = _receive(pipes, side)
    rates = {side: round(options.batch / best[side][0], 3) for side in SIDES}
    ratio, processor_ratio = (round(plain / ours, 3) for ours, plain in zip(best["ours"], best["plain"], strict=True))
    difference = comparison.difference(first["ours"], first["plain"])
    return {
        **rates,
        "ratio": ratio,
        "processor_ratio": processor_ratio,
        "peak_memory_mb": memory,
        "difference": difference,
    }


def _receive(pipes: dict[str, Connection], side: str) -> Any:
    try:
        return pipes[side].recv()
    except EOFError:
        sys.exit(f"error: the process of {side} ended; its own message stands above")


def _serve(pipe: Connection, comparison: Comparison, side: str, name: str, options: Options) -> None:
    """In a side's process: send the first result, then wall and processor seconds of each turn, then peak MiB."""
    import torch

    torch.set_num_threads(options.threads)
    comparison.libraries()
    import psutil

    cuda = options.device == "cuda"
    before = 0 if cuda else psutil.Process().memory_info().rss
    work = comparison.build(side, name, options)
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


def samples(size: int, batch: int, device: str = "cpu") -> Any:
    """Pictures of noise, darker in a square, as a `SampleBatch`."""
    import torch

    from retouch.synthesis.filter_recipe import FilterRecipe
    from retouch.synthesis.samples import SampleBatch

    generator = torch.Generator().manual_seed(0)
    target = torch.rand(batch, 3, size, size, generator=generator).to(device)
    mask = torch.zeros(batch, 1, size, size, device=device)
    inner = slice(size // 4, 3 * size // 4)
    mask[:, :, inner, inner] = 1
    return SampleBatch(target * (1 - 0.3 * mask), target, mask, mask[:, 0].int(), [FilterRecipe(0)] * batch)
