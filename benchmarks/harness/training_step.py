"""One step of training by the functions of `retouch train`, on a batch that is there already."""

from collections.abc import Callable
from typing import Any

from retouch.settings import ModelSettings, Settings


def training_step(settings: Settings, model: ModelSettings, samples: Any, device: str = "cpu") -> Callable[[], float]:
    """Forward, loss, backward, optimizer; returns the loss. Weights are not averaged, samples not augmented."""
    import torch
    from lightning.fabric import Fabric

    from retouch.tasks.base import Share
    from retouch.training.learner import Batch
    from retouch.training.loop import build
    from retouch.training.memory import keep_freed_memory
    from retouch.training.optimizer import make_optimizer

    keep_freed_memory()
    precision: Any = "bf16-mixed" if device == "cuda" else "32-true"
    fabric = Fabric(accelerator=device, devices=1, precision=precision)
    learner = build(settings, model)
    learner, optimizer = fabric.setup(learner, make_optimizer(learner.model, learner.objective, model))
    learner.train()
    batch = Batch(learner.keep(samples, 0, Share()), 0.0)

    def step() -> float:
        loss = learner(batch)
        fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        return float(torch.as_tensor(loss).detach())

    return step
