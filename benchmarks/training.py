"""Pictures a second of a whole training step: forward, FN-MSE, backward, Adam; and its peak memory.

    python benchmarks/training.py --json

`ours` makes its network, optimizer and loss by the functions of `retouch train`, on a batch that is there already: perturbing
is measured by synthesis.py. On cuda it adds bf16 autocast, as `train.precision: bf16-mixed` does, and torch.compile.
`apart` is the relative difference of the two sides' first losses.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sides import Benchmark, Chosen, Work, batch, main

from retouch import settings


class Still:
    """In place of a mixture of benchmarks and of Lightning's trainer: the same batch at every step."""

    def __init__(self, made: Any) -> None:
        self.made, self.global_rank = made, 0
        self.optimizers: list[Any] = []

    def make(self, loaded: Any, device: Any) -> Any:
        """The batch."""
        return self.made


def libraries() -> None:
    import retouch.models.foreground_aware.idih
    import retouch.training.fit
    import retouch.training.module  # noqa: F401 - what takes memory by itself


def build(side: str, name: str, chosen: Chosen) -> Work:
    return {"ours": ours, "plain": plain}[side](name, chosen)


def apart(one: float, other: float) -> float:
    return abs(one - other) / abs(other)


def recipe(name: str, chosen: Chosen) -> tuple[settings.Settings, settings.ModelSettings]:
    """The sample's settings with a network of its paper's size, and without augmentation and averaging."""
    whole = settings.load(Path("params/sample.yaml"))
    whole = whole.model_copy(update={"train": whole.train.model_copy(update={"compile": chosen.compile})})
    model = whole.models["idih"]
    still = model.augment.model_copy(update={"flip": False, "crop": 1.0})
    return whole, model.model_copy(update={"architecture": name, "options": {}, "augment": still, "ema": 0.0})


def ours(name: str, chosen: Chosen) -> Work:
    import torch

    from retouch.synthesis import SampleBatch
    from retouch.training import fit

    given = batch(chosen)
    still: Any = Still(SampleBatch(given["composite"], given["real"], given["mask"], given["mask"][:, 0].int(), ()))
    module: Any = fit._module(*recipe(name, chosen), still).to(chosen.device).train()
    optimizer = module.configure_optimizers()
    still.optimizers.append(optimizer)
    module.trainer = still
    half = torch.autocast("cuda", torch.bfloat16) if chosen.device == "cuda" else nullcontext()

    def step() -> float:
        optimizer.zero_grad()
        with half:
            loss = module.training_step({"loaded": {0: None}, "step": 0}, 0)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def plain(name: str, chosen: Chosen) -> Work:
    import torch

    from retouch.models import create
    from retouch.synthesis.recipe import sample_seed
    from retouch.tasks.losses import objective

    whole, model = recipe(name, chosen)
    torch.manual_seed(sample_seed(whole.seed, "initial weights", 0))
    network = create(name).to(chosen.device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=model.learning_rate, betas=model.betas)
    given = batch(chosen)

    def step() -> float:
        optimizer.zero_grad()
        loss = objective(model.loss, network(given), given["real"], given["mask"])
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main(Benchmark(__doc__ or "", libraries, build, apart))
