"""Whether a model may serve: a pure function of two measurements and a policy. It knows nothing of MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from retouch.tasks.base import quotient

if TYPE_CHECKING:
    from retouch.settings import GateSettings

CONFIDENCE = 0.95  # of every one-sided bound
RESAMPLES = 2000
SMALLEST_SLICE = 8  # samples; fewer resample to too few different means for a bound
RESAMPLED_AT_ONCE = 2**22  # values: bounds the memory that a bootstrap takes
MOST_IDS = 5  # that a reason names


class Decision(StrEnum):
    """PROMOTE: serve it. HOLD: fit to serve, not shown to be better. REJECT: not fit to serve."""

    PROMOTE = "promote"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True)
class Scores:
    """The primary metric of every sample of one benchmark; all fields but the first are of one length."""

    test_set: str  # SHA-256 of the benchmark's file
    ids: tuple[str, ...]
    slices: tuple[str, ...]  # bin of foreground ratio
    reference: np.ndarray  # float64 N: of doing nothing, or of a constant answer
    prediction: np.ndarray  # float64 N

    def in_order(self) -> Scores:
        """The same scores, sorted by id."""
        order = np.argsort(self.ids)
        ids, slices = (tuple(values[at] for at in order) for values in (self.ids, self.slices))
        return Scores(self.test_set, ids, slices, self.reference[order], self.prediction[order])


@dataclass(frozen=True)
class Measurement:
    """What one model scored on its frozen test sets."""

    benchmarks: Mapping[str, Scores]
    metric: str = "MSE"
    higher_is_better: bool = False
    withdrawn: str | None = None  # the reason of the rollback that took it back

    def ratio_of(self, benchmark: str) -> float:
        """Mean prediction ÷ mean reference, inverted where higher is better: below 1 is better. NaN with nothing to divide."""
        scores = self.benchmarks[benchmark]
        if not scores.ids or not (np.mean(scores.reference) > 0 and np.mean(scores.prediction) >= 0):
            return math.nan
        return float(quotient(np.mean(scores.prediction), np.mean(scores.reference), self.higher_is_better))

    @property
    def ratio(self) -> float:
        """Mean of the benchmarks' ratios; NaN without any."""
        return float(np.mean([self.ratio_of(name) for name in self.benchmarks])) if self.benchmarks else math.nan


