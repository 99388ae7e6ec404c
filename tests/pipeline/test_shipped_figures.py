"""The shipped models are what their cards say: files, figures, size, ONNX like PyTorch. Absent ones are skipped."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shipped_model import draw_triples, save_trained

from retouch.inference import network_files, onnx_export, shipped_network
from retouch.shipped import HERE, NETWORK, NOTES, PAGE, figures, page
from retouch.shipped.card import Card, check, read
from retouch.shipped.ship import ship

MODELS = ("region", "region-free")
PRETRAINED = Path("pretrained").resolve()
FOLDERS = sorted({*(PRETRAINED / name for name in MODELS), *(path.parent for path in PRETRAINED.glob("*/card.json"))})
MAX_BYTES = 8_000_000
TOLERANCE = {"mse_ratio": 0.005, "identity": 0.02, "idempotence": 0.02}
"""Processors round differently."""


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    if not (request.param / "card.json").is_file():
        pytest.skip(f"pretrained/{request.param.name} is not shipped")
    return request.param


def sets(card: Card) -> dict[str, Path]:
    """The sets of triples of a card that are here, as they were when it was made."""
    places = {name: HERE / one["folder"] for name, one in card.sets.items()}
    return {
        name: place for name, place in places.items() if place.is_dir() and figures.digest(place) == card.sets[name]["sha256"]
    }


def differences(card: Card, measured: dict[str, dict[str, Any]]) -> list[str]:
    """What a card says of the sets that were measured, and is not so."""
    wrong = []
    for name, part in measured.items():
        for key, value in part.items():
            stated = card.figures.get(name, {}).get(key, math.nan)
            # of shares, one picture may come to lie on the other side
            tolerance = 1.01 / part["count"] if key.endswith("share") else TOLERANCE.get(key, 0)
            if not (stated == value or abs(stated - value) <= tolerance):
                wrong.append(f"{name}: {key} is {value}, but card.json says {stated}")
    return wrong


def test_the_files_are_those_of_the_card_and_small(folder: Path):
    card = check(folder)
    assert card.name == folder.name
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_BYTES
    network = network_files.load(folder / NETWORK)
    assert (network.architecture, network.options, network.size) == (card.architecture, card.options, card.size)
    assert network.module.needs_mask is card.needs_mask
    assert sum(one.numel() for one in network.module.parameters()) == card.parameters


def test_the_figures_are_so(folder: Path):
    card = read(folder)
    assert card.figures
    here = sets(card)
    if not here:
        pytest.skip(f"needs {', '.join(one['folder'] for one in card.sets.values())}")
    assert differences(card, figures.measure(shipped_network.open(folder), here)) == []


def test_the_page_is_that_of_the_card(folder: Path):
    notes = folder / NOTES
    assert (folder / PAGE).read_text() == page.render(read(folder), notes.read_text() if notes.is_file() else "")


def test_onnx_answers_as_pytorch(folder: Path):
    assert distance(folder) <= 1e-4


def distance(folder: Path) -> float:
    """The largest difference of the pictures that both forms make of drawn composites, of the colour range."""
    network, other = network_files.load(folder / NETWORK), shipped_network.open(folder)
    pictures, masks, _ = onnx_export.composites(network.size)
    given = masks if network.module.needs_mask else None
    return onnx_export.largest_difference(pictures, *(one.module.answers(pictures, given) for one in (network, other)))


def test_a_wrong_figure_is_found(tmp_path, monkeypatch):
    """What the tests above would say of a card that promises too much."""
    monkeypatch.chdir(tmp_path)
    file = save_trained(Path("artifacts/region/model.safetensors"))
    card = trial(file)
    measured = figures.measure(shipped_network.open(Path("pretrained/region")), {"triples": Path("triples")})
    assert differences(card, measured) == []
    assert distance(Path("pretrained/region")) <= 1e-4
    for key, tolerance in TOLERANCE.items():
        better = json.loads(json.dumps(card.figures))
        better["triples"][key] -= 2 * tolerance
        (line,) = differences(replace(card, figures=better), measured)
        assert line.startswith(f"triples: {key} is ")
    assert len(differences(replace(card, figures={}), measured)) == sum(map(len, measured.values()))


def trial(file: Path) -> Card:
    """A small network shipped with the sample's settings."""
    from retouch.settings import load

    settings = load(HERE / "params/sample.yaml")
    options = network_files.load(file).options
    models = {"region": settings.models["region"].model_copy(update={"options": options})}
    triples = {"triples": draw_triples(Path("triples"))}
    return ship(file, Path("pretrained/region"), triples, settings.model_copy(update={"models": models}))
