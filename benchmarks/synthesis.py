"""Pictures a second of HScene's perturbation at 256 px: `synthesis.compose` against pilgram one picture at a time.

    python benchmarks/synthesis.py --json

Both start from photographs and label maps in memory, as their loaders give them (PIL pictures; a uint8 tensor N×3×H×W), draw
the same recipes, and end with float tensors. They take turns, so that other work on the machine meets both; each pass over the
pictures counts with its fastest round.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from retouch import settings

SIZE, SEED, PICTURES, BATCH, EPOCHS = 256, 7, 64, 64, 4
NOISE = ("gaussian", "laplace", "poisson")
HERE: dict[str, Any] = {}
"""A worker's scenes, rules and barrier."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--scenes", type=Path, help=f"packed scenes of {SIZE} px with labels, in place of drawn ones")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    scenes = packed(options.scenes) if options.scenes else drawn()
    found: dict[str, Any] = {"one_core": run(scenes, 1, options.rounds), "two_cores": run(scenes, 2, options.rounds)}
    prepare(*scenes, None)
    found |= {
        "agreement": agreement(),
        "pictures": PICTURES,
        "size": SIZE,
        "batch": BATCH,
        "scenes": str(options.scenes or "drawn"),
    }
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for name in ("one_core", "two_cores"):
            print("{}: ours {ours:.0f} img/s, pilgram {pilgram:.1f} img/s, ratio {ratio:.1f}".format(name, **found[name]))
        print(f"agreement in 255ths: {found['agreement']}")


def run(scenes: tuple[np.ndarray, np.ndarray], cores: int, rounds: int) -> dict[str, float]:
    """Pictures a second of both sides, with as many processes of one thread as cores."""
    context = get_context("spawn")
    with ProcessPoolExecutor(cores, context, prepare, (*scenes, context.Barrier(cores))) as pool:
        runs = [task.result() for task in [pool.submit(measure, rounds) for _ in range(cores)]]
    rates = {}
    for side in ("ours", "pilgram"):
        seconds = np.max([times[side] for times in runs], axis=0).min(axis=0).sum()  # the slower process, the best round
        rates[side] = round(cores * PICTURES * EPOCHS / float(seconds), 1)
    return {**rates, "ratio": round(rates["ours"] / rates["pilgram"], 2)}


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Scenes of the sample source with their label maps."""
    from retouch.drawn_scenes.draw import draw

    maps = [draw(SEED, "train", index, SIZE)[0] for index in range(PICTURES)]
    return np.stack([scene["image"] for scene in maps]), np.stack([scene["labels"] for scene in maps])


def packed(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first scenes of a packed file that have labels and the right size."""
    from retouch.store import Scenes

    found = []
    for scene in Scenes(path):
        if scene["labels"] is not None and scene["image"].shape[:2] == (SIZE, SIZE):
            found.append(scene)
        if len(found) == PICTURES:
            return np.stack([scene["image"] for scene in found]), np.stack([scene["labels"] for scene in found])
    sys.exit(
        f"error: {path} has {len(found)} labelled scenes of {SIZE} px, and {PICTURES} are needed: set parse.size to {SIZE}"
    )


def prepare(images: np.ndarray, labels: np.ndarray, barrier: Any) -> None:
    """Start a worker: one thread for everything."""
    import cv2
    import torch
    from PIL import Image

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rules = settings.load(Path("params/sample.yaml")).synthesize.perturb
    planes = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    photographs = [Image.fromarray(image) for image in images]
    HERE.update(planes=planes, photographs=photographs, labels=labels, rules=rules, barrier=barrier)


def measure(rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each round and epoch, by side; the two sides take turns, and all workers begin together."""
    sides = {"ours": ours, "pilgram": pilgram}
    seconds = {side: np.zeros((rounds, EPOCHS)) for side in sides}
    for round_ in range(-1, rounds):  # the first warms up
        for epoch in range(EPOCHS):
            for side, perturb in sides.items():
                HERE["barrier"].wait()
                taken = timed(perturb, epoch)
                if round_ >= 0:
                    seconds[side][round_, epoch] = taken
    return seconds


def timed(perturb: Callable[[int], Iterator[Any]], epoch: int) -> float:
    begin = time.perf_counter()
    for made in perturb(epoch):
        del made  # as a training step does, before the next
    return time.perf_counter() - begin


def ours(epoch: int) -> Iterator[Any]:
    """Batches of composites."""
    import torch

    from retouch.synthesis import compose

    for start in range(0, PICTURES, BATCH):
        chosen = slice(start, start + BATCH)
        labels, ids = torch.from_numpy(HERE["labels"][chosen]), [f"scene-{index}" for index in range(start, start + BATCH)]
        yield compose(HERE["planes"][chosen], labels, ids, epoch, SEED, HERE["rules"])


def pilgram(epoch: int) -> Iterator[Any]:
    """Composites of the same recipes, one by one."""
    from pilgram_loop import perturb

    for index, (photograph, labels) in enumerate(zip(HERE["photographs"], HERE["labels"], strict=True)):
        yield perturb(photograph, labels, f"scene-{index}", epoch, SEED, HERE["rules"])


def agreement() -> dict[str, float]:
    """How far the composites differ, in 255ths; pictures of random noise are left out, Lab is looked at by itself."""
    differences: dict[bool, list[np.ndarray]] = {False: [], True: []}
    for epoch in range(EPOCHS):
        made = [picture for batch in ours(epoch) for picture in zip(batch.input, batch.recipes, strict=True)]
        for (composite, recipe), expected in zip(made, pilgram(epoch), strict=True):
            assert recipe == expected[-1]
            if recipe.degradation is None or recipe.degradation.kind not in NOISE:
                in_lab = any(edit.css == "lab" for edit in recipe.edits)
                differences[in_lab].append((composite - expected[0]).abs().mul(255).numpy())
    filters, lab = (np.stack(found) for found in differences.values())
    both = np.concatenate([filters, lab])
    return {
        "max": round(float(both.max()), 3),
        "mean": round(float(both.mean()), 5),
        "max_without_lab": round(float(filters.max()), 3),
        "mean_without_lab": round(float(filters.mean()), 5),
    }


if __name__ == "__main__":
    main()
