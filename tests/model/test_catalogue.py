"""The variants at their papers' settings: the reference's sizes, and the list of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from retouch.cli.app import app
from retouch.models import ARCHITECTURES, names
from retouch.models.catalogue import cost, measure

PAPERS = Path("docs/papers")


@pytest.mark.parametrize(
    ("name", "millions", "gmac"),
    [
        ("idih", 8.30, 1.66),
        ("dih", 8.30, 1.66),
        ("idih-hrnet18", 18.51, 7.72),
        ("sgmmh-om", 39.50, 8.09),  # 12.12 with the large maps: see UpsampleConv
        ("issam", 2.19, None),
        ("sgmmh-om-idih", 8.30, 1.66),
    ],
)
def test_parameters_and_multiply_adds_are_the_references(name, millions, gmac):
    actual = measure(name)
    assert actual.parameters / 1e6 == pytest.approx(millions, rel=0.01)
    if gmac is not None:
        assert actual.gmac == pytest.approx(gmac, rel=0.01)


def test_cost_grows_with_the_picture_and_the_options():
    parameters, small = cost("sgmmh-om-idih", 64, depth=3, width=4)
    assert cost("sgmmh-om-idih", 128, depth=3, width=4) == (parameters, pytest.approx(4 * small, rel=0.05))
    more = cost("sgmmh-om-idih", 64, depth=3, width=8)
    assert more[0] > 2 * parameters
    assert more[1] > 2 * small


def test_every_variant_is_listed_with_its_paper_and_task():
    listed = CliRunner().invoke(app, ["models", "--json"])
    assert listed.exit_code == 0
    variants = {variant["name"]: variant for variant in json.loads(listed.stdout)}
    assert sorted(variants) == names()
    for name, variant in variants.items():
        assert set(variant) == {"name", "family", "paper", "task", "needs_mask", "parameters", "gmac"}
        assert variant["task"] == ARCHITECTURES[name].task == "harmonization"
        assert (Path("src/retouch/models") / variant["family"]).is_dir()
        assert variant["paper"] is None or (PAPERS / f"{variant['paper']}.md").is_file()
        assert (variant["parameters"] > 0) is (variant["gmac"] > 0) is ARCHITECTURES[name].trainable

    needs_mask = {name for name, variant in variants.items() if variant["needs_mask"]}
    assert {"idih", "ht-om", "region", "poisson"} < needs_mask
    assert not needs_mask & {"sgmmh-om", "sgmmh-rgb", "two-stage", "region-free"}


def test_names_tell_what_can_be_trained():
    assert set(names(trainable=False)) == {"identity", "reinhard", "histogram", "poisson", "poisson-fit", "seam-fit"}
    assert sorted(names(trainable=True) + names(trainable=False)) == names()


def test_naming_variants_loads_no_network():
    code = "import sys, retouch.models; retouch.models.names(); print([m for m in ('torch', 'timm') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.strip() == "[]"
