"""The promotion decision: every rule at its edge, so that a rule that is dropped or moved fails a test."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.registry import decision
from retouch.registry.decision import Decision, Measurement, Scores, Verdict, decide, gain_over
from retouch.settings import GateSettings
from retouch.tasks.base import Metric, quotient

POLICY = GateSettings(max_ratio=0.95, min_gain=0.0, slice_tolerance=0.1)
BENCHMARKS = ("hlip", "hscene")


def measurement(
    factor: float, *, count: int = 60, test_set: str = "frozen", noise: float = 0.0, seed: int = 0, higher: bool = False
) -> Measurement:
    """Prediction = factor × reference, with noise of its own; where higher is better, reference ÷ factor."""
    benchmarks = {}
    for number, name in enumerate(BENCHMARKS):
        reference = np.random.default_rng(number).uniform(50, 500, count)
        jitter = np.random.default_rng([seed, number]).uniform(1 - noise, 1 + noise, count)
        prediction = reference / (factor * jitter) if higher else reference * factor * jitter
        ids = tuple(f"{name}/{at}" for at in range(count))
        slices = tuple("0–0.05" if at % 3 else "0.05–1" for at in range(count))
        benchmarks[name] = Scores(f"{test_set} {name}", ids, slices, reference, prediction)
    return Measurement(benchmarks, higher_is_better=higher)


def changed(measured: Measurement, benchmark: str, **fields: object) -> Measurement:
    scores = dataclasses.replace(measured.benchmarks[benchmark], **fields)
    return dataclasses.replace(measured, benchmarks={**measured.benchmarks, benchmark: scores})


def one_benchmark(new: list[float], old: list[float], slices: list[str] | None = None) -> tuple[Measurement, Measurement]:
    ids = tuple(f"{at:03}" for at in range(len(new)))
    bins = tuple(slices or ["all"] * len(new))
    reference = np.full(len(new), 100.0)
    sides = (Scores("frozen", ids, bins, reference, np.array(side, float)) for side in (new, old))
    candidate, champion = (Measurement({"hlip": side}) for side in sides)
    return candidate, champion


# Fit to serve ---------------------------------------------------------------------------------------------------------


def test_the_first_model_above_the_floors_is_promoted():
    verdict = decide(measurement(0.6), None, POLICY)
    assert verdict.decision is Decision.PROMOTE
    assert verdict.figures["hscene.ratio"] == pytest.approx(0.6)


def test_a_model_below_the_floor_of_one_benchmark_is_rejected_and_that_one_is_named():
    weak = measurement(0.6)
    weak = changed(weak, "hlip", prediction=weak.benchmarks["hlip"].reference * 0.96)
    verdict = decide(weak, None, POLICY)
    assert verdict.decision is Decision.REJECT
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith("hlip: MSE ratio 0.960 is above gate.max_ratio 0.95")


def test_the_floor_itself_passes():
    weak, _ = one_benchmark([95.0] * 10, [95.0] * 10)
    assert weak.ratio == 0.95
    assert decide(weak, None, POLICY).decision is Decision.PROMOTE


def test_one_nan_sample_rejects_and_is_named():
    scores = measurement(0.5).benchmarks["hscene"].prediction.copy()
    scores[7] = np.nan
    verdict = decide(changed(measurement(0.5), "hscene", prediction=scores), measurement(0.9), POLICY)
    assert verdict.decision is Decision.REJECT
    assert "hscene/7" in verdict.reasons[0]


def test_many_broken_samples_are_counted_and_some_are_named():
    scores = measurement(0.5).benchmarks["hscene"].prediction * np.inf
    (reason,) = decide(changed(measurement(0.5), "hscene", prediction=scores), None, POLICY).reasons
    assert "60 samples" in reason
    assert reason.count("hscene/") == 5
    assert reason.endswith(", …")


def test_a_model_measured_on_nothing_is_rejected():
    assert decide(Measurement({}), None, POLICY).decision is Decision.REJECT
    assert np.isnan(Measurement({}).ratio)


def test_a_benchmark_without_samples_or_without_reference_is_rejected():
    empty = Scores("frozen", (), (), np.array([]), np.array([]))
    assert decide(Measurement({"hlip": empty}), None, POLICY).decision is Decision.REJECT
    zero = Scores("frozen", ("a",), ("all",), np.array([0.0]), np.array([0.0]))
    assert np.isnan(Measurement({"hscene": zero}).ratio_of("hscene"))  # whatever the floor is, nothing was shown
    assert decide(Measurement({"hlip": zero}), None, POLICY).decision is Decision.REJECT
    negative = Scores("frozen", ("a",), ("all",), np.array([1.0]), np.array([-1.0]))
    assert decide(Measurement({"hlip": negative}), None, POLICY).decision is Decision.REJECT


def test_a_perfect_model_has_the_ratio_zero():
    perfect, _ = one_benchmark([0.0] * 10, [0.0] * 10)
    assert perfect.ratio == 0
    assert decide(perfect, None, POLICY).decision is Decision.PROMOTE


def test_a_withdrawn_version_is_refused_however_good():
    withdrawn = dataclasses.replace(measurement(0.1), withdrawn="colour cast")
    verdict = decide(withdrawn, None, POLICY)
    assert verdict.decision is Decision.REJECT
    assert "colour cast" in verdict.reasons[0]
    assert decide(dataclasses.replace(withdrawn, withdrawn=""), None, POLICY).decision is Decision.REJECT


# The same data --------------------------------------------------------------------------------------------------------


def test_another_test_set_or_other_samples_are_never_compared():
    assert decide(measurement(0.1), measurement(0.9, test_set="older"), POLICY).decision is Decision.HOLD
    assert decide(measurement(0.1, count=59), measurement(0.9), POLICY).decision is Decision.HOLD


def test_each_benchmark_has_a_hash_of_its_own():
    verdict = decide(measurement(0.1), changed(measurement(0.9), "hlip", test_set="older"), POLICY)
    assert verdict.decision is Decision.HOLD
    assert "hlip" in verdict.reasons[0]
    assert "hscene" not in verdict.reasons[0]


def test_a_benchmark_that_only_the_champion_was_measured_on_does_not_count():
    champion = measurement(0.9)
    candidate = dataclasses.replace(measurement(0.5), benchmarks={"hlip": measurement(0.5).benchmarks["hlip"]})
    verdict = decide(candidate, champion, POLICY)
    assert verdict.decision is Decision.PROMOTE
    assert verdict.figures["gain"] == pytest.approx(1 - 0.5 / 0.9)
    assert decide(champion, candidate, POLICY).decision is Decision.HOLD


# Better than the champion ---------------------------------------------------------------------------------------------


def test_the_same_scores_are_held():
    verdict = decide(measurement(0.6), measurement(0.6), POLICY)
    assert verdict.decision is Decision.HOLD
    assert verdict.figures["gain"] == 0


def test_a_gain_within_the_noise_is_held_and_a_clear_one_promoted():
    champion = measurement(0.60, noise=0.5, seed=1)
    assert decide(measurement(0.595, noise=0.5, seed=2), champion, POLICY).decision is Decision.HOLD
    assert decide(measurement(0.40, noise=0.5, seed=2), champion, POLICY).decision is Decision.PROMOTE


def test_it_is_the_lower_bound_that_must_exceed_min_gain_not_the_mean():
    old = np.linspace(1, 95, 40)
    candidate, champion = one_benchmark(list(old[::-1] * 0.9), list(old))
    verdict = decide(candidate, champion, POLICY)
    assert verdict.figures["gain"] == pytest.approx(0.1)
    assert verdict.figures["gain_lower_bound"] < -0.1
    assert verdict.decision is Decision.HOLD
    assert "the gain over the champion is" in verdict.reasons[0]


def test_the_gain_must_exceed_min_gain():
    policy = POLICY.model_copy(update={"min_gain": 0.2})
    assert decide(measurement(0.55), measurement(0.6), policy).decision is Decision.HOLD
    assert decide(measurement(0.45), measurement(0.6), policy).decision is Decision.PROMOTE
    candidate, champion = one_benchmark([40.0] * 20, [50.0] * 20)
    _, bound = gain_over(candidate, champion)
    at_the_bound = POLICY.model_copy(update={"min_gain": bound})
    assert decide(candidate, champion, at_the_bound).decision is Decision.HOLD


def test_the_bound_is_the_quantile_that_an_independent_bootstrap_gives():
    new, old = measurement(0.5, noise=0.6, seed=3), measurement(0.6, noise=0.6, seed=4)
    generator, resampled = np.random.default_rng(99), []
    for _ in range(4000):
        gains = []
        for name in BENCHMARKS:
            samples = generator.choice(60, 60)
            a, b = (side.benchmarks[name].prediction[samples].mean() for side in (new, old))
            gains.append((b - a) / b)
        resampled.append(np.mean(gains))
    gain, bound = gain_over(new, old)
    assert bound == pytest.approx(np.percentile(resampled, 5), abs=0.01)
    assert gain == pytest.approx(np.mean([1 - new.benchmarks[n].prediction.mean() / old.benchmarks[n].prediction.mean()
                                          for n in BENCHMARKS]))  # fmt: skip


def test_the_samples_are_paired():
    """Every sample gains 10 % of what differs a hundredfold between samples: unpaired, the bound would be far below."""
    old = np.geomspace(1, 95, 40)
    candidate, champion = one_benchmark(list(old * 0.9), list(old))
    assert gain_over(candidate, champion)[1] == pytest.approx(0.1)


def test_the_bootstrap_in_parts_is_the_bootstrap_at_once(monkeypatch: pytest.MonkeyPatch):
    new, old = measurement(0.5, noise=0.6, seed=3), measurement(0.6, noise=0.6, seed=4)
    at_once = gain_over(new, old)
    monkeypatch.setattr(decision, "RESAMPLED_AT_ONCE", 60 * 300)  # the last part is shorter
    assert gain_over(new, old) == at_once
    monkeypatch.setattr(decision, "RESAMPLED_AT_ONCE", 1)
    assert gain_over(new, old) == at_once


def test_another_seed_resamples_anew():
    new, old = measurement(0.5, noise=0.6, seed=3), measurement(0.6, noise=0.6, seed=4)
    assert gain_over(new, old, 1)[1] != gain_over(new, old, 2)[1]
    assert gain_over(new, old, 1)[0] == gain_over(new, old, 2)[0]


def test_a_champion_without_figures_does_not_stay():
    scores = measurement(0.5).benchmarks["hscene"].prediction * np.nan
    champion = changed(measurement(0.5), "hscene", prediction=scores)
    assert decide(measurement(0.6), champion, POLICY).decision is Decision.PROMOTE


def test_nothing_is_better_than_a_perfect_champion():
    candidate, champion = one_benchmark([1e-9] * 10, [0.0] * 10)
    verdict = decide(candidate, champion, POLICY)
    assert verdict.decision is Decision.HOLD
    assert verdict.figures["gain"] == -1
    equal, champion = one_benchmark([0.0] * 10, [0.0] * 10)
    assert decide(equal, champion, POLICY).figures["gain"] == 0


def test_a_quotient_below_one_is_better_in_both_directions():
    assert quotient(1.0, 2.0, False) == 0.5
    assert quotient(1.0, 2.0, True) == 2
    assert quotient(2.0, 1.0, True) == 0.5
    assert quotient(0.0, 0.0, False) == quotient(0.0, 0.0, True) == 1
    assert quotient(1.0, 0.0, False) == quotient(0.0, 1.0, True) == 2
    assert quotient(np.array([1.0, 1.0]), np.array([2.0, 0.0]), False).tolist() == [0.5, 2]


@pytest.mark.parametrize("higher", [False, True])
@pytest.mark.parametrize("figures", [(1.0, 2.0), (2.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_tables_and_the_gate_divide_by_one_rule(figures, higher):
    ratio = Metric("M", "", higher, 2, "").ratio(*figures)
    assert isinstance(ratio, float)
    assert ratio == quotient(*figures, higher)


# Slices ---------------------------------------------------------------------------------------------------------------


def sliced(loss: float, count: int, noise: float = 0.0) -> Verdict:
    """200 samples of one slice become much better, `count` of another worse by `loss`, give or take `noise`."""
    jitter = np.random.default_rng(0).normal(0, noise, count)
    new = [40.0] * 200 + list(80.0 * (1 + loss + jitter - jitter.mean()))
    candidate, champion = one_benchmark(new, [80.0] * (200 + count), ["large"] * 200 + ["small"] * count)
    return decide(candidate, champion, POLICY)


def test_a_better_mean_that_ruins_one_slice_is_held_and_the_slice_named():
    verdict = sliced(0.18, 50)
    assert verdict.decision is Decision.HOLD
    (reason,) = verdict.reasons
    assert reason.startswith("hlip, foreground small: worse by 18.0%, with 95% confidence by more than 18.0%; at most 10%")


def test_a_slice_may_lose_what_is_tolerated():
    assert sliced(0.09, 50).decision is Decision.PROMOTE
    assert sliced(0.11, 50).decision is Decision.HOLD


def test_a_small_slice_does_not_hold_back_by_noise_and_does_when_it_is_clear():
    assert sliced(0.15, 8, noise=0.3).decision is Decision.PROMOTE
    assert sliced(0.15, 400, noise=0.3).decision is Decision.HOLD
    assert sliced(0.18, 8, noise=0.01).decision is Decision.HOLD


def test_slices_of_fewer_than_eight_samples_are_not_judged():
    assert sliced(0.18, 8).decision is Decision.HOLD
    assert sliced(0.18, 7).decision is Decision.PROMOTE


def test_the_loss_of_a_slice_goes_by_direction():
    ids, bins = tuple(f"{at:03}" for at in range(40)), ("large",) * 20 + ("small",) * 20
    old = np.full(40, 0.5)
    new = np.where(np.array(bins) == "large", 0.9, 0.4)
    reference = np.full(40, 0.2)
    candidate, champion = (
        Measurement({"b": Scores("frozen", ids, bins, reference, side)}, "accuracy", higher_is_better=True)
        for side in (new, old)
    )
    verdict = decide(candidate, champion, POLICY)
    assert verdict.decision is Decision.HOLD
    assert "foreground small: worse by 25.0%" in verdict.reasons[0]
    assert verdict.figures["gain"] > 0


# Properties -----------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 2.0), st.floats(0.05, 2.0), st.integers(0, 5), st.booleans())
def test_never_a_worse_model_and_always_the_same_verdict(new: float, old: float, seed: int, higher: bool):
    candidate = measurement(new, noise=0.3, seed=seed, higher=higher)
    champion = measurement(old, noise=0.3, seed=seed + 10, higher=higher)
    verdict = decide(candidate, champion, POLICY)
    assert verdict == decide(candidate, champion, POLICY)
    if verdict.decision is Decision.PROMOTE:
        assert candidate.ratio < champion.ratio
        assert all(candidate.ratio_of(name) <= POLICY.max_ratio for name in BENCHMARKS)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)), st.floats(0.2, 1.2))
def test_the_order_of_the_rows_does_not_matter(order: list[int], factor: float):
    candidate, champion = measurement(factor, noise=0.4, seed=1), measurement(0.6, noise=0.4, seed=2)
    scores = candidate.benchmarks["hlip"]
    shuffled = changed(
        candidate,
        "hlip",
        ids=tuple(scores.ids[at] for at in order),
        slices=tuple(scores.slices[at] for at in order),
        reference=scores.reference[order],
        prediction=scores.prediction[order],
    )
    expected, verdict = decide(candidate, champion, POLICY), decide(shuffled, champion, POLICY)
    assert (verdict.decision, verdict.reasons) == (expected.decision, expected.reasons)
    assert verdict.figures == pytest.approx(expected.figures)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.1, 0.99))
def test_lowering_every_error_never_loses_a_promotion(factor: float, shrink: float):
    champion = measurement(0.6, noise=0.3, seed=7)
    candidate = measurement(factor, noise=0.3, seed=8)
    lower = {
        name: dataclasses.replace(scores, prediction=scores.prediction * shrink)
        for name, scores in candidate.benchmarks.items()
    }
    if decide(candidate, champion, POLICY).decision is Decision.PROMOTE:
        assert decide(dataclasses.replace(candidate, benchmarks=lower), champion, POLICY).decision is Decision.PROMOTE


def test_a_verdict_is_valid_json_whatever_its_figures():
    verdict = Verdict(Decision.HOLD, ("why",), {"a": float("nan"), "b": float("inf"), "c": 0.5})
    text = json.dumps(verdict.as_dict(), allow_nan=False)
    assert json.loads(text) == {"decision": "hold", "reasons": ["why"], "figures": {"a": None, "b": None, "c": 0.5}}


def test_the_decision_knows_nothing_of_mlflow():
    code = "import sys, retouch.registry.decision; sys.exit('mlflow' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
