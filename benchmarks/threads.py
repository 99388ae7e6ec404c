"""Training steps a second of the sample's sgmmh-om, by how OpenMP's threads wait: alone, and beside a busy process.

    python benchmarks/threads.py --json

Each setting runs in a process of its own, because libgomp reads its environment once. The settings take turns, and the median
of the turns counts. `retouch` is what the command line sets (retouch.cli.environment). `--others` busy processes run beside.
"""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from harness.options import machine, parser

from retouch.cli.environment import SPIN, USERS

SETTINGS: dict[str, dict[str, str]] = {
    "default": {},
    "retouch": SPIN,
    "sleep at once": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
MODEL = "sgmmh-om"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    options.add_argument("--rounds", type=int, default=3, help="turns of each setting")
    options.add_argument("--threads", type=int, default=2, help="of all settings but `one thread`")
    options.add_argument("--others", type=int, default=1, help="busy processes")
    options.add_argument("--steps", action="store_true", help="measure in this process and print the steps a second")
    values = options.parse_args()
    if values.steps:
        print(steps_per_second(0.0 if values.quick else values.seconds))
        return
    names, conditions = list(SETTINGS), {"alone": 0, f"beside {values.others}": values.others}
    if values.quick:
        names, conditions, values.rounds = ["one thread"], {"alone": 0}, 1
    rates: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in names}
    for _ in range(values.rounds):
        for condition, others in conditions.items():
            with busy_processes(others):
                for name in names:
                    rates[name][condition].append(measure(name, values))
    table = {name: {condition: round(median(rates[name][condition]), 2) for condition in conditions} for name in names}
    if values.json:
        print(json.dumps({"steps_per_second": table, "turns": rates, "settings": SETTINGS} | machine(values.threads), indent=2))
        return
    print(f"steps a second of {MODEL}, by the number of busy processes beside it")
    for name, row in table.items():
        print(f"{name:>14}: " + ", ".join(f"{condition} {rate:.2f}" for condition, rate in row.items()))


def measure(name: str, values: Any) -> float:
    """Steps a second in a new process with the variables of a setting."""
    environment = {key: value for key, value in os.environ.items() if key not in USERS}
    environment |= {"OMP_NUM_THREADS": str(values.threads)} | SETTINGS[name]
    command = [sys.executable, __file__, "--steps", "--seconds", str(values.seconds), *(["--quick"] if values.quick else [])]
    return float(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Other processes that never wait."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def steps_per_second(seconds: float) -> float:
    """Steps of forward, loss, backward and optimizer, as `retouch train` takes them; the first ones do not count."""
    import torch
    from harness.comparison import samples

    from retouch import models, settings, tasks
    from retouch.synthesis.recipe import sample_seed
    from retouch.training.memory import keep_freed_memory
    from retouch.training.optimizer import make_optimizer

    keep_freed_memory()
    sample = settings.load(Path("params/sample.yaml"))
    own = sample.models[MODEL]
    task = tasks.get(own.task)
    torch.manual_seed(sample_seed(sample.seed, "initial weights", 0))
    network = models.create(own.architecture, **own.options).to(memory_format=torch.channels_last).train()
    objective = task.objective(own)
    optimizer = make_optimizer(network, objective, own)
    batch = samples(sample.parse.size, own.batch)

    def step() -> None:
        objective(network(task.model_input(batch)), batch, 0.0).backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(1 if seconds == 0 else 3):
        step()
    count, begin = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - begin < seconds:
        step()
        count += 1
    return count / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
