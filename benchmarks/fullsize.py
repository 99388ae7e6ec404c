"""A 12-megapixel JPEG harmonized and written again, and how good that is.

    python benchmarks/fullsize.py --json

`models.<name>.jpeg_share` is the time that Pillow takes to decode and encode the same JPEG (its own tables and sampling) ÷
the time of `retouch harmonize`: decoding, prediction at 256 px, retouching, encoding; the two in turns, the best turn of each.
Loading the network does not count. Without artifacts/<name>/model.safetensors the network is that of params.yaml, its weights
random, with layers that act. `processor_seconds` are those of all threads, the steadier figures on a busy machine, and
`processor_share` is made of them as if work on two threads took half as long. `plain` is the same network on the picture
itself, at the width --plain. `peak_bytes_per_pixel` is what the peak of memory grows by with each pixel of a JPEG: that of a
new process which harmonizes one of so many megapixels, less that of a tiny one. `psnr` needs no network: large drawn scenes
perturbed by HScene's rules, retouched by the true operator masks of their 256 px versions.
"""

import io
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from harness.options import machine, parser

from retouch.cli.environment import limit_spinning
from retouch.models import names

PARTS = ("decode", "predict", "retouch", "encode")
GRAIN = 8.0  # codes; makes the JPEG as large as a camera's


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    width: int = 4000  # of the JPEG, px
    height: int = 3000
    size: int = 256  # px at which networks predict
    rounds: int = 5
    threads: int = 2
    plain: int = 1024  # width on which networks run themselves, px; 0 leaves it out
    scenes: int = 4  # for the PSNR; 0 leaves it out
    scene_size: int = 1536  # px
    megapixels: tuple[float, ...] = (12, 50, 100)  # at which the peak of memory is measured
    quick: bool = False


QUICK = {
    "width": 320, "height": 240, "size": 64, "rounds": 1, "threads": 1, "plain": 64, "scenes": 1, "scene_size": 128,
    "megapixels": (3.0,),
}  # fmt: skip
MEMORY_MODELS = ("region", "sgmmh-om")


