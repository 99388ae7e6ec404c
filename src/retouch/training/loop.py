"""Stage `train`: scenes → artifacts/MODEL/{model.safetensors, curves.csv}; killed at any moment, it continues where it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from retouch import models, tasks
from retouch.errors import RetouchError, SettingsError
from retouch.inference.network_files import save
from retouch.settings import ModelSettings, Settings
from retouch.store import Scenes
from retouch.synthesis.recipe import sample_seed
from retouch.tasks.base import Share, Task
from retouch.training.checkpoint import Checkpoints
from retouch.training.data import EchoBuffer, Mixture, StepData
from retouch.training.digest import training_digest
from retouch.training.learner import Batch, CondensedLearner, Learner
from retouch.training.memory import keep_freed_memory
from retouch.training.optimizer import average_weights, make_optimizer
from retouch.training.progress import Progress
from retouch.training.schedule import Clock, learning_rate


def train(
    settings: Settings,
    name: str,
    scenes: Path = Path("scenes/scenes.arrow"),
    artifacts: Path = Path("artifacts"),
    checkpoints: Path = Path(".checkpoints"),
) -> Path:
    """Train model `name` and return its safetensors file.

    Checkpoints lie under the digest of all that decides the result, so that only the very same training is continued. All that
    is random in step s comes from hash(seed, s). Raises SettingsError, SourceError, WeightsError or TrackingError before the
    first step, RetouchError when the loss diverges.
    """
    keep_freed_memory()
    model_settings = settings.model(name)
    store = Scenes(scenes)
    mixture = Mixture(store, settings, model_settings)
    learner = build(settings, model_settings)
    fabric = Fabric(
        accelerator=settings.train.accelerator,
        devices=settings.train.devices,
        precision=settings.train.precision,  # type: ignore[arg-type]
        strategy=_strategy(settings, model_settings),
    )
    fabric.launch()
    share = Share(fabric.global_rank, fabric.world_size)
    if mixture.lookalikes and fabric.is_global_zero:
        print(f"{name}: left out {mixture.lookalikes} training scenes that resemble a scene of its test sets", flush=True)
    if model_settings.batch % (model_settings.data_echoing_factor * share.world):
        raise SettingsError(f"models.{name}.batch is {model_settings.batch}: choose a multiple of the {share.world} processes")

    digest = training_digest(settings, name, scenes)
    states = Checkpoints(checkpoints / name / digest[:16])
    with _progress(fabric, name, digest, settings) as progress:
        path = artifacts / name / "model.safetensors"
        network, step = fit(fabric, settings, model_settings, mixture, learner, states, progress, share)
        if fabric.is_global_zero:
            progress.write(path.with_name("curves.csv"))
            metadata = {"name": name, "digest": digest, "size": str(store[0]["height"]), "seed": str(settings.seed)}
            save(path, network, model_settings.architecture, model_settings.options, metadata | {"steps": str(step)})
            states.clear()
    return path


def build(settings: Settings, model_settings: ModelSettings) -> Learner:
    """An untrained model with its initial weights, and its task's objective. Raises SettingsError or WeightsError."""
    task = tasks.get(model_settings.task)
    models.check_family(model_settings.family, model_settings.architecture, model_settings.options)
    torch.manual_seed(sample_seed(settings.seed, "initial weights", 0))
    model = models.create(model_settings.architecture, **model_settings.options)
    if model_settings.initial is not None:
        from retouch.training.initial_weights import initialize

        initialize(model, model_settings.initial)
    model = model.to(memory_format=torch.channels_last)
    if settings.train.compile:
        model.compile()
    learner = CondensedLearner if model.condenses else Learner
    return learner(task, model, task.objective(model_settings), model_settings, settings.seed)


