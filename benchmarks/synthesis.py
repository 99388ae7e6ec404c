"""Pictures a second of HScene's perturbation at 256 px: `synthesis.compose` against pilgram one picture at a time. And pictures
a second of `synthesis.develop`, and of objects cut out and pasted (`synthesis.paste`), with nothing to compare with.

    python benchmarks/synthesis.py --json

Both start from photographs and label maps in memory, as their loaders give them (PIL pictures; a uint8 tensor N×3×H×W), draw
the same recipes, and end with float tensors. They take turns, so that other work on the machine affects both; each pass over
the pictures counts with its fastest round.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from harness.options import machine, parser

from retouch import settings
from retouch.settings import DevelopSettings, PasteSettings, PerturbSettings

SEED = 7
NOISE = ("gaussian", "laplace", "poisson")
SIDES = ("ours", "pilgram", "develop", "paste")
CORES = {1: "one_core", 2: "two_cores"}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    size: int = 256
    pictures: int = 64  # one batch
    epochs: int = 4
    rounds: int = 6
    cores: tuple[int, ...] = (1, 2)


QUICK = Plan(size=64, pictures=4, epochs=2, rounds=1, cores=(1,))


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--scenes", type=Path, help=f"packed scenes of {Plan.size} px with labels, in place of drawn ones")
    options.add_argument("--rounds", type=int, default=Plan.rounds)
    values = options.parse_args()
    plan = QUICK if values.quick else Plan(rounds=values.rounds)
    scenes = packed_scenes(values.scenes, plan) if values.scenes else drawn_scenes(plan)
    rates = {CORES[cores]: measure(scenes, cores, plan) for cores in plan.cores}
    result = rates | {
        "agreement": agreement(Sides(*scenes), plan.epochs),
        "pictures": plan.pictures,
        "size": plan.size,
        "scenes": str(values.scenes or "drawn"),
    }
    if values.json:
        print(json.dumps(result | machine(1), indent=2))
        return
    for name, figures in rates.items():
        text = "{}: ours {ours:.0f} img/s, pilgram {pilgram:.1f}, ratio {ratio:.1f}; develop {develop:.0f}, paste {paste:.0f}"
        print(text.format(name, **figures))
    print(f"agreement in 255ths: {result['agreement']}")


def measure(scenes: tuple[np.ndarray, np.ndarray], cores: int, plan: Plan) -> dict[str, float]:
    """Pictures a second of both sides, with as many processes of one thread as cores."""
    context: Any = get_context("spawn")
    with ProcessPoolExecutor(cores, context, start, (*scenes, context.Barrier(cores))) as pool:
        workers = [task.result() for task in [pool.submit(take_turns, plan) for _ in range(cores)]]
    rates = {}
    for side in SIDES:
        seconds = np.max([worker[side] for worker in workers], axis=0).min(axis=0).sum()  # the slower process, its best round
        rates[side] = round(cores * plan.pictures * plan.epochs / float(seconds), 1)
    return {**rates, "ratio": round(rates["ours"] / rates["pilgram"], 2)}


def drawn_scenes(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Scenes of the sample source with their label maps."""
    from retouch.drawn_scenes.draw import draw

    maps = [draw(SEED, "train", index, plan.size)[0] for index in range(plan.pictures)]
    return np.stack([scene["image"] for scene in maps]), np.stack([scene["labels"] for scene in maps])


