"""The optimizer of a training, and the moving average of its weights."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from retouch.models.base import Model
from retouch.settings import ModelSettings

EMA_WARMUP = 10  # steps: early weights are worth little, so the average forgets them faster


def make_optimizer(model: Model, objective: nn.Module, settings: ModelSettings) -> torch.optim.Optimizer:
    """Adam; a pretrained encoder learns at a rate of its own (iDIH §4.2), what the objective learns at the model's."""
    encoder = {id(parameter) for parameter in model.encoder_parameters()}
    groups = [
        {"params": [p for p in model.parameters() if id(p) not in encoder], "rate": 1.0},
        {"params": [p for p in model.parameters() if id(p) in encoder], "rate": settings.encoder_rate},
        {"params": [p for p in objective.parameters() if p.requires_grad], "rate": 1.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.Adam(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)


def average_weights(model: Model, ema: float) -> AveragedModel:
    """The moving average of a model's weights and buffers."""

    def average(mean: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
        if not mean.is_floating_point():
            return value
        steps = int(count) + 1
        return mean.lerp(value.to(mean), 1 - min(ema, steps / (steps + EMA_WARMUP)))

    return AveragedModel(model, avg_fn=average, use_buffers=True).requires_grad_(False).eval()