def fit(
    fabric: Fabric,
    settings: Settings,
    model_settings: ModelSettings,
    mixture: Mixture,
    learner: Learner,
    states: Checkpoints,
    progress: Progress,
    share: Share,
) -> tuple[nn.Module, int]:
    """The loop. Returns the network to keep, with averaged weights where `ema` asks for them, and the steps taken."""
    task, model = learner.task, learner.model
    optimizer = make_optimizer(model, learner.objective, model_settings)
    averaged = average_weights(model, model_settings.ema)
    network = averaged.module if model_settings.ema else model
    state = states.latest()
    step, elapsed = (state["step"], state["seconds"]) if state else (0, 0.0)
    if state:
        learner.load_state_dict(state["learner"])
        averaged.load_state_dict(state["averaged"])
        progress.rows = state["rows"]
    wrapped, optimizer = fabric.setup(learner, optimizer)
    averaged.to(fabric.device)
    if state:
        optimizer.load_state_dict(state["optimizer"])
        fabric.strategy.precision.load_state_dict(state["precision"])

    validation = mixture.validation_batches()
    echo = EchoBuffer(mixture, model_settings.data_echoing_factor, fabric.device, learner, share)
    clock = Clock(model_settings, elapsed, fabric.broadcast)
    position = clock.position(step)
    progress.begin(step)
    wrapped.train()
    for item in _items(fabric, settings, model_settings, mixture, share, step):
        if position >= model_settings.steps:
            break
        samples = echo.samples(item)
        torch.manual_seed(sample_seed(settings.seed, "step", step) + share.rank)
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * learning_rate(model_settings, position)

        loss = wrapped(Batch(learner.view(samples, step, share), position))
        _check_finite(loss, step, model_settings)
        fabric.backward(loss)
        if model_settings.gradient_norm is not None:
            fabric.clip_gradients(wrapped, optimizer, max_norm=model_settings.gradient_norm)  # type: ignore[arg-type]
        optimizer.step()
        optimizer.zero_grad()
        averaged.update_parameters(model)

        step += 1
        position = clock.position(step)
        last = position >= model_settings.steps
        previewed = last or step % settings.train.sample_every == 0
        logged = previewed or step % settings.train.log_every == 0
        mean_loss = float(fabric.all_reduce(loss.detach())) if logged else 0.0  # type: ignore[arg-type]
        if not fabric.is_global_zero:
            continue
        ratio = None
        if previewed:
            ratio, pictures = validate(task, network, mixture, validation, fabric.device)
            wrapped.train()
            progress.pictures(step, pictures)
        if logged:
            progress.log(step, mean_loss, ratio)
        if not last and step % settings.train.checkpoint_every == 0:
            states.save(step, {
                "step": step,
                "seconds": clock.seconds(),
                "learner": learner.state_dict(),
                "averaged": averaged.state_dict(),
                "optimizer": optimizer.state_dict(),
                "precision": fabric.strategy.precision.state_dict(),
                "rows": progress.rows,
            })  # fmt: skip
    return network, step


@torch.no_grad()
def validate(
    task: Task, network: nn.Module, mixture: Mixture, batches: list[dict[str, Any]], device: torch.device
) -> tuple[float, dict[str, Tensor]]:
    """The network's error on the validation samples over the reference's, and pictures of the first batch by title."""
    network.eval()
    predicted, reference = 0.0, 0.0
    pictures: dict[str, Tensor] = {}
    for batch in batches:
        samples = mixture.make(batch, device)
        prediction = network(task.model_input(samples))
        ours, others = task.errors(prediction, samples)
        predicted, reference = predicted + float(ours.sum()), reference + float(others.sum())
        pictures = pictures or task.preview(samples, prediction)
    return task.primary_metric.ratio(predicted, reference), pictures


def _items(
    fabric: Fabric, settings: Settings, model_settings: ModelSettings, mixture: Mixture, share: Share, first: int
) -> Iterator[dict[str, Any]]:
    loader = DataLoader(
        StepData(mixture, model_settings.batch, settings.seed, share, model_settings.data_echoing_factor, first),
        batch_size=None,
        sampler=range(first, model_settings.steps),
        num_workers=settings.train.workers,
        persistent_workers=settings.train.workers > 0,
        pin_memory=fabric.device.type == "cuda",
    )
    return iter(loader)


def _strategy(settings: Settings, model_settings: ModelSettings) -> str:
    if settings.train.devices in (1, "auto"):
        return "auto"
    # the discriminator has no part in the first phase
    return "ddp_find_unused_parameters_true" if getattr(model_settings, "adversarial", None) else "ddp"


@contextmanager
def _progress(fabric: Fabric, name: str, digest: str, settings: Settings) -> Iterator[Progress]:
    """The record of a training on rank 0, closed with how it ended; other processes keep theirs to themselves."""
    params = {"seed": settings.seed, **settings.model(name).model_dump(mode="json")}
    progress = Progress(name, digest, params, settings.model(name).steps, recorded=fabric.is_global_zero)
    outcome = "FAILED"
    try:
        yield progress
        outcome = "FINISHED"
    except KeyboardInterrupt:
        outcome = "KILLED"
        raise
    finally:
        progress.end(outcome)


def _check_finite(loss: Tensor, step: int, settings: ModelSettings) -> None:
    if not torch.isfinite(loss):
        raise RetouchError(
            f"the loss is {float(loss)} at step {step}: lower models.*.learning_rate "
            f"(now {settings.learning_rate:g}), or use precision 32-true"
        )