def packed_scenes(path: Path, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The first scenes of a packed file that have labels and the right size."""
    from retouch.store import Scenes

    scenes = []
    for scene in Scenes(path):
        if scene["labels"] is not None and scene["image"].shape[:2] == (plan.size, plan.size):
            scenes.append(scene)
        if len(scenes) == plan.pictures:
            return np.stack([scene["image"] for scene in scenes]), np.stack([scene["labels"] for scene in scenes])
    sys.exit(
        f"error: {path} has {len(scenes)} labelled scenes of {plan.size} px, and {plan.pictures} are needed: "
        f"set parse.size to {plan.size}"
    )


class Sides:
    """Both ways of perturbing the same pictures, with one thread for everything."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        import cv2
        import torch
        from harness.pasting import Pasting
        from PIL import Image

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        rules = settings.load(Path("params/sample.yaml")).synthesize
        self.rules: PerturbSettings = rules.perturb
        self.develop_rules = DevelopSettings.model_validate(rules.benchmarks["develop"])
        self.pasting = Pasting(images, labels, PasteSettings.model_validate(rules.benchmarks["paste"]))
        self.planes = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        self.photographs = [Image.fromarray(image) for image in images]
        self.labels = labels
        self.names = [f"scene-{index}" for index in range(len(images))]
        objects = [sorted(set(values.flat) - {0}) for values in labels]
        self.classes = [int(numbers[index % len(numbers)]) for index, numbers in enumerate(objects)]
        masks = [(values == number).astype(np.uint8) * 255 for values, number in zip(labels, self.classes, strict=True)]
        self.masks = torch.from_numpy(np.stack(masks))[:, None]

    def ours(self, epoch: int) -> Iterator[Any]:
        """One batch of composites."""
        import torch

        from retouch.synthesis.compose import compose

        yield compose(self.planes, torch.from_numpy(self.labels), self.names, epoch, SEED, self.rules)

    def develop(self, epoch: int) -> Iterator[Any]:
        """One batch of photographs with a class each developed anew, by recipes as the default draws them."""
        from retouch.synthesis.develop import develop
        from retouch.synthesis.develop_recipe import DevelopRecipe, DevelopRegion, draw_adjustments
        from retouch.synthesis.recipe import generator, sample_seed

        rules, recipes = self.develop_rules, []
        for name, number in zip(self.names, self.classes, strict=True):
            seed = sample_seed(SEED, name, epoch)
            edits = draw_adjustments(generator(seed), rules.adjustments, rules.strength, rules.max_adjustments)
            recipes.append(DevelopRecipe(seed, DevelopRegion("labels", (number,)), edits))
        yield develop(self.planes, self.masks, recipes)

    def paste(self, epoch: int) -> Iterator[Any]:
        """One batch of photographs with an object of another each, cut out and developed as the default draws it."""
        yield self.pasting.batch(self.planes, self.names, epoch, SEED)

    def pilgram(self, epoch: int) -> Iterator[Any]:
        """Composites of the same recipes, one by one."""
        from harness.pilgram_loop import perturb

        for name, photograph, labels in zip(self.names, self.photographs, self.labels, strict=True):
            yield perturb(photograph, labels, name, epoch, SEED, self.rules)


WORKER: dict[str, Any] = {}
"""In a worker: its sides, and the barrier at which the workers meet."""


def start(images: np.ndarray, labels: np.ndarray, barrier: Any) -> None:
    """Start a worker."""
    WORKER.update(sides=Sides(images, labels), barrier=barrier)


def take_turns(plan: Plan) -> dict[str, np.ndarray]:
    """Seconds of each round and epoch, by side; the sides take turns, and all workers begin together."""
    sides = {name: getattr(WORKER["sides"], name) for name in SIDES}
    seconds = {side: np.zeros((plan.rounds, plan.epochs)) for side in sides}
    for turn in range(-1, plan.rounds):  # the first warms up
        for epoch in range(plan.epochs):
            for side, perturb in sides.items():
                WORKER["barrier"].wait()
                duration = timed(perturb, epoch)
                if turn >= 0:
                    seconds[side][turn, epoch] = duration
    return seconds


def timed(perturb: Callable[[int], Iterator[Any]], epoch: int) -> float:
    begin = time.perf_counter()
    for batch in perturb(epoch):
        del batch  # before the next one, as a training step does
    return time.perf_counter() - begin


def agreement(sides: Sides, epochs: int) -> dict[str, float]:
    """How far the composites differ, in 255ths, without pictures of random noise; those with Lab factors also count apart."""
    differences: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for epoch in range(epochs):
        batch = next(sides.ours(epoch))
        for composite, recipe, expected in zip(batch.input, batch.recipes, sides.pilgram(epoch), strict=True):
            assert recipe == expected[-1]
            if recipe.degradation is None or recipe.degradation.kind not in NOISE:
                has_lab = any(edit.css == "lab" for edit in recipe.edits)
                differences[has_lab].append((composite - expected[0]).abs().mul(255).numpy())
    without_lab, both = np.stack(differences[False]), np.stack(differences[False] + differences[True])
    return {
        "max": round(float(both.max()), 3),
        "mean": round(float(both.mean()), 5),
        "max_without_lab": round(float(without_lab.max()), 3),
        "mean_without_lab": round(float(without_lab.mean()), 5),
    }


if __name__ == "__main__":
    main()
