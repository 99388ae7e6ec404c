"""Pictures a second of a forward pass, and its peak memory.

    python benchmarks/inference.py --json

`ours` reads the network from a file as evaluation and serving do; on cuda it adds bf16 autocast and torch.compile.
`apart` is the largest difference of the two sides' pictures, in 255ths.
"""

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sides import Benchmark, Chosen, Work, batch, main


def libraries() -> None:
    import retouch.inference.network_files
    import retouch.models.foreground_aware.idih  # noqa: F401 - what takes memory by itself


def build(side: str, name: str, chosen: Chosen) -> Work:
    import torch

    from retouch.models import create

    torch.manual_seed(0)
    network: Any = create(name)
    if side == "ours":
        network = through_a_file(network, name, chosen)
    network = network.to(chosen.device).eval()
    if side == "ours" and chosen.compile:
        network.compile()
    half = side == "ours" and chosen.device == "cuda"
    given = batch(chosen)

    @torch.inference_mode()
    def forward() -> Any:
        with torch.autocast("cuda", torch.bfloat16) if half else nullcontext():
            image = network(given).image
        return image[:1].float().cpu().numpy()

    return forward


def through_a_file(network: Any, name: str, chosen: Chosen) -> Any:
    """The network as `retouch.inference.network_files` gives it."""
    from retouch.inference import network_files as files

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        files.save(path, network, name, {}, {"name": name, "size": str(chosen.size), "digest": ""})
        return files.load(path).module


def apart(one: Any, other: Any) -> float:
    return round(255 * float(abs(one - other).max()), 4)


if __name__ == "__main__":
    main(Benchmark(__doc__ or "", libraries, build, apart))
