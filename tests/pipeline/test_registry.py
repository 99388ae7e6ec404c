"""The registry with tiny real networks and a SQLite store: what is registered, promoted, taken back and served."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from registry_project import OPTIONS, freeze, initialised, measure, project, tags, train, version_count
from typer.testing import CliRunner

from retouch import tracking
from retouch.cli.app import app
from retouch.errors import SettingsError, StoreError, TrackingError
from retouch.files import sha256_file
from retouch.registry import CHALLENGER, CHAMPION, champion, promotion
from retouch.registry.decision import Decision
from retouch.registry.product import sources
from retouch.registry.promotion import promote, promote_products, short_verdict
from retouch.registry.register import ensure, register
from retouch.registry.rollback import rollback
from retouch.registry.status import status
from retouch.registry.versions import history, number, restore_champion, set_champion, version_at
from retouch.settings import Settings

__all__ = ["initialised", "project"]  # fixtures
PRODUCT = "harmonizer"


def at(name: str, alias: str = CHAMPION):
    with tracking.connect() as store:
        return version_at(store, name, alias)


def held_by_product() -> dict[str, tuple[str, int]]:
    """Of each variant that the product serves, the model and its version."""
    return {variant: (one["model"], one["version"]) for variant, one in sources(at(PRODUCT)).items()}


# Registering ----------------------------------------------------------------------------------------------------------


def test_registering_is_idempotent_and_its_file_is_deterministic(project: Settings):
    model = train("idih", 1, 0.5)
    path = register(project, "idih")
    first = path.read_bytes()
    path.unlink()
    assert register(project, "idih").read_bytes() == first
    assert version_count("idih") == 1
    content = json.loads(first)
    assert content["model_sha256"] == sha256_file(model)
    assert [(port["name"], port["required"]) for port in content["inputs"]] == [("image", True), ("mask", True)]
    assert [entry["name"] for entry in content["signature"]["inputs"]] == ["image", "mask"]
    assert any(line.startswith("torch==") for line in content["requirements"])
    version = at("idih", CHALLENGER)
    assert version.tags["data_md5"] == "0123456789abcdef.dir"
    assert version.tags["training_digest"] == "idih-1"
    assert (version.tags["task"], version.tags["primary"], version.tags["product"]) == ("harmonization", "mse", PRODUCT)
    test_sets = json.loads(version.tags["test_sets"])
    assert test_sets["hlip"]["sha256"] == sha256_file(Path("test_sets/hlip.arrow"))
    assert test_sets["hlip"]["ratio"] == pytest.approx(0.5, abs=0.02)
    assert float(version.tags["ratio"]) == pytest.approx(0.5, abs=0.02)
    assert at("idih") is None


def test_the_run_of_the_training_is_used_and_a_missing_one_is_filled_in(project: Settings):
    train("idih", 1, 0.5)
    known = tracking.start_run("idih", "idih-1", {"lr": 1})
    assert ensure(project, "idih").run_id == known
    train("idih", 2, 0.5)
    with tracking.connect() as store:
        filled = store.get_run(ensure(project, "idih").run_id)
        assert filled.data.tags["backfilled"] == "true"
        assert filled.info.run_id != known
        curve = store.get_metric_history(filled.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.4)]


def test_figures_of_other_weights_or_a_missing_file_are_refused(project: Settings):
    train("idih", 1, 0.5)
    stale = Path("reports/models/idih/metrics.json").read_text()
    train("idih", 2, 0.5)
    Path("reports/models/idih/metrics.json").write_text(stale)
    with pytest.raises(StoreError, match="other weights"):
        register(project, "idih")
    Path("reports/models/idih/per_image.csv").unlink()
    with pytest.raises(StoreError, match=r"per_image\.csv is missing"):
        register(project, "idih")
    with pytest.raises(SettingsError, match="dovenet"):
        register(project, "dovenet")


def test_a_name_that_belongs_to_a_product_is_refused(project: Settings):
    clash = project.model_copy(update={"models": {PRODUCT: project.models["idih"]}})
    with pytest.raises(SettingsError, match="harmonizer"):
        register(clash, PRODUCT)


# The gate -------------------------------------------------------------------------------------------------------------


def test_the_gate_lets_better_models_through_and_no_worse_one(project: Settings):
    train("idih", 1, 0.5)
    with pytest.raises(TrackingError, match="idih is not registered"):
        champion.load("idih", ("image", "mask"))
    register(project, "idih")
    with pytest.raises(TrackingError, match="idih has no champion"):
        champion.load("idih", ("image", "mask"))
    first = promote(project, "idih")
    assert (first.state, first.champion) == ("promoted", 1)
    assert champion.load("idih", ("image", "mask")).architecture == "idih"
    assert promote(project, "idih").state == "champion"
    train("idih", 2, 0.6)
    worse = promote(project, "idih")
    assert (worse.state, worse.version, worse.champion) == ("held", 2, 1)
    train("idih", 3, 0.99)
    assert promote(project, "idih").state == "rejected"
    train("idih", 4, 0.3)
    better = promote(project, "idih")
    assert (better.state, better.champion) == ("promoted", 4)
    version = tags("idih", 4)
    assert version["promoted_from"] == "1"
    assert json.loads(version["verdict"])["decision"] == "promote"
    assert json.loads(version["verdict"])["champion"] == 1


def test_the_whole_verdict_is_kept_with_the_run_and_a_short_one_as_a_tag(project: Settings, tmp_path: Path):
    train("idih", 1, 0.5)
    promote(project, "idih")
    train("idih", 2, 0.3)
    outcome = promote(project, "idih")
    with tracking.connect() as store:
        run_id = store.get_model_version("idih", "2").run_id
        content = json.loads(Path(store.download_artifacts(run_id, "verdicts/2-against-1.json", str(tmp_path))).read_text())
    assert content["reasons"] == list(outcome.verdict.reasons)
    assert content["figures"]["gain_lower_bound"] == outcome.verdict.figures["gain_lower_bound"]
    assert content["test_sets"] == {name: sha256_file(Path(f"test_sets/{name}.arrow")) for name in ("hlip", "hscene")}


def test_a_short_verdict_is_valid_json_however_many_reasons_there_are():
    reasons = [f"{number}: " + "“é" * 400 for number in range(500)]
    text = short_verdict({"decision": "hold", "reasons": reasons, "figures": {"a": 1.0}, "candidate": 3, "champion": None})
    short = json.loads(text)
    assert len(text) < 5000
    assert (short["decision"], short["candidate"], short["champion"]) == ("hold", 3, None)
    assert len(short["reasons"]) == 11
    assert short["reasons"][0].startswith("0: “é")
    assert short["reasons"][-1] == "and 490 more"
    whole = {"decision": "hold", "reasons": ["x" * 300] * 10, "figures": {}}
    assert json.loads(short_verdict(whole))["reasons"] == whole["reasons"]


def test_a_champion_of_older_test_sets_is_measured_again(project: Settings):
    train("idih", 1, 0.01)  # said to be near perfect, on the old test sets
    assert promote(project, "idih").state == "promoted"
    before = tags("idih", 1)
    freeze(seed=5)
    train("idih", 2, 0.001)
    outcome = promote(project, "idih")
    after = tags("idih", 1)
    assert after["test_sets"] != before["test_sets"]
    assert float(after["ratio"]) > 0.02  # an untrained network is nothing like what was said
    assert outcome.state == "promoted"


def test_of_the_champion_only_what_changed_is_measured_again(project: Settings, monkeypatch: pytest.MonkeyPatch):
    train("idih", 1, 0.01)
    promote(project, "idih")
    freeze(seed=5, benchmarks=["hscene"])
    train("idih", 2, 0.005)
    benchmarks = []
    original = promotion._measure

    def recorded(settings, task, champion, missing, folder):
        benchmarks.extend(missing)
        return original(settings, task, champion, missing, folder)

    monkeypatch.setattr(promotion, "_measure", recorded)
    promote(project, "idih")
    assert benchmarks == ["hscene"]
    test_sets = json.loads(tags("idih", 1)["test_sets"])
    assert test_sets["hlip"]["ratio"] < 0.02 < test_sets["hscene"]["ratio"]
    promote(project, "idih")
    assert benchmarks == ["hscene"]


def test_a_rejected_candidate_still_has_the_champion_measured_on_todays_test_sets(project: Settings):
    train("idih", 1, 0.5)
    promote(project, "idih")
    freeze(seed=5)
    train("idih", 2, 0.99)
    assert promote(project, "idih").state == "rejected"
    today = sha256_file(Path("test_sets/hlip.arrow"))
    assert json.loads(tags("idih", 1)["test_sets"])["hlip"]["sha256"] == today


def test_a_champion_that_cannot_be_measured_holds_the_candidate(project: Settings):
    train("idih", 1, 0.5)
    promote(project, "idih")
    freeze(seed=5)
    train("idih", 2, 0.4)
    freeze(seed=6)  # the candidate's figures are of test sets that are gone
    outcome = promote(project, "idih")
    assert outcome.state == "held"
    assert "the champion, version 1, cannot be measured: the test sets changed" in outcome.verdict.reasons[0]
    train("idih", 3, 0.99)
    freeze(seed=7)
    assert promote(project, "idih").state == "rejected"


def test_a_champion_of_another_task_is_not_compared(project: Settings):
    train("idih", 1, 0.5)
    promote(project, "idih")
    with tracking.connect() as store:
        store.set_model_version_tag("idih", "1", "task", "adjustment")
    train("idih", 2, 0.4)
    outcome = promote(project, "idih")
    assert outcome.state == "held"
    assert "it is a model of the task adjustment" in outcome.verdict.reasons[0]


def test_the_champion_is_not_moved_under_someone_else(project: Settings, monkeypatch: pytest.MonkeyPatch):
    train("idih", 1, 0.5)
    promote(project, "idih")
    train("idih", 2, 0.2)
    judge = promotion.decide

    def meanwhile(*arguments: object, **more: object):
        with tracking.connect() as store:
            store.delete_registered_model_alias("idih", CHAMPION)
        return judge(*arguments, **more)

    monkeypatch.setattr(promotion, "decide", meanwhile)
    with pytest.raises(TrackingError, match="moved from version 1 to none"):
        promote(project, "idih")
    assert at("idih") is None


def test_the_champion_that_is_no_longer_fit_says_so(project: Settings):
    train("idih", 1, 0.5)
    promote(project, "idih")
    strict = project.model_copy(update={"gate": project.gate.model_copy(update={"max_ratio": 0.4})})
    outcome = promote(strict, "idih")
    assert outcome.state == "champion"
    assert outcome.verdict.decision is Decision.REJECT
    assert promote(project, "idih").verdict.reasons == ("it is the champion already",)


# The product ----------------------------------------------------------------------------------------------------------


def test_the_product_serves_the_best_with_a_mask_and_the_best_without(project: Settings):
    assert promote_products() == {}
    train("idih", 1, 0.6)
    promote(project, "idih")
    assert promote_products() == {PRODUCT: 1}
    assert held_by_product() == {"mask": ("idih", 1)}
    train("sgmmh-om", 2, 0.7)
    promote(project, "sgmmh-om")
    assert promote_products() == {PRODUCT: 2}
    assert promote_products() == {PRODUCT: 2}
    assert version_count(PRODUCT) == 2
    assert held_by_product() == {"mask": ("idih", 1), "no-mask": ("sgmmh-om", 1)}
    train("region", 3, 0.65)
    promote(project, "region")
    assert promote_products() == {PRODUCT: 2}
    train("region", 4, 0.3)
    promote(project, "region")
    assert promote_products() == {PRODUCT: 3}
    assert held_by_product() == {"mask": ("region", 2), "no-mask": ("sgmmh-om", 1)}
    lineage = sources(at(PRODUCT))["mask"]
    assert lineage["model_sha256"] == sha256_file(Path("artifacts/region/model.safetensors"))
    assert lineage["data_md5"] == "0123456789abcdef.dir"
    assert champion.load(PRODUCT, ("image", "mask")).architecture == "region"
    assert champion.load(PRODUCT, ("image",)).architecture == "sgmmh-om"
    assert champion.load(PRODUCT, ()).architecture == "sgmmh-om"


def test_the_command_line_takes_the_network_that_suits_what_it_is_given(project: Settings):
    """Untrained, `idih` changes a picture and `sgmmh-om` does not."""
    for seed, name in enumerate(("idih", "sgmmh-om")):
        train(name, seed, 0.5)
        promote(project, name)
    promote_products()
    photo = np.random.default_rng(0).integers(60, 200, (48, 40, 3), dtype=np.uint8)
    Image.fromarray(photo).save("photo.png")
    Image.fromarray(np.full((48, 40), 255, np.uint8)).save("mask.png")
    for arguments, is_changed in (([], False), (["--mask", "mask.png"], True)):
        result = CliRunner().invoke(
            app, ["harmonize", "photo.png", "--model", PRODUCT, "--out", "result.png", "--overwrite", *arguments]
        )
        assert result.exit_code == 0, result.output
        assert (not np.array_equal(np.asarray(Image.open("result.png")), photo)) is is_changed


def test_figures_of_other_data_are_never_compared(project: Settings):
    """`region` is measured on one set, `idih` on two, of which one is easy: over both, `idih` would seem better."""
    train("region", 1, 0.5, ["hscene"])
    train("idih", 2, 0.6, ["hscene", "hlip"])
    measure_each("idih", {"hscene": 0.6, "hlip": 0.1})
    for name in ("region", "idih"):
        promote(project, name)
    promote_products()
    assert held_by_product() == {"mask": ("region", 1)}
    assert at(PRODUCT).tags["not_compared"] == ""


def test_without_a_shared_test_set_what_serves_stays_and_a_tag_says_so(project: Settings):
    train("region", 1, 0.5, ["hscene"])
    promote(project, "region")
    promote_products()
    train("idih", 2, 0.1, ["hlip"])
    promote(project, "idih")
    assert promote_products() == {PRODUCT: 1}
    assert held_by_product() == {"mask": ("region", 1)}
    assert at(PRODUCT).tags["not_compared"] == "idih version 1 shares no test set with region version 1"
    freeze(seed=3, benchmarks=["hscene"])  # the same name is not the same data
    train("idih", 3, 0.05, ["hscene"])
    promote(project, "idih")
    assert promote_products() == {PRODUCT: 1}


@pytest.mark.parametrize("flaw", ["withdrawn", "no figure", "infinite figure"])
def test_a_champion_that_is_withdrawn_or_without_figures_is_not_for_the_product(project: Settings, flaw: str):
    for name, seed, error in (("region", 1, 0.5), ("idih", 2, 0.1)):
        train(name, seed, error)
        promote(project, name)
    ratio = None if flaw == "no figure" else math.inf
    test_sets = {name: entry | {"ratio": ratio} for name, entry in json.loads(tags("idih", 1)["test_sets"]).items()}
    with tracking.connect() as store:
        # a rollback that was interrupted before it moved the alias, or a version that others registered
        key, value = ("rolled_back", "colour cast") if flaw == "withdrawn" else ("test_sets", json.dumps(test_sets))
        store.set_model_version_tag("idih", "1", key, value)
    promote_products()
    assert held_by_product() == {"mask": ("region", 1)}


def test_rollback_changes_the_product_that_serves_the_withdrawn_weights(project: Settings):
    for name, seed, error in (("idih", 1, 0.6), ("sgmmh-om", 2, 0.7)):
        train(name, seed, error)
        promote(project, name)
    promote_products()
    train("sgmmh-om", 3, 0.4)
    assert promote(project, "sgmmh-om").state == "promoted"
    assert promote_products() == {PRODUCT: 2}

    done = rollback("sgmmh-om", "colour cast")
    assert (done.restored, done.withdrawn, done.products) == (1, 2, {PRODUCT: 3})
    assert number(at("sgmmh-om")) == 1
    assert held_by_product() == {"mask": ("idih", 1), "no-mask": ("sgmmh-om", 1)}
    assert "sgmmh-om version 2 was rolled back: colour cast" in tags(PRODUCT, 2)["rolled_back"]
    again = promote(project, "sgmmh-om")  # the same weights, still the best figures
    assert again.state == "rejected"
    assert "colour cast" in again.verdict.reasons[0]
    assert promote_products() == {PRODUCT: 3}

    with pytest.raises(TrackingError, match="first champion"):
        rollback("sgmmh-om", "once more")
    with pytest.raises(TrackingError, match="no champion"):
        rollback("nothing", "")
    assert rollback(PRODUCT, "test").restored == 1  # version 2 holds what was withdrawn
    with tracking.connect() as store:
        assert history(store, PRODUCT) == [1]


def test_a_rollback_elsewhere_leaves_the_product_as_it_is(project: Settings):
    for seed, error in ((1, 0.7), (2, 0.5)):
        train("idih", seed, error)
        promote(project, "idih")
    promote_products()
    train("region", 3, 0.3)
    promote(project, "region")
    assert rollback("idih", "test").products == {PRODUCT: 2}
    assert held_by_product() == {"mask": ("region", 1)}
    train("idih", 4, 0.2)
    promote(project, "idih")
    with tracking.connect() as store:  # a champion that no product serves
        set_champion(store, "idih", 1, 3)
    assert rollback("idih", "test").products == {PRODUCT: 2}
    assert held_by_product() == {"mask": ("region", 1)}


def test_a_rollback_of_the_product_keeps_out_only_what_came_new(project: Settings):
    for name, seed, error in (("idih", 1, 0.6), ("sgmmh-om", 2, 0.7)):
        train(name, seed, error)
        promote(project, name)
    promote_products()
    train("region", 3, 0.3)
    promote(project, "region")
    promote_products()
    assert held_by_product() == {"mask": ("region", 1), "no-mask": ("sgmmh-om", 1)}
    rollback(PRODUCT, "skin looks grey")
    assert held_by_product() == {"mask": ("idih", 1), "no-mask": ("sgmmh-om", 1)}
    assert promote_products() == {PRODUCT: 1}  # region's champion is refused, the others are not
    train("region", 4, 0.2)
    promote(project, "region")
    promote_products()
    assert held_by_product()["mask"] == ("region", 2)


def test_a_product_whose_weights_are_all_withdrawn_loses_its_alias(project: Settings):
    train("idih", 1, 0.6)
    promote(project, "idih")
    promote_products()
    with tracking.connect() as store:
        store.set_registered_model_tag("idih", "champions", "[7, 1]")
        store.set_registered_model_alias("idih", CHAMPION, "1")
    with pytest.raises(TrackingError, match="first champion"):  # version 7 does not exist
        rollback("idih", "test")
    train("idih", 2, 0.3)
    promote(project, "idih")
    promote_products()
    with tracking.connect() as store:
        store.delete_registered_model_alias("idih", CHAMPION)
        from retouch.registry.product import refresh, withdraw

        assert refresh(store) == {PRODUCT: 2}  # no champion is left, but what serves is not withdrawn
        assert withdraw(store, "idih", 2, "bad") == {PRODUCT}
        assert refresh(store) == {}
    assert at(PRODUCT) is None


# Champions and their history ------------------------------------------------------------------------------------------


@pytest.fixture
def three_versions(project: Settings) -> None:
    """A registered model with three versions and no champion."""
    with tracking.connect() as store:
        store.create_registered_model("m")
        for _ in range(3):
            store.create_model_version("m", str(Path.cwd()))


def test_champions_are_remembered_and_restored_in_order(three_versions: None):
    with tracking.connect() as store:
        for version, before in ((1, None), (2, 1), (3, 2)):
            set_champion(store, "m", version, before)
        assert history(store, "m") == [1, 2, 3]
        assert (tags("m", 1)["promoted_from"], tags("m", 3)["promoted_from"]) == ("none", "2")
        assert tags("m", 3)["promoted_at"]
        with pytest.raises(TrackingError, match="moved from version 1 to version 3"):
            set_champion(store, "m", 2, 1)
        assert restore_champion(store, "m", "bad\n colours") == (2, 3)
        assert (tags("m", 3)["rolled_back"], history(store, "m")) == ("bad colours", [1, 2])
        assert tags("m", 3)["rolled_back_at"]
        assert restore_champion(store, "m", " ") == (1, 2)
        assert tags("m", 2)["rolled_back"] == "no reason given"
        with pytest.raises(TrackingError, match="first champion"):
            restore_champion(store, "m", "")
        assert number(version_at(store, "m")) == 1
        assert "rolled_back" not in tags("m", 1)


def test_withdrawn_and_deleted_versions_are_skipped(three_versions: None):
    with tracking.connect() as store:
        for version, before in ((1, None), (2, 1), (3, 2)):
            set_champion(store, "m", version, before)
        store.create_model_version("m", str(Path.cwd()))
        set_champion(store, "m", 4, 3)
        store.set_model_version_tag("m", "3", "rolled_back", "bad")
        store.delete_model_version("m", "2")
        assert restore_champion(store, "m", "bad too") == (1, 4)


def test_a_version_that_was_champion_twice_goes_back_to_what_was_between(three_versions: None):
    with tracking.connect() as store:
        for version, before in ((1, None), (2, 1), (1, 2)):
            set_champion(store, "m", version, before)
        assert restore_champion(store, "m", "x") == (2, 1)


def test_a_version_that_was_set_twice_in_a_row_does_not_go_back_to_itself(three_versions: None):
    with tracking.connect() as store:
        for version, before in ((1, None), (2, 1), (2, 2)):
            set_champion(store, "m", version, before)
        assert restore_champion(store, "m", "x") == (1, 2)


def test_an_interrupted_promotion_does_not_turn_rollback_into_promotion(three_versions: None):
    with tracking.connect() as store:
        set_champion(store, "m", 1, None)
        set_champion(store, "m", 2, 1)
        store.set_registered_model_tag("m", "champions", "[1, 2, 3]")  # noted, but the alias was not moved
        assert restore_champion(store, "m", "x") == (1, 2)
        store.set_registered_model_alias("m", CHAMPION, "3")  # moved by hand, never noted
        assert restore_champion(store, "m", "x") == (1, 3)


def test_the_history_is_bounded(three_versions: None, monkeypatch: pytest.MonkeyPatch):
    from retouch.registry import versions

    monkeypatch.setattr(versions, "LONGEST_HISTORY", 3)
    with tracking.connect() as store:
        for version, before in ((1, None), (2, 1), (1, 2), (3, 1)):
            set_champion(store, "m", version, before)
        assert history(store, "m") == [2, 1, 3]


# Status ---------------------------------------------------------------------------------------------------------------


def test_status_says_what_serves_and_is_json(project: Settings):
    empty = status()
    assert (empty["models"], empty["serving"]) == ({}, "nothing is registered")
    train("idih", 1, 0.5)
    register(project, "idih")
    assert status()["models"]["idih"]["champion"] is None
    assert status()["serving"] == "registered, but nothing has been promoted"
    promote(project, "idih")
    promote_products()
    state = json.loads(json.dumps(status(), allow_nan=False))
    idih = state["models"]["idih"]["champion"]
    assert idih["ratio"] == pytest.approx(0.5, abs=0.02)
    assert idih["data_md5"] == "0123456789abcdef.dir"
    assert idih["promoted_at"]
    assert idih["verdict"]["decision"] == "promote"
    assert set(idih["test_sets"]) == {"hlip", "hscene"}
    product = state["models"][PRODUCT]["champion"]
    assert (product["sources"]["mask"]["model"], product["sources"]["mask"]["version"]) == ("idih", 1)
    assert product["not_compared"] is None
    assert state["serving"] == "serving: harmonizer version 1, idih version 1"


def measure_each(name: str, errors: dict[str, float]) -> None:
    """Scores that differ by benchmark."""
    measure(name, 1.0, 0, list(errors))
    path = Path("reports/models") / name / "per_image.csv"
    lines = path.read_text().splitlines()
    scaled = [line.rsplit(",", 1) for line in lines[1:]]
    path.write_text("\n".join([lines[0], *(f"{head},{float(error) * errors[head.split(',')[0]]}" for head, error in scaled)]))


def test_every_model_of_these_tests_is_one_of_the_samples(project: Settings):
    assert set(OPTIONS) == set(project.models)