def main() -> None:
    limit_spinning()  # as `retouch` does
    options = parser(__doc__)
    default = [name for name in ("sgmmh-om", "idih", "region") if name in names()]
    options.add_argument("--models", nargs="+", default=default, metavar="NAME", help="of `retouch models`")
    options.add_argument("--rounds", type=int, default=Plan.rounds, help="turns; the best one counts")
    options.add_argument("--threads", type=int, default=Plan.threads)
    options.add_argument("--plain", type=int, default=Plan.plain, help="px of the plain side's width; 0 leaves it out")
    options.add_argument("--scenes", type=int, default=Plan.scenes, help="drawn scenes for the PSNR; 0 leaves it out")
    options.add_argument("--scene-size", type=int, default=Plan.scene_size, help="their px")
    options.add_argument(
        "--megapixels", nargs="*", type=float, default=Plan.megapixels, help="of the pictures whose memory is measured"
    )
    values = vars(options.parse_args())
    as_json, models = values.pop("json"), values.pop("models")
    plan = Plan(**(values | (QUICK if values["quick"] else {})))
    result = measure(models, plan)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    for name, model in result["models"].items():
        seconds = model["seconds"]
        parts = ", ".join(f"{part} {seconds[part]:.2f}" for part in PARTS)
        print(f"{name}: jpeg_share {model['jpeg_share']:.3f}, {seconds['total']:.2f} s ({parts})")
        print(f"  peak memory {model['peak_memory_mb']} MiB; plain: {model.get('plain', 'left out')}")
        for megapixels, growth in model.get("peak_bytes_per_pixel", {}).items():
            print(f"  {megapixels} megapixels: {growth:.2f} bytes a pixel")
    for kind, figures in result.get("psnr", {}).items():
        print(f"PSNR, {kind} edges: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items()))


def measure(models: list[str], plan: Plan) -> dict[str, Any]:
    """All figures, by model."""
    run = call if plan.quick else call_in_new_process
    result: dict[str, Any] = {"models": {}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(run(photograph, plan))
        for name in models:
            result["models"][name] = run(harmonization, name, path, plan)
            if plan.plain:
                result["models"][name]["plain"] = run(plain, name, path, plan)
            if name in MEMORY_MODELS and plan.megapixels:
                result["models"][name]["peak_bytes_per_pixel"] = memory(name, Path(folder), plan)
        result["jpeg_bytes"] = path.stat().st_size
    if plan.scenes:
        result["psnr"] = run(quality, plan)
    return result | {"width": plan.width, "height": plan.height, "size": plan.size} | machine(plan.threads)


def call(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


def call_in_new_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of `work`, from a process that does nothing else, so that its memory is its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def photograph(plan: Plan) -> bytes:
    """A drawn scene with grain, as JPEG of quality 92."""
    from PIL import Image

    from retouch.drawn_scenes.draw import draw
    from retouch.images import encode

    side = 128 if plan.quick else 1024
    scene = Image.fromarray(draw(0, "benchmark", 0, side)[0]["image"]).crop((0, side // 8, side, side * 7 // 8))
    large = np.asarray(scene.resize((plan.width, plan.height), Image.Resampling.BICUBIC), np.float32)
    large = large + np.random.default_rng(0).normal(0, GRAIN, large.shape).astype(np.float32)
    return encode(np.clip(np.rint(large), 0, 255).astype(np.uint8), "jpeg")


def limit_threads(count: int) -> None:
    """Let the network, OpenCV and what is applied to strips take so many threads."""
    import torch

    torch.set_num_threads(count)
    os.environ["OMP_NUM_THREADS"] = str(count)


def network(name: str) -> Any:
    """A trained network if there is one, or else the settings' with random weights that change pictures."""
    import torch

    from retouch.inference import network_files
    from retouch.models import create
    from retouch.settings import load

    path = Path("artifacts") / name / "model.safetensors"
    if path.is_file():
        return network_files.load(path).module
    torch.manual_seed(0)
    settings = load().models.get(name)
    options = dict(settings.options) if settings is not None else {}
    if "minimum_change" in options:
        options["minimum_change"] = 0.0
    model: Any = create(name, **options).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():  # an untrained network changes nothing because of these
            torch.nn.init.normal_(parameter, 0, 0.01)
    return model


class Stopwatch:
    """The best wall and processor seconds of each part of a piece of work."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(lambda: math.inf)
        self.processor: dict[str, float] = defaultdict(lambda: math.inf)

    def time(self, part: str, work: Callable[[], Any]) -> Any:
        """The result of `work`."""
        begin = time.perf_counter(), time.process_time()
        result = work()
        self.wall[part] = min(self.wall[part], time.perf_counter() - begin[0])
        self.processor[part] = min(self.processor[part], time.process_time() - begin[1])
        return result


def harmonization(name: str, path: Path, plan: Plan) -> dict[str, Any]:
    """`retouch harmonize` and Pillow's round trip, in turns."""
    from PIL import Image

    from retouch.images import resize
    from retouch.inference.harmonize import harmonize
    from retouch.pictures.file import read
    from retouch.pictures.write import write

    limit_threads(plan.threads)
    model, watch = network(name), Stopwatch()

    def whole() -> bool:
        picture = watch.time("decode", lambda: read(path))
        result = harmonize(model, picture.pixels, mask, plan.size, space=picture.space)
        watch.time("encode", lambda: write(result.image, path.with_name("out.jpg"), picture))
        return result.layers is not None

    def round_trip() -> None:
        with Image.open(path) as picture:
            picture.save(io.BytesIO(), "jpeg", quality="keep")

    mask = middle(plan.height, plan.width) if model.needs_mask else None
    inputs = {"composite": resize(read(path).pixels, plan.size, plan.size)}
    if mask is not None:
        inputs["mask"] = resize(mask, plan.size, plan.size)
    for _ in range(plan.rounds + 1):
        watch.time("jpeg", round_trip)
        has_layers = watch.time("total", whole)
        watch.time("predict", partial(predict, model, inputs))
    for seconds in (watch.wall, watch.processor):
        seconds["retouch"] = seconds["total"] - seconds["decode"] - seconds["predict"] - seconds["encode"]
    processor = watch.processor
    parallel = (processor["predict"] + processor["retouch"]) / plan.threads
    return {
        "jpeg_share": round(watch.wall["jpeg"] / watch.wall["total"], 4),
        "processor_share": round(processor["jpeg"] / (processor["decode"] + processor["encode"] + parallel), 4),
        "seconds": {key: round(watch.wall[key], 4) for key in ("total", *PARTS, "jpeg")},
        "processor_seconds": {key: round(watch.processor[key], 4) for key in ("total", *PARTS, "jpeg")},
        "peak_memory_mb": peak_memory(),
        "layers": has_layers,
    }


def middle(height: int, width: int) -> np.ndarray:
    """A mask of the middle, half as high and wide as the picture."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
    mask.flags.writeable = False  # as masks that are read from files
    return mask


def memory(name: str, folder: Path, plan: Plan) -> dict[str, float]:
    """By megapixels, the bytes a pixel by which the peak grows."""
    peaks = {}
    for megapixels in (0.1, *plan.megapixels):
        height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
        width = round(height * 4 / 3)
        path = folder / "large.jpg"
        call_in_new_process(noise, path, height, width)
        peaks[height * width] = call_in_new_process(peak, name, path, height, width, plan)
    (_, tiny), *others = peaks.items()
    return {f"{pixels / 1e6:.0f}": round((used - tiny) / pixels, 2) for pixels, used in others}


def noise(path: Path, height: int, width: int) -> None:
    """A JPEG of soft stripes and grain."""
    from PIL import Image

    rows = np.random.default_rng(0).integers(0, 64, (height, 1, 3), dtype=np.uint8)
    row = (np.arange(width) // 8 % 190).astype(np.uint8)[None, :, None]
    Image.fromarray(rows + row).save(path, quality=92)


def peak(name: str, path: Path, height: int, width: int, plan: Plan) -> int:
    """The bytes that a process takes at most which harmonizes a JPEG of this size and writes it again."""

    from retouch.inference.harmonize import harmonize
    from retouch.pictures.file import read
    from retouch.pictures.write import write

    limit_threads(plan.threads)
    model = network(name)
    picture = read(path)
    mask = middle(height, width) if model.needs_mask else None
    result = harmonize(model, picture.pixels, mask, plan.size, space=picture.space)
    write(result.image, path.with_name("written.jpg"), picture)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)


def predict(model: Any, pictures: dict[str, np.ndarray]) -> Any:
    import torch

    from retouch.images import to_tensor

    with torch.inference_mode():
        return model({key: to_tensor([value]) for key, value in pictures.items()}).image


def peak_memory() -> int:
    """MiB that this process has taken at most."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1) / 2**20)


def plain(name: str, path: Path, plan: Plan) -> dict[str, Any]:
    """The network on the picture itself, `plan.plain` px wide."""

    from retouch.images import resize
    from retouch.pictures.file import read

    limit_threads(plan.threads)
    model, width, height = network(name), plan.plain, plan.plain * plan.height // plan.width
    inputs = {"composite": resize(read(path).pixels, height, width)}
    if model.needs_mask:
        inputs["mask"] = np.full((height, width), 255, np.uint8)
    begin = time.perf_counter()
    predict(model, inputs)
    return {"width": width, "height": height, "seconds": round(time.perf_counter() - begin, 2), "peak_memory_mb": peak_memory()}


def quality(plan: Plan) -> dict[str, dict[str, float]]:
    """Mean PSNR at full size of four answers: none, 256 px enlarged, layers enlarged linearly, and ours."""
    import torch

    from retouch.drawn_scenes.draw import draw
    from retouch.settings import load
    from retouch.synthesis.compose import compose

    size = plan.scene_size
    rules = load(Path("params/sample.yaml")).synthesize.perturb.model_copy(update={"degradation_probability": 0.0})
    ratios: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for index in range(plan.scenes):
        maps, _ = draw(1, "benchmark", index, size)
        target = maps["image"]
        image, labels = torch.from_numpy(target).permute(2, 0, 1)[None].contiguous(), torch.from_numpy(maps["labels"])[None]
        for kind, feather in (("hard", 0.0), ("soft", size / 64)):
            batch = compose(image, labels, [str(index)], 0, 0, rules.model_copy(update={"feather": feather}))
            composite = batch.input[0].permute(1, 2, 0).mul(255).round().byte().numpy()
            for name, answer in answers(composite, target, plan.size).items():
                error = np.square(answer.astype(np.float32) - target).mean(dtype=np.float64)
                ratios[kind][name].append(10 * np.log10(255**2 / error))
    return {kind: {name: round(float(np.mean(v)), 2) for name, v in values.items()} for kind, values in ratios.items()}


def answers(composite: np.ndarray, target: np.ndarray, small_size: int) -> dict[str, np.ndarray]:
    """A square composite by itself, and retouched in three ways by the true operator masks of its small version."""
    import cv2

    from retouch.editing.operator_layers import OperatorLayers
    from retouch.images import resize, to_tensor
    from retouch.inference.harmonize import retouch
    from retouch.models.layers.retoucher import Retoucher

    retoucher, size = Retoucher("lab", ("add",)), len(target)
    small, small_target = (to_tensor([resize(picture, small_size, small_size)]) for picture in (composite, target))
    values = (retoucher.scale(small_target) - retoucher.scale(small))[0].numpy()
    large = np.stack([cv2.resize(plane, (size, size), interpolation=cv2.INTER_LINEAR) for plane in values])
    layers, large_layers = (OperatorLayers(planes, "lab", ("add",), (size, size)) for planes in (values, large))
    return {
        "composite": composite,
        "enlarged": resize(retouch(layers, resize(composite, small_size, small_size)), size, size),
        "linear": retouch(large_layers, composite),
        "ours": retouch(layers, composite),
    }


if __name__ == "__main__":
    main()
