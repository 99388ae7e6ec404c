"""Pictures a second of a whole training step: forward, FN-MSE, backward, Adam; and its peak memory.

    python benchmarks/training.py --json

`ours` builds its network, optimizer and loss by the functions of `retouch train`, and works on a batch that is there already:
perturbing is measured by synthesis.py. On cuda it adds bf16 autocast, as `train.precision: bf16-mixed` does, and torch.compile.
`difference` is the relative difference of the two sides' first losses.
"""

from pathlib import Path

from harness.comparison import Comparison, Options, Work, main, samples
from harness.training_step import training_step

from retouch import settings
from retouch.settings.harmonization import HarmonizationSettings


def libraries() -> None:
    import retouch.models.foreground_aware.idih
    import retouch.training.loop  # noqa: F401 - what takes memory by itself


def build(side: str, name: str, options: Options) -> Work:
    return {"ours": ours, "plain": plain}[side](name, options)


def difference(one: float, other: float) -> float:
    return abs(one - other) / abs(other)


def recipe(name: str, options: Options) -> tuple[settings.Settings, HarmonizationSettings]:
    """The sample's settings with a network of its paper's size."""
    sample = settings.load(Path("params/sample.yaml"))
    sample = sample.model_copy(update={"train": sample.train.model_copy(update={"compile": options.compile})})
    model = sample.models["idih"].model_copy(update={"architecture": name, "options": {"width": 8} if options.quick else {}})
    assert isinstance(model, HarmonizationSettings)
    return sample, model


def ours(name: str, options: Options) -> Work:
    sample, model = recipe(name, options)
    return training_step(sample, model, samples(options.size, options.batch, options.device), options.device)


def plain(name: str, options: Options) -> Work:
    import torch

    from retouch.models import create
    from retouch.synthesis.recipe import sample_seed
    from retouch.tasks.harmonization.learning.losses import foreground_mse

    sample, model = recipe(name, options)
    torch.manual_seed(sample_seed(sample.seed, "initial weights", 0))
    network = create(name, **model.options).to(options.device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=model.learning_rate, betas=model.betas)
    batch = samples(options.size, options.batch, options.device)

    def step() -> float:
        optimizer.zero_grad()
        image = network({"composite": batch.input, "mask": batch.mask}).image
        loss = foreground_mse(image, batch.target, batch.mask, model.loss.min_area)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main(Comparison(__doc__ or "", libraries, build, difference))