@dataclass(frozen=True)
class Verdict:
    """The decision, why, and the figures that it rests on."""

    decision: Decision
    reasons: tuple[str, ...]
    figures: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, which has no NaN: what is not finite is None."""
        figures = {key: value if math.isfinite(value) else None for key, value in self.figures.items()}
        return {"decision": str(self.decision), "reasons": list(self.reasons), "figures": figures}


def decide(candidate: Measurement, champion: Measurement | None, policy: GateSettings, seed: int = 0) -> Verdict:
    """Compare a candidate with the champion, sample by sample on the same test sets.

    REJECT: withdrawn before, a figure that is not finite, or a benchmark above `max_ratio`. Without a champion the rest is
    promoted. HOLD: a benchmark on which the champion was not measured, or on other data; a gain whose lower bound is not above
    `min_gain`; or a slice (benchmark × foreground size) whose loss is above `slice_tolerance` with confidence.
    The same arguments always give the same verdict.
    """
    figures = {f"{name}.ratio": candidate.ratio_of(name) for name in sorted(candidate.benchmarks)}
    if defects := tuple(_defects(candidate, policy)):
        return Verdict(Decision.REJECT, defects, figures)
    if champion is None:
        return Verdict(Decision.PROMOTE, ("no champion yet, and every floor is passed",), figures)
    if unmatched := [name for name in sorted(candidate.benchmarks) if not _same_samples(name, candidate, champion)]:
        reason = f"the champion was not measured on these test sets: {', '.join(unmatched)}; measure it again"
        return Verdict(Decision.HOLD, (reason,), figures)
    if not all(np.isfinite(champion.benchmarks[name].prediction).all() for name in candidate.benchmarks):
        return Verdict(Decision.PROMOTE, ("the champion's figures are not finite, and every floor is passed",), figures)
    gain, bound = gain_over(candidate, champion, seed)
    figures |= {"gain": gain, "gain_lower_bound": bound}
    reasons = list(_worse_slices(candidate, champion, policy.slice_tolerance, seed))
    if not bound > policy.min_gain:
        measured = f"{gain:.1%}, with {CONFIDENCE:.0%} confidence above {bound:.1%}"
        reasons.insert(0, f"the gain over the champion is {measured}; it must be above {policy.min_gain:.1%}")
    if reasons:
        return Verdict(Decision.HOLD, tuple(reasons), figures)
    better = f"{gain:.1%} better than the champion by {candidate.metric}, with {CONFIDENCE:.0%} confidence above {bound:.1%}"
    return Verdict(Decision.PROMOTE, (better,), figures)


def gain_over(candidate: Measurement, champion: Measurement, seed: int = 0) -> tuple[float, float]:
    """Relative gain in the primary metric, mean of the candidate's benchmarks, and its lower confidence bound.

    The bound is of a paired bootstrap of the samples; both must hold the same samples. Every benchmark is resampled on its own,
    so that each keeps its weight.
    """
    gains, resampled = [], np.zeros(RESAMPLES)
    for name, new, old in _pairs(candidate, champion):
        gains.append(1 - quotient(new.prediction.mean(), old.prediction.mean(), candidate.higher_is_better))
        means = _resampled_means(new.prediction, old.prediction, _stream(seed, name))
        resampled += 1 - quotient(*means, candidate.higher_is_better)
    return float(np.mean(gains)), float(np.quantile(resampled / len(gains), 1 - CONFIDENCE))


def _defects(candidate: Measurement, policy: GateSettings) -> Iterator[str]:
    if candidate.withdrawn is not None:
        yield f"it was withdrawn before: {candidate.withdrawn}"
    if not candidate.benchmarks:
        yield "it was measured on no benchmark"
    for name, scores in sorted(candidate.benchmarks.items()):
        pairs = zip(scores.ids, scores.prediction, strict=True)
        broken = [key for key, score in pairs if not np.isfinite(score)]
        ratio = candidate.ratio_of(name)
        if broken:
            more = ", …" if len(broken) > MOST_IDS else ""
            yield f"{name}: no finite {candidate.metric} for {len(broken)} samples, {', '.join(broken[:MOST_IDS])}{more}"
        elif not ratio <= policy.max_ratio:
            yield f"{name}: {candidate.metric} ratio {ratio:.3f} is above gate.max_ratio {policy.max_ratio:g}"


def _same_samples(name: str, candidate: Measurement, champion: Measurement) -> bool:
    new, old = candidate.benchmarks[name], champion.benchmarks.get(name)
    return old is not None and new.test_set == old.test_set and sorted(new.ids) == sorted(old.ids)


def _pairs(candidate: Measurement, champion: Measurement) -> Iterator[tuple[str, Scores, Scores]]:
    for name in sorted(candidate.benchmarks):
        yield name, candidate.benchmarks[name].in_order(), champion.benchmarks[name].in_order()


def _stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one benchmark or slice, whatever others there are."""
    return np.random.default_rng([seed, crc32(name.encode())])


def _resampled_means(new: np.ndarray, old: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Means of both over the same samples, drawn with replacement, RESAMPLES times."""
    rows = max(1, RESAMPLED_AT_ONCE // len(new))
    parts = []
    for start in range(0, RESAMPLES, rows):
        samples = generator.integers(0, len(new), (min(rows, RESAMPLES - start), len(new)))
        parts.append((new[samples].mean(axis=1), old[samples].mean(axis=1)))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _worse_slices(candidate: Measurement, champion: Measurement, tolerance: float, seed: int) -> Iterator[str]:
    """A reason for every slice that is worse by more than `tolerance`, with confidence: noise alone holds nothing back."""
    for name, new, old in _pairs(candidate, champion):
        for bin_name in sorted(set(new.slices)):
            inside = np.array([bin_name == other for other in new.slices])
            if inside.sum() < SMALLEST_SLICE:
                continue
            sides = new.prediction[inside], old.prediction[inside]
            loss = quotient(sides[0].mean(), sides[1].mean(), candidate.higher_is_better) - 1
            losses = quotient(*_resampled_means(*sides, _stream(seed, f"{name}/{bin_name}")), candidate.higher_is_better) - 1
            bound = float(np.quantile(losses, 1 - CONFIDENCE))
            if bound > tolerance:
                measured = f"{loss:.1%}, with {CONFIDENCE:.0%} confidence by more than {bound:.1%}"
                yield f"{name}, foreground {bin_name}: worse by {measured}; at most {tolerance:.0%} is allowed"
