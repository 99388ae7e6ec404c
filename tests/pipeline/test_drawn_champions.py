"""Versions say what they were trained on, and the alias `drawn` follows the champions that know drawn scenes only."""

import pytest
from registry_project import initialised, project, tags, train

from retouch import tracking
from retouch.registry import CHAMPION
from retouch.registry.origin import DATA_SOURCES, DRAWN
from retouch.registry.promotion import promote, promote_products
from retouch.registry.register import ensure
from retouch.registry.rollback import rollback
from retouch.registry.selection import select
from retouch.registry.versions import number, version_at
from retouch.settings import Settings

__all__ = ["initialised", "project"]  # fixtures


@pytest.fixture
def photos(project: Settings) -> Settings:
    """The same project, trained on photographs too."""
    benchmarks = {
        name: one.model_copy(update={"sources": ["ade20k", "sample"]}) for name, one in project.synthesize.benchmarks.items()
    }
    return project.model_copy(update={"synthesize": project.synthesize.model_copy(update={"benchmarks": benchmarks})})


def at(name: str, alias: str) -> int | None:
    with tracking.connect() as store:
        return number(version_at(store, name, alias))


def test_the_alias_stays_with_the_last_champion_of_drawn_scenes(project: Settings, photos: Settings):
    train("idih", 1, 0.5)
    promote(project, "idih")
    promote_products()
    assert tags("idih", 1)[DATA_SOURCES] == "sample"
    for name in ("idih", "harmonizer"):
        assert (at(name, CHAMPION), at(name, DRAWN)) == (1, 1)
    assert select("models:/idih@drawn", True).version.version == 1
    train("idih", 2, 0.3)
    promote(photos, "idih")
    promote_products()
    assert tags("idih", 2)[DATA_SOURCES] == "ade20k sample"
    for name in ("idih", "harmonizer"):
        assert (at(name, CHAMPION), at(name, DRAWN)) == (2, 1)
    assert select(None, True).kind == "registered"
    train("idih", 3, 0.1)
    promote(project, "idih")
    assert (at("idih", CHAMPION), at("idih", DRAWN)) == (3, 3)
    rollback("idih", "greenish")
    assert (at("idih", CHAMPION), at("idih", DRAWN)) == (2, 1)


def test_a_rollback_leaves_no_alias_on_what_was_withdrawn(project: Settings, photos: Settings):
    train("idih", 1, 0.5)
    promote(photos, "idih")
    assert at("idih", DRAWN) is None
    train("idih", 2, 0.3)
    promote(project, "idih")
    assert at("idih", DRAWN) == 2
    rollback("idih", "greenish")
    assert (at("idih", CHAMPION), at("idih", DRAWN)) == (1, None)


def test_a_product_of_both_kinds_is_not_drawn(project: Settings, photos: Settings):
    train("idih", 1, 0.5)
    promote(photos, "idih")
    train("sgmmh-om", 1, 0.5)
    promote(project, "sgmmh-om")
    promote_products()
    assert at("sgmmh-om", DRAWN) == 1
    assert at("harmonizer", DRAWN) is None
    assert select(None, True).kind == "registered"


def test_a_version_of_before_gets_the_tag_when_it_is_seen_again(project: Settings):
    train("idih", 1, 0.5)
    ensure(project, "idih")
    with tracking.connect() as store:
        store.delete_model_version_tag("idih", "1", DATA_SOURCES)
    ensure(project, "idih")
    assert tags("idih", 1)[DATA_SOURCES] == "sample"
