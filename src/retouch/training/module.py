"""The training step as Lightning sees it: perturb on the device, harmonize, compare, average the weights."""

import copy
import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from retouch.errors import RetouchError
from retouch.models.base import Model, Result
from retouch.models.layers.patch_discriminator import PatchDiscriminator
from retouch.settings import ModelSettings
from retouch.synthesis import SampleBatch
from retouch.synthesis.benchmarks import Loaded
from retouch.synthesis.recipe import sample_seed
from retouch.tasks.adversarial import adversarial
from retouch.tasks.augmentation import augment, with_natural
from retouch.tasks.losses import objective
from retouch.tasks.perceptual import Lpips
from retouch.training.data import Mixture, joined, parts
from retouch.training.schedule import learning_rate, second_phase


class Training(pl.LightningModule):
    """One model learning to undo perturbations. `averaged` holds the moving average of its weights (the model itself without).
    With a discriminator there is a second phase, in which it learns beside the model (Sg-MMH §4.1).

    All that is random in step s comes from hash(seed, s): a training that is taken up at s goes on as if never stopped.
    """

    def __init__(
        self,
        model: Model,
        settings: ModelSettings,
        mixture: Mixture,
        seed: int,
        perceptual: Lpips | None = None,
        discriminator: PatchDiscriminator | None = None,
    ) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(model).requires_grad_(False).eval() if settings.ema else model
        self.settings, self.mixture, self.seed = settings, mixture, seed
        self.first_step, self.spent = 0, 0.0  # the steps and seconds before an interruption
        self.discriminator = discriminator
        self._parts: dict[int, SampleBatch] = {}
        self._perceptual = [perceptual]  # in a list, so that its weights are no part of the state

    def on_fit_start(self) -> None:
        """What is no part of the state goes to the device too, and the time begins."""
        self._began = time.monotonic()
        if self._perceptual[0] is not None:
            self._perceptual[0].to(self.device)

    @property
    def step(self) -> int:
        """Steps done so far, those before an interruption included."""
        return self.first_step + self.global_step

    @property
    def seconds(self) -> float:
        """Time in training, that before an interruption included."""
        return self.spent + time.monotonic() - self._began

    def _position(self, step: int) -> float:
        """Where in the schedule a step is: with `minutes` the schedule ends with the time, however many steps that takes."""
        if self.settings.minutes is None:
            return step
        passed = self.settings.steps * self.seconds / (60 * self.settings.minutes)
        return self.trainer.strategy.broadcast(max(step, passed))  # clocks differ, and so would weights

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """The loss of one batch of scenes."""
        torch.manual_seed(sample_seed(self.seed, "step", batch["step"]) + self.global_rank)
        position = self._position(batch["step"])
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["rate"] * learning_rate(self.settings, position)
        made = self._composites(batch)
        drawn = sample_seed(self.seed, f"augment {self.global_rank}", batch["step"])
        made = augment(made, self.settings.augment, drawn)
        made = with_natural(made, self.settings.augment.natural, drawn, keep_mask=self.model.needs_mask)
        result: Result = self.model(model_input(made))
        neutral = None if result.operator_masks is None else self.model.retouch.neutral
        loss = objective(self.settings.loss, result, made, self._perceptual[0], neutral)
        second = second_phase(self.settings, position)
        if second is not None and self.discriminator is not None:
            generator, discriminator = adversarial(self.discriminator, result.image, made.target)
            loss = loss + second.weight * generator + discriminator
        if not torch.isfinite(loss):
            raise RetouchError(
                f"the loss is {float(loss)} at step {batch['step']}: lower models.*.learning_rate "
                f"(now {self.settings.learning_rate:g}), or use precision 32-true"
            )
        return loss

    def _composites(self, batch: dict[str, Any]) -> SampleBatch:
        """The parts of this step's batch, those that are new made now."""
        step = batch["step"]
        self._parts |= {part: self.mixture.make(loaded, self.device) for part, loaded in batch["loaded"].items()}
        made = joined([self._parts[part] for part in parts(step, self.settings.echo)])
        del self._parts[step]
        return made

    def transfer_batch_to_device(self, batch: dict[str, Any], device: torch.device, dataloader_idx: int) -> dict[str, Any]:
        """As it is: what is loaded goes to the device where composites are made, and Lightning refuses frozen records."""
        return batch

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, with the betas of the settings; a pretrained backbone learns at a rate of its own (iDIH §4.2)."""
        slow = {id(parameter) for parameter in self.model.backbone_parameters()}
        groups = [
            {"params": [p for p in self.model.parameters() if (id(p) in slow) is backbone], "rate": rate}
            for backbone, rate in ((False, 1.0), (True, self.settings.backbone_rate))
        ]
        if self.discriminator is not None:
            groups.append({"params": list(self.discriminator.parameters()), "rate": 1.0})
        groups = [group for group in groups if group["params"]]
        return torch.optim.Adam(groups, lr=self.settings.learning_rate, betas=self.settings.betas, fused=True)

    @torch.no_grad()
    def average(self) -> None:
        """Move the averaged weights a little towards the present ones."""
        if self.averaged is self.model:
            return
        # early weights are worth little: the average forgets them faster
        decay = min(self.settings.ema, self.step / (self.step + 10))
        for mean, now in zip(self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now.to(mean), 1 - decay)
            else:
                mean.copy_(now)

    @torch.no_grad()
    def watch(self, batches: list[dict[str, Loaded]]) -> tuple[float, SampleBatch, Result]:
        """The averaged model on held-out training scenes: its MSE over the composites', and the first batch as pictures."""
        self.averaged.eval()
        before = after = 0.0
        shown: tuple[SampleBatch, Result] | None = None
        for batch in batches:
            made = self.mixture.make(batch, self.device)
            result: Result = self.averaged(model_input(made))
            before += float((made.input - made.target).square().sum())
            after += float((result.image.clamp(0, 1) - made.target).square().sum())
            shown = shown or (made, result)
        self.model.train()
        if shown is None:
            raise RetouchError("nothing is held out to watch: there are too few training scenes, five at least are needed")
        return after / max(before, 1e-12), *shown


def model_input(made: SampleBatch) -> dict[str, Tensor]:
    """A composed batch as the networks take it, channels last; with label maps where there are any."""
    given = {"composite": made.input.contiguous(memory_format=torch.channels_last), "mask": made.mask}
    return given if made.labels is None else given | {"labels": made.labels}
