"""`retouch ship`: a trained network → the folder of a shipped model, measured, with its card and its page."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from retouch import sources, tracking
from retouch.errors import ExistsError, RetouchError, SettingsError, WeightsError
from retouch.files import atomic_folder, sha256_file
from retouch.inference.network_files import LoadedNetwork, load
from retouch.inference.onnx_export import export
from retouch.settings import Settings
from retouch.shipped import NETWORK, NOTES, ONNX, PAGE, PICTURES
from retouch.shipped import figures as measuring
from retouch.shipped.card import Card, read
from retouch.shipped.page import render
from retouch.shipped.pictures import sheet
from retouch.shipped.places import is_shipped
from retouch.store import Scenes
from retouch.tracking.client import database
from retouch.tracking.project import project_of

SCENES = Path("scenes/scenes.arrow")


def ship(
    network_place: Path, folder: Path, triples: Mapping[str, Path], settings: Settings | None, overwrite: bool = False
) -> Card:
    """Make `folder` from a network, a .safetensors file or a folder that holds one, and return its card.

    It is measured on folders of `triples`, by the name of the set. What a card of the same weights says, in `folder` or beside
    the network, is kept: its settings, and the figures of sets that are not measured now. Otherwise the settings are
    `settings`, those that it was trained with. The notes in `folder` stay. The folder is replaced as a whole.

    Raises ExistsError unasked for a folder that is a model already, WeightsError, SourceError, SettingsError where the
    settings are not of this network.
    """
    file = network_place / NETWORK if network_place.is_dir() else network_place
    network = load(file)
    if is_shipped(folder) and not overwrite:
        raise ExistsError(folder, "a shipped model")
    card = _earlier(sha256_file(file), folder, network_place) or _card(network, file, settings)
    for name, place in triples.items():
        stale = [key for key in card.figures if key == name or key.startswith(f"{name}/")]
        others = {key: part for key, part in card.figures.items() if key not in stale}
        source = {name: {"folder": _relative(place), "sha256": measuring.digest(place)}}
        card = replace(card, figures=others | measuring.measure(network, {name: place}), sets=card.sets | source)
    notes = folder / NOTES
    text = notes.read_text(encoding="utf-8") if notes.is_file() else ""
    with atomic_folder(folder) as partial:
        shutil.copyfile(file, partial / NETWORK)
        try:
            export(network, partial / ONNX)
        except RetouchError as error:  # it names the file, whose folder has another name until it is whole
            raise RetouchError(str(error).replace(str(partial), str(folder))) from None
        (partial / PICTURES).write_bytes(sheet(network))
        if text:
            (partial / NOTES).write_text(text, encoding="utf-8")
        files = {name: sha256_file(partial / name) for name in (NETWORK, ONNX, PICTURES)}
        card = replace(card, name=folder.resolve().name, files=files)
        card.write(partial)
        (partial / PAGE).write_text(render(card, text), encoding="utf-8")
    return card


def _relative(place: Path) -> str:
    """A folder as it is named from the project's folder: where it lies on this machine is nobody's business."""
    return Path(os.path.relpath(place.resolve(), tracking.root().resolve())).as_posix()


def _earlier(sha256: str, *folders: Path) -> Card | None:
    """The card of a shipped model that holds the same weights, of the first folder that is one."""
    for folder in folders:
        if is_shipped(folder):
            try:
                card = read(folder)
            except WeightsError:
                continue
            if card.files.get(NETWORK) == sha256:
                return card
    return None


def _card(network: LoadedNetwork, file: Path, settings: Settings | None) -> Card:
    """The card of a network that was not shipped before, without figures."""
    name = network.metadata["name"]
    if settings is None or name not in settings.models:
        raise SettingsError(f"no settings of models.{name}, which {file} was trained with: name their file, --params FILE")
    model = settings.models[name]
    if (model.architecture, model.options) != (network.architecture, network.options):
        raise SettingsError(
            f"models.{name} is {model.architecture} with {model.options}, but {file} is {network.architecture} with "
            f"{network.options}: name the file of its settings, --params FILE"
        )
    project = project_of(file.resolve().parent) or tracking.root()
    benchmarks = {key: settings.benchmark(key).model_dump(mode="json") for key in model.benchmarks}
    return Card(
        name=name,
        task=network.task,
        architecture=network.architecture,
        options=network.options,
        size=network.size,
        needs_mask=bool(getattr(network.module, "needs_mask", False)),
        parameters=sum(one.numel() for one in network.module.parameters()),
        commit=_commit(network.metadata["digest"], project),
        training={key: value for key in ("digest", "steps", "seed") if (value := network.metadata.get(key))},
        settings={
            "seed": settings.seed,
            "precision": settings.train.precision,
            "model": model.model_dump(mode="json"),
            "data": settings.data.model_dump(mode="json"),
            "benchmarks": benchmarks,
            "perturb": settings.synthesize.perturb.model_dump(mode="json"),
        },
        data=_data({source for one in benchmarks.values() for source in one["sources"]}, project / SCENES),
        figures={},
        sets={},
        files={},
    )


def _data(names: set[str], scenes_file: Path) -> dict[str, dict[str, Any]]:
    """By source its terms, and how many photographs of it are for training, where the scenes are there."""
    counts: dict[str, int] = {}
    if scenes_file.is_file():
        scenes = Scenes(scenes_file)
        for source, split in zip(scenes.column("source"), scenes.column("split"), strict=True):
            counts[source] = counts.get(source, 0) + (split == "train")
    return {
        name: {"terms": sources.get(name).licence} | ({"photographs": counts[name]} if name in counts else {})
        for name in sorted(names)
    }


def _commit(digest: str, project: Path) -> str | None:
    """The commit that trained a network: of its run, where it is recorded here, else the present one of its project."""
    file = database()
    if digest and (file is None or file.is_file()):  # MLflow would create a store
        try:
            with tracking.connect() as store:
                run = tracking.find_run(digest)
                if run is not None and (commit := store.get_run(run).data.tags.get("git_commit")):
                    return str(commit)
        except RetouchError:
            pass
    return tracking.lineage(project).get("git_commit")
