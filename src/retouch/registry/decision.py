"""Whether a model may serve: a pure function of two measurements and a policy. It knows nothing of MLflow."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from retouch.settings import GateSettings

CONFIDENCE = 0.95  # of the one-sided lower bound of the gain
RESAMPLES = 2000
SMALLEST_SLICE = 8  # pictures; the mean of fewer says too little to hold a model back


class Decision(StrEnum):
    """PROMOTE: serve it. HOLD: fit to serve, not shown to be better. REJECT: not fit to serve."""

    PROMOTE = "promote"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True)
class Errors:
    """Per-picture squared errors on one benchmark, all of one length: ids, slice names, MSE before and after."""

    ids: tuple[str, ...]
    slices: tuple[str, ...]  # foreground-size bin of each picture
    composite: np.ndarray  # float64 N
    harmonized: np.ndarray  # float64 N

    @property
    def ratio(self) -> float:
        """Mean harmonized ÷ mean composite MSE; NaN where there is nothing to divide."""
        if not len(self.ids) or not np.mean(self.composite) > 0:
            return float("nan")
        return float(np.mean(self.harmonized) / np.mean(self.composite))


@dataclass(frozen=True)
class Measurement:
    """What one model did on one frozen test set."""

    test_set: str  # hash of the frozen composites
    benchmarks: Mapping[str, Errors]
    withdrawn: str | None = None  # the reason of a rollback that took it back

    @property
    def ratio(self) -> float:
        """Mean over the benchmarks of the MSE ratio."""
        return float(np.mean([errors.ratio for errors in self.benchmarks.values()])) if self.benchmarks else float("nan")


@dataclass(frozen=True)
class Verdict:
    """The decision, why, and the figures it rests on."""

    decision: Decision
    reasons: tuple[str, ...]
    figures: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"decision": str(self.decision)}


def decide(candidate: Measurement, champion: Measurement | None, policy: GateSettings, seed: int = 0) -> Verdict:
    """Compare a candidate with the champion, picture by picture on the same test set.

    REJECT: withdrawn before, a figure that is no number, or a benchmark above `max_mse_ratio`. Without a champion the rest
    is promoted. HOLD: another test set, a gain whose lower bound is not above `min_gain`, or a slice (benchmark × foreground
    size) whose error grew by more than `slice_tolerance`. The same arguments always give the same verdict.
    """
    figures = {f"{name}.mse_ratio": errors.ratio for name, errors in sorted(candidate.benchmarks.items())}
    unfit = list(_unfit(candidate, policy))
    if unfit:
        return Verdict(Decision.REJECT, tuple(unfit), figures)
    if champion is None:
        return Verdict(Decision.PROMOTE, ("no champion yet, and every floor is passed",), figures)
    if not _comparable(candidate, champion):
        return Verdict(Decision.HOLD, ("the champion was measured on another test set: measure it again",), figures)
    if not all(np.isfinite(errors.harmonized).all() for errors in champion.benchmarks.values()):
        return Verdict(Decision.PROMOTE, ("the champion's figures are no numbers, and every floor is passed",), figures)
    gain, bound = gain_of(candidate, champion, seed)
    figures |= {"gain": gain, "gain_lower_bound": bound}
    reasons = list(_worse_slices(candidate, champion, policy.slice_tolerance))
    if not bound > policy.min_gain:
        found = f"{gain:.1%}, with {CONFIDENCE:.0%} confidence above {bound:.1%}"
        reasons.insert(0, f"the gain over the champion is {found}; it must be above {policy.min_gain:.1%}")
    if reasons:
        return Verdict(Decision.HOLD, tuple(reasons), figures)
    better = f"{gain:.1%} less error than the champion, with {CONFIDENCE:.0%} confidence above {bound:.1%}"
    return Verdict(Decision.PROMOTE, (better,), figures)


def _unfit(candidate: Measurement, policy: GateSettings) -> Iterator[str]:
    if candidate.withdrawn is not None:
        yield f"it was withdrawn before: {candidate.withdrawn}"
    if not candidate.benchmarks:
        yield "it was measured on no benchmark"
    for name, errors in sorted(candidate.benchmarks.items()):
        broken = [key for key, error in zip(errors.ids, errors.harmonized, strict=True) if not np.isfinite(error)]
        if broken:
            yield f"{name}: no number for {len(broken)} pictures, {', '.join(broken[:5])}"
        elif not errors.ratio <= policy.max_mse_ratio:
            yield f"{name}: MSE ratio {errors.ratio:.3f} is above gate.max_mse_ratio {policy.max_mse_ratio:g}"


def _comparable(candidate: Measurement, champion: Measurement) -> bool:
    ids = [{name: sorted(errors.ids) for name, errors in side.benchmarks.items()} for side in (candidate, champion)]
    return candidate.test_set == champion.test_set and ids[0] == ids[1]


def gain_of(candidate: Measurement, champion: Measurement, seed: int = 0) -> tuple[float, float]:
    """Relative gain in MSE, mean of the benchmarks, and its lower confidence bound by a paired bootstrap of the pictures.

    Both must hold the same pictures. Every benchmark is resampled on its own, so that each keeps its weight.
    """
    gains, resampled = [], np.zeros(RESAMPLES)
    for number, (name, new, old) in enumerate(_pairs(candidate, champion)):
        gains.append(_relative_gain(new.mean(), old.mean()))
        draw = np.random.default_rng([seed, number, len(name)])
        for at in range(RESAMPLES):
            chosen = draw.integers(0, len(new), len(new))
            resampled[at] += _relative_gain(new[chosen].mean(), old[chosen].mean())
    return float(np.mean(gains)), float(np.quantile(resampled / len(gains), 1 - CONFIDENCE))


def _pairs(candidate: Measurement, champion: Measurement) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for name in sorted(candidate.benchmarks):
        new, old = candidate.benchmarks[name], champion.benchmarks[name]
        yield name, new.harmonized[np.argsort(new.ids)], old.harmonized[np.argsort(old.ids)]


def _relative_gain(new: float, old: float) -> float:
    if old > 0:
        return float(1 - new / old)
    return 0.0 if new == 0 else -1.0  # a perfect champion can only be equalled


def _worse_slices(candidate: Measurement, champion: Measurement, tolerance: float) -> Iterator[str]:
    for name in sorted(candidate.benchmarks):
        errors = candidate.benchmarks[name]
        order = np.argsort(errors.ids)
        bins = np.asarray(errors.slices)[order]
        new = errors.harmonized[order]
        old = champion.benchmarks[name].harmonized[np.argsort(champion.benchmarks[name].ids)]
        for bin_name in sorted(set(errors.slices)):
            inside = bins == bin_name
            if inside.sum() >= SMALLEST_SLICE and new[inside].mean() > old[inside].mean() * (1 + tolerance):
                growth = new[inside].mean() / max(old[inside].mean(), 1e-12) - 1
                yield f"{name}, foreground {bin_name}: error grew by {growth:.1%}, more than {tolerance:.0%}"
