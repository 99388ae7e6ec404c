import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.registry.decision import Decision, Errors, Measurement, decide, gain_of
from retouch.settings import GateSettings

POLICY = GateSettings(max_mse_ratio=0.95, min_gain=0.0, slice_tolerance=0.1)
BENCHMARKS = ("hlip", "hscene")


def measurement(factor: float, *, count: int = 60, test_set: str = "frozen", noise: float = 0.0, seed: int = 0) -> Measurement:
    """Harmonized error = factor × composite error, with noise of its own."""
    benchmarks = {}
    for number, name in enumerate(BENCHMARKS):
        composite = np.random.default_rng(number).uniform(50, 500, count)
        jitter = np.random.default_rng([seed, number]).uniform(1 - noise, 1 + noise, count)
        ids = tuple(f"{name}/{at}" for at in range(count))
        slices = tuple("0–0.05" if at % 3 else "0.05–1" for at in range(count))
        benchmarks[name] = Errors(ids, slices, composite, composite * factor * jitter)
    return Measurement(test_set, benchmarks)


def changed(measured: Measurement, benchmark: str, **fields: object) -> Measurement:
    errors = dataclasses.replace(measured.benchmarks[benchmark], **fields)
    return dataclasses.replace(measured, benchmarks={**measured.benchmarks, benchmark: errors})


def test_the_first_model_above_the_floors_is_promoted():
    verdict = decide(measurement(0.6), None, POLICY)
    assert verdict.decision is Decision.PROMOTE
    assert verdict.figures["hscene.mse_ratio"] == pytest.approx(0.6)


def test_a_model_below_the_floor_of_one_benchmark_is_rejected_and_that_one_is_named():
    weak = measurement(0.6)
    weak = changed(weak, "hlip", harmonized=weak.benchmarks["hlip"].composite * 0.96)
    verdict = decide(weak, None, POLICY)
    assert verdict.decision is Decision.REJECT
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith("hlip: MSE ratio 0.960")


def test_one_nan_picture_rejects_and_is_named():
    errors = measurement(0.5).benchmarks["hscene"].harmonized.copy()
    errors[7] = np.nan
    verdict = decide(changed(measurement(0.5), "hscene", harmonized=errors), measurement(0.9), POLICY)
    assert verdict.decision is Decision.REJECT
    assert "hscene/7" in verdict.reasons[0]


def test_a_model_measured_on_nothing_is_rejected():
    assert decide(Measurement("frozen", {}), None, POLICY).decision is Decision.REJECT


def test_a_withdrawn_version_is_refused_however_good():
    withdrawn = dataclasses.replace(measurement(0.1), withdrawn="colour cast")
    verdict = decide(withdrawn, None, POLICY)
    assert verdict.decision is Decision.REJECT
    assert "colour cast" in verdict.reasons[0]


def test_another_test_set_or_other_pictures_are_never_compared():
    assert decide(measurement(0.1), measurement(0.9, test_set="older"), POLICY).decision is Decision.HOLD
    assert decide(measurement(0.1, count=59), measurement(0.9), POLICY).decision is Decision.HOLD


def test_the_same_errors_are_held():
    verdict = decide(measurement(0.6), measurement(0.6), POLICY)
    assert verdict.decision is Decision.HOLD
    assert verdict.figures["gain"] == 0


def test_a_gain_within_the_noise_is_held_and_a_clear_one_promoted():
    champion = measurement(0.60, noise=0.5, seed=1)
    assert decide(measurement(0.595, noise=0.5, seed=2), champion, POLICY).decision is Decision.HOLD
    assert decide(measurement(0.40, noise=0.5, seed=2), champion, POLICY).decision is Decision.PROMOTE


def test_the_gain_must_exceed_min_gain():
    policy = POLICY.model_copy(update={"min_gain": 0.2})
    assert decide(measurement(0.55), measurement(0.6), policy).decision is Decision.HOLD
    assert decide(measurement(0.45), measurement(0.6), policy).decision is Decision.PROMOTE


def test_a_better_mean_that_ruins_one_slice_is_held_and_the_slice_named():
    champion, candidate = measurement(0.6), measurement(0.3)
    errors = candidate.benchmarks["hlip"]
    small = np.array(errors.slices) == "0.05–1"
    ruined = np.where(small, champion.benchmarks["hlip"].harmonized * 1.2, errors.harmonized)
    verdict = decide(changed(candidate, "hlip", harmonized=ruined), champion, POLICY)
    assert verdict.decision is Decision.HOLD
    assert verdict.reasons == ("hlip, foreground 0.05–1: error grew by 20.0%, more than 10%",)


def test_a_champion_without_figures_does_not_stay():
    errors = measurement(0.5).benchmarks["hscene"].harmonized * np.nan
    assert decide(measurement(0.6), changed(measurement(0.5), "hscene", harmonized=errors), POLICY).decision is Decision.PROMOTE


def test_the_bound_is_the_quantile_that_an_independent_bootstrap_gives():
    new, old = measurement(0.5, noise=0.6, seed=3), measurement(0.6, noise=0.6, seed=4)
    generator, draws = np.random.default_rng(99), []
    for _ in range(4000):
        gains = []
        for name in BENCHMARKS:
            chosen = generator.choice(60, 60)
            a, b = (side.benchmarks[name].harmonized[chosen].mean() for side in (new, old))
            gains.append((b - a) / b)
        draws.append(np.mean(gains))
    assert gain_of(new, old)[1] == pytest.approx(np.percentile(draws, 5), abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 2.0), st.floats(0.05, 2.0), st.integers(0, 5))
def test_never_a_worse_model_and_always_the_same_verdict(new: float, old: float, seed: int):
    candidate, champion = measurement(new, noise=0.3, seed=seed), measurement(old, noise=0.3, seed=seed + 10)
    verdict = decide(candidate, champion, POLICY)
    assert verdict == decide(candidate, champion, POLICY)
    if verdict.decision is Decision.PROMOTE:
        assert candidate.ratio < champion.ratio
        assert all(errors.ratio <= POLICY.max_mse_ratio for errors in candidate.benchmarks.values())


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)), st.floats(0.2, 1.2))
def test_the_order_of_the_rows_does_not_matter(order: list[int], factor: float):
    candidate, champion = measurement(factor, noise=0.4, seed=1), measurement(0.6, noise=0.4, seed=2)
    errors = candidate.benchmarks["hlip"]
    shuffled = changed(
        candidate,
        "hlip",
        ids=tuple(errors.ids[at] for at in order),
        slices=tuple(errors.slices[at] for at in order),
        composite=errors.composite[order],
        harmonized=errors.harmonized[order],
    )
    assert decide(shuffled, champion, POLICY).decision is decide(candidate, champion, POLICY).decision


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.1, 0.99))
def test_lowering_every_error_never_loses_a_promotion(factor: float, shrink: float):
    champion = measurement(0.6, noise=0.3, seed=7)
    candidate = measurement(factor, noise=0.3, seed=8)
    lower = {
        name: dataclasses.replace(errors, harmonized=errors.harmonized * shrink)
        for name, errors in candidate.benchmarks.items()
    }
    if decide(candidate, champion, POLICY).decision is Decision.PROMOTE:
        assert decide(dataclasses.replace(candidate, benchmarks=lower), champion, POLICY).decision is Decision.PROMOTE


def test_the_decision_knows_nothing_of_mlflow():
    import subprocess
    import sys

    code = "import sys, retouch.registry.decision; sys.exit('mlflow' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
