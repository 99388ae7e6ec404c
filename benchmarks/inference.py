"""Pictures a second of a forward pass, and its peak memory.

    python benchmarks/inference.py --json

`ours` reads the network from a file as evaluation and serving do; on cuda it adds bf16 autocast and torch.compile.
`difference` is the largest difference of the two sides' pictures, in 255ths.
"""

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from harness.comparison import Comparison, Options, Work, main, samples


def libraries() -> None:
    import retouch.inference.network_files
    import retouch.models.foreground_aware.idih  # noqa: F401 - what takes memory by itself


def build(side: str, name: str, options: Options) -> Work:
    import torch

    from retouch import tasks
    from retouch.models import create

    torch.manual_seed(0)
    own_options = {"width": 8} if options.quick else {}
    network: Any = create(name, **own_options)
    if side == "ours":
        network = through_file(network, name, own_options, options.size).to(memory_format=torch.channels_last)
    network = network.to(options.device).eval()
    if side == "ours" and options.compile:
        network.compile()
    is_half = side == "ours" and options.device == "cuda"
    batch = samples(options.size, options.batch, options.device)
    inputs = tasks.get("harmonization").model_input(batch) if side == "ours" else {"composite": batch.input, "mask": batch.mask}

    @torch.inference_mode()
    def forward() -> Any:
        with torch.autocast("cuda", torch.bfloat16) if is_half else nullcontext():
            image = network(inputs).image
        return image[:1].float().cpu().numpy()

    return forward


def through_file(network: Any, name: str, own_options: dict[str, Any], size: int) -> Any:
    """The network written to a file and read again by `retouch.inference.network_files`."""
    from retouch.inference import network_files

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        network_files.save(path, network, name, own_options, {"name": name, "size": str(size), "digest": ""})
        return network_files.load(path).module


def difference(one: Any, other: Any) -> float:
    return round(255 * float(abs(one - other).max()), 4)


if __name__ == "__main__":
    main(Comparison(__doc__ or "", libraries, build, difference))
