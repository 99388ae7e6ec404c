"""Composites a second that a training of `region` sees, on one core: condensed, against the pictures themselves.

    python benchmarks/condensed.py --json

Both sides make the same composites of drawn scenes, show each to as many steps, and take whole steps by the functions of
`retouch train`: scenes read, composites made, forward, loss, backward, Adam. Condensed samples are augmented once, pictures
anew in each step. They take turns.
"""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.options import machine, parser

from retouch import settings

SIDES = ("condensed", "pictures")


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    size: int = 384
    scenes: int = 64
    batch: int = 64
    shown: int = 16  # to so many steps
    warm_up: int = 16  # steps, in which samples are made that later ones see again
    steps: int = 24
    turn: int = 4  # steps


QUICK = Plan(size=48, scenes=10, batch=4, shown=2, warm_up=16, steps=2, turn=1)


def main() -> None:
    options = parser(__doc__).parse_args()
    plan = QUICK if options.quick else Plan()
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(plan, Path(folder) / "scenes.arrow")
    result: dict[str, Any] = {"composites_per_second": rates, "ratio": round(rates["condensed"] / rates["pictures"], 2)}
    if options.json:
        print(json.dumps({**result, "batch": plan.batch, "size": plan.size, **machine(1)}, indent=2))
        return
    print(" ".join(f"{side} {rate:.1f}" for side, rate in rates.items()), f"composites/s, ratio {result['ratio']}")


def measure(plan: Plan, place: Path) -> dict[str, float]:
    """Composites a second that either side sees."""
    import torch

    torch.set_num_threads(1)
    pack_scenes(plan, place)
    sides = {side: Training(side, plan, place) for side in SIDES}
    seconds = dict.fromkeys(SIDES, 0.0)
    for training in sides.values():
        training.run(plan.warm_up)
    for _ in range(plan.steps // plan.turn):
        for side, training in sides.items():
            begin = time.perf_counter()
            training.run(plan.turn)
            seconds[side] += time.perf_counter() - begin
    return {side: round(plan.batch * plan.steps / seconds[side], 2) for side in SIDES}


def pack_scenes(plan: Plan, place: Path) -> None:
    """Drawn scenes of the plan's size, packed."""
    from retouch.drawn_scenes.draw import draw
    from retouch.store import Scenes

    def row(number: int) -> dict[str, Any]:
        maps = draw(7, "train", number, plan.size)[0]
        height, width = maps["labels"].shape
        identity = {"id": f"sample/{number}", "source": "sample", "photo": f"p{number}", "split": "train"}
        return {**identity, "height": height, "width": width, "image": maps["image"], "labels": maps["labels"], "parts": None}

    Scenes.write(place, map(row, range(plan.scenes)))


class Training:
    """A training of `region` that can be carried on step by step."""

    def __init__(self, side: str, plan: Plan, place: Path) -> None:
        import torch

        from retouch.store import Scenes
        from retouch.tasks.base import Share
        from retouch.training.data import EchoBuffer, Mixture, StepData
        from retouch.training.learner import Learner
        from retouch.training.loop import build
        from retouch.training.optimizer import make_optimizer

        whole = settings.load(Path("params/sample.yaml"))
        model = whole.models["region"].model_copy(
            update={"options": {}, "benchmarks": ["develop"], "batch": plan.batch, "data_echoing_factor": plan.shown}
        )
        mixture = Mixture(Scenes(place), whole, model)
        learner = build(whole, model)
        if side == "pictures":
            learner = Learner(learner.task, learner.model, learner.objective, model, whole.seed)
        self.learner, self.share, self.step = learner.train(), Share(), 0
        self.optimizer = make_optimizer(learner.model, learner.objective, model)
        self.data = StepData(mixture, plan.batch, whole.seed, self.share, plan.shown)
        self.echo = EchoBuffer(mixture, plan.shown, torch.device("cpu"), learner, self.share)

    def run(self, steps: int) -> None:
        """Take so many steps."""
        from retouch.training.learner import Batch

        for step in range(self.step, self.step + steps):
            samples = self.echo.samples(self.data[step])
            self.learner(Batch(self.learner.view(samples, step, self.share), 0.0)).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.step += steps


if __name__ == "__main__":
    main()
