"""A 12-megapixel JPEG harmonized and written again, and how good that is.

    python benchmarks/fullsize.py --json

`models.<name>.jpeg_share` is what Pillow takes to decode and encode the same JPEG (its own tables and sampling) divided by what
`retouch harmonize` takes: decoding, prediction at 256 px, retouching, encoding; the two in turns, the best turn of each.
Loading the network does not count. Without artifacts/<name>/model.safetensors it is drawn at random, with layers that act.
`processor_seconds` are those of all threads, the steadier figures on a busy machine. `plain` is the same network on the picture
itself, at the size --plain. `psnr` needs no network: large drawn scenes perturbed by HScene's rules, retouched by the true
operator masks of their 256 px versions.
"""

import argparse
import io
import json
import math
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from sides import Chosen, machine

from retouch.models import names

SIZE = 256
WIDTH, HEIGHT = 4000, 3000
PARTS = ("decode", "predict", "retouch", "encode")
GRAIN = 8.0  # codes; makes the JPEG as large as a camera's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    known = [name for name in ("sgmmh-om", "idih", "region") if name in names()]
    parser.add_argument("--models", nargs="+", default=known, metavar="NAME", help="of `retouch models`")
    parser.add_argument("--rounds", type=int, default=5, help="turns; the best one counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plain", type=int, default=1024, help="px of the plain side's width; 0 leaves it out")
    parser.add_argument("--scenes", type=int, default=4, help="drawn scenes for the PSNR; 0 leaves it out")
    parser.add_argument("--scene-size", type=int, default=1536, help="their px")
    asked = parser.parse_args()
    found: dict[str, Any] = {"models": {}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(alone(photograph))
        for name in asked.models:
            found["models"][name] = alone(ours, name, path, asked.rounds, asked.threads)
            if asked.plain:
                found["models"][name]["plain"] = alone(plain, name, path, asked.plain, asked.threads)
        found["jpeg_bytes"] = path.stat().st_size
    if asked.scenes:
        found["psnr"] = alone(quality, asked.scenes, asked.scene_size)
    chosen = Chosen(asked.models, SIZE, 1, asked.rounds, asked.threads, "cpu", False, asked.json)
    found |= {"width": WIDTH, "height": HEIGHT, "size": SIZE} | machine(chosen)
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for name, model in found["models"].items():
        seconds = model["seconds"]
        parts = ", ".join(f"{part} {seconds[part]:.2f}" for part in PARTS)
        print(f"{name}: jpeg_share {model['jpeg_share']:.3f}, {seconds['total']:.2f} s ({parts})")
        print(f"  peak memory {model['peak_memory_mb']} MiB; plain: {model.get('plain', 'left out')}")
    for kind, values in found.get("psnr", {}).items():
        print(f"PSNR, {kind} edges: " + ", ".join(f"{name} {value:.2f}" for name, value in values.items()))


def alone(work: Callable[..., Any], *given: Any) -> Any:
    """What `work` returns in a process of its own, so that its memory is its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def photograph() -> bytes:
    """A drawn scene with grain, as JPEG of quality 92."""
    from PIL import Image

    from retouch.drawn_scenes.draw import draw
    from retouch.images import encode

    scene = Image.fromarray(draw(0, "benchmark", 0, 1024)[0]["image"]).crop((0, 128, 1024, 896))
    large = np.asarray(scene.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32)
    large = large + np.random.default_rng(0).normal(0, GRAIN, large.shape).astype(np.float32)
    return encode(np.clip(np.rint(large), 0, 255).astype(np.uint8), "jpeg")


def network(name: str) -> Any:
    import torch

    from retouch.inference import network_files as files
    from retouch.models import create

    trained = Path("artifacts") / name / "model.safetensors"
    if trained.is_file():
        return files.load(trained).module
    torch.manual_seed(0)
    model: Any = create(name).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():  # what makes an untrained network change nothing
            torch.nn.init.normal_(parameter, 0, 0.01)
    return model


def ours(name: str, path: Path, rounds: int, threads: int) -> dict[str, Any]:
    import torch
    from PIL import Image

    from retouch.images import resize
    from retouch.editing.edits import EditedLayers
    from retouch.inference.harmonize import harmonize
    from retouch.inference.pictures import read, write

    torch.set_num_threads(threads)
    model = network(name)
    best: dict[str, float] = defaultdict(lambda: math.inf)
    processor: dict[str, float] = defaultdict(lambda: math.inf)

    def timed(part: str, work: Callable[[], Any]) -> Any:
        begin = time.perf_counter(), time.process_time()
        made = work()
        best[part] = min(best[part], time.perf_counter() - begin[0])
        processor[part] = min(processor[part], time.process_time() - begin[1])
        return made

    def whole() -> EditedLayers | None:
        picture = timed("decode", lambda: read(path))
        made = harmonize(model, picture.pixels, mask, SIZE)
        timed("encode", lambda: write(made.image, path.with_name("out.jpg"), picture))
        return made.layers

    def round_trip() -> None:
        with Image.open(path) as picture:
            picture.save(io.BytesIO(), "jpeg", quality="keep")

    mask = None
    if model.needs_mask:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[HEIGHT // 4 : -HEIGHT // 4, WIDTH // 4 : -WIDTH // 4] = 255
    small = {"composite": resize(read(path).pixels, SIZE, SIZE)} | ({} if mask is None else {"mask": resize(mask, SIZE, SIZE)})
    for _ in range(rounds + 1):
        timed("jpeg", round_trip)
        layers = timed("total", whole)
        timed("predict", lambda: predict(model, small))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
    for seconds in (best, processor):
        seconds["retouch"] = seconds["total"] - seconds["decode"] - seconds["predict"] - seconds["encode"]
    return {
        "jpeg_share": round(best["jpeg"] / best["total"], 4),
        "seconds": {key: round(best[key], 4) for key in ("total", *PARTS, "jpeg")},
        "processor_seconds": {key: round(processor[key], 4) for key in ("total", *PARTS, "jpeg")},
        "peak_memory_mb": round(peak / 2**20),
        "layers": layers is not None,
    }


def predict(model: Any, pictures: dict[str, np.ndarray]) -> Any:
    import torch

    from retouch.images import to_tensor

    with torch.inference_mode():
        return model({key: to_tensor([value]) for key, value in pictures.items()}).image


def plain(name: str, path: Path, width: int, threads: int) -> dict[str, Any]:
    """The network on the picture itself, as large as asked."""
    import torch

    from retouch.images import resize
    from retouch.inference.pictures import read

    torch.set_num_threads(threads)
    model, height = network(name), width * HEIGHT // WIDTH
    composite = resize(read(path).pixels, height, width)
    given = {"composite": composite} | ({"mask": np.full((height, width), 255, np.uint8)} if model.needs_mask else {})
    begin = time.perf_counter()
    predict(model, given)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
    return {"width": width, "height": height, "seconds": round(seconds, 2), "peak_memory_mb": round(peak / 2**20)}


def quality(scenes: int, size: int) -> dict[str, dict[str, float]]:
    """Mean PSNR at full size of four answers: none, 256 px enlarged, layers enlarged linearly, and ours."""
    import cv2
    import torch

    from retouch.drawn_scenes.draw import draw
    from retouch.images import resize, to_tensor
    from retouch.editing.operator_layers import Layers
    from retouch.inference.harmonize import retouch
    from retouch.models.layers.retoucher import Retoucher
    from retouch.settings import load
    from retouch.synthesis.compose import compose

    rules = load(Path("params/sample.yaml")).synthesize.perturb.model_copy(update={"degradation_probability": 0.0})
    retoucher = Retoucher("lab", ("add",))
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for index in range(scenes):
        maps, _ = draw(1, "benchmark", index, size)
        real = maps["image"]
        given, labels = torch.from_numpy(real).permute(2, 0, 1)[None].contiguous(), torch.from_numpy(maps["labels"])[None]
        for kind, feather in (("hard", 0.0), ("soft", size / 64)):
            batch = compose(given, labels, [str(index)], 0, 0, rules.model_copy(update={"feather": feather}))
            composite = batch.input[0].permute(1, 2, 0).mul(255).round().byte().numpy()
            small, small_real = (to_tensor([resize(picture, SIZE, SIZE)]) for picture in (composite, real))
            truth = (retoucher.scaled(small_real) - retoucher.scaled(small))[0].numpy()
            layers = Layers(truth, "lab", ("add",), real.shape[:2])
            large = [cv2.resize(plane, (size, size), interpolation=cv2.INTER_LINEAR) for plane in truth]
            answers = {
                "composite": composite,
                "enlarged": resize(retouch(layers, resize(composite, SIZE, SIZE)), size, size),
                "linear": retouch(Layers(np.stack(large), "lab", ("add",), real.shape[:2]), composite),
                "ours": retouch(layers, composite),
            }
            for name, answer in answers.items():
                error = np.square(answer.astype(np.float32) - real).mean(dtype=np.float64)
                found[kind][name].append(10 * np.log10(255**2 / error))
    return {kind: {name: round(float(np.mean(v)), 2) for name, v in values.items()} for kind, values in found.items()}


if __name__ == "__main__":
    main()
