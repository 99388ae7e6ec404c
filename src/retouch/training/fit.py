"""Stage `train`: scenes → artifacts/MODEL/{model.safetensors, curves.csv}; killed at any moment, it goes on where it was."""

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retouch.models import create
from retouch.settings import ModelSettings, Settings
from retouch.store import Scenes
from retouch.synthesis.benchmarks import Loaded
from retouch.training.checkpoint import Checkpoints
from retouch.training.data import Mixture, Steps
from retouch.training.digest import training_digest
from retouch.training.journal import Journal
from retouch.training.memory import keep_freed

if TYPE_CHECKING:
    from retouch.training.module import Training

WATCH_BATCH = 16


def train(
    settings: Settings,
    name: str,
    scenes: Path = Path("scenes/scenes.arrow"),
    artifacts: Path = Path("artifacts"),
    checkpoints: Path = Path(".checkpoints"),
) -> Path:
    """Train model `name` and return its safetensors file.

    Its states are kept under the digest of all that decides the result, so that only the very same training is taken up.
    Raises SettingsError, SourceError, WeightsError or TrackingError before the first step, RetouchError when the loss diverges.
    """
    chosen = settings.model(name)
    store = Scenes(scenes)
    mixture = Mixture(store, settings, chosen)
    digest = training_digest(settings, name, scenes)
    states = Checkpoints(checkpoints / name / digest[:16])
    journal = Journal(name, digest, {"seed": settings.seed, **chosen.model_dump(mode="json")}, chosen.steps)
    module = _module(settings, chosen, mixture)
    outcome = "FAILED"
    try:
        _fit(settings, chosen, module, states, journal)
        path = artifacts / name / "model.safetensors"
        journal.write(path.with_name("curves.csv"))
        _save(path, module, settings, name, digest, size=store[0]["height"])
        states.clear()
        outcome = "FINISHED"
    except KeyboardInterrupt:
        outcome = "KILLED"
        raise
    finally:
        journal.end(outcome)
    return path


def _module(settings: Settings, chosen: ModelSettings, mixture: Mixture) -> "Training":
    import torch

    from retouch.models.layers.patch_discriminator import PatchDiscriminator
    from retouch.synthesis.recipe import sample_seed
    from retouch.tasks.perceptual import lpips
    from retouch.training.module import Training

    keep_freed()
    perceptual = lpips(chosen.loss.perceptual_backbone) if chosen.loss.perceptual else None
    torch.manual_seed(sample_seed(settings.seed, "initial weights", 0))
    model = create(chosen.architecture, **chosen.options)
    if chosen.initial is not None:
        from retouch.training.initial_weights import initialize

        initialize(model, chosen.initial)
    discriminator = PatchDiscriminator(chosen.adversarial.width) if chosen.adversarial else None
    module = Training(model, chosen, mixture, settings.seed, perceptual, discriminator)
    if settings.train.compile:
        module.model.compile()
    return module


def _fit(
    settings: Settings,
    chosen: ModelSettings,
    module: "Training",
    states: Checkpoints,
    journal: Journal,
) -> None:
    import lightning.pytorch as pl
    from torch.utils.data import DataLoader

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    state = states.latest()
    if state is not None:
        module.first_step, module.spent = state["step"], state["seconds"]
        module.load_state_dict(state["module"])
        journal.rows = state["rows"]
    if module.first_step >= chosen.steps:
        return
    watch = module.mixture.watch
    watched = [module.mixture.load(watch[start : start + WATCH_BATCH], 0) for start in range(0, len(watch), WATCH_BATCH)]
    trainer = pl.Trainer(
        accelerator=settings.train.accelerator,
        devices=settings.train.devices,
        # the discriminator has no part in the first phase
        strategy="ddp_find_unused_parameters_true" if chosen.adversarial and settings.train.devices != 1 else "auto",
        precision=settings.train.precision,  # type: ignore[arg-type]
        max_steps=chosen.steps - module.first_step,
        callbacks=[_habits()(settings, chosen, watched, states, journal, state)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    steps = Steps(
        module.mixture, chosen.batch, settings.seed, trainer.global_rank, trainer.world_size, chosen.echo, module.first_step
    )
    workers = settings.train.workers
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=range(module.first_step, chosen.steps),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=trainer.accelerator.__class__.__name__ == "CUDAAccelerator",
    )
    journal.begin(module.first_step)
    trainer.fit(module, loader)


def _habits() -> Any:
    """The callback's class, made here because its base takes seconds to import."""
    import lightning.pytorch as pl

    class Habits(pl.Callback):
        """What is done every so many steps: notes, samples, states; and the end of the time."""

        def __init__(self, settings: Settings, chosen: ModelSettings, watch: list[dict[str, Loaded]], states: Checkpoints,
                     journal: Journal, state: dict[str, Any] | None) -> None:  # fmt: skip
            self.settings, self.chosen, self.watch = settings.train, chosen, watch
            self.states, self.journal, self.state = states, journal, state

        def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            if self.state is not None:
                trainer.optimizers[0].load_state_dict(self.state["optimizer"])
                trainer.precision_plugin.load_state_dict(self.state["precision"])

        def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            module.average()  # here, because Lightning calls the module's own hook after this one: the state must hold it
            step, last = module.step, module.step == self.chosen.steps
            if self.chosen.minutes is not None and module.seconds > 60 * self.chosen.minutes:
                trainer.should_stop = last = True
            if not trainer.is_global_zero:
                return
            sample = last or step % self.settings.sample_every == 0
            if sample or step % self.settings.log_every == 0:
                ratio = None
                if sample:
                    ratio, made, result = module.watch(self.watch)
                    self.journal.picture(step, made, result)
                self.journal.note(step, float(outputs["loss"]), ratio)
            if not last and step % self.settings.checkpoint_every == 0:
                state = {"step": step, "seconds": module.seconds, "module": module.state_dict(), "rows": self.journal.rows}
                machine = {"optimizer": trainer.optimizers[0].state_dict(), "precision": trainer.precision_plugin.state_dict()}
                self.states.save(step, state | machine)

    return Habits


def _save(path: Path, module: "Training", settings: Settings, name: str, digest: str, size: int) -> None:
    from retouch.inference.network_files import save

    chosen = settings.model(name)
    metadata = {"name": name, "digest": digest, "size": str(size), "seed": str(settings.seed), "steps": str(module.step)}
    save(path, module.averaged, chosen.architecture, chosen.options, metadata)
