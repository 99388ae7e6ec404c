"""Which of several models' champions is best: a pure function, which never compares figures of different data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Candidate:
    """A champion with its ratio (below 1 is better than doing nothing) on each test set, by benchmark and SHA-256."""

    name: str
    version: int
    ratios: Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Choice:
    """The best candidate, and those that no test set could compare with it."""

    best: Candidate
    not_compared: tuple[Candidate, ...] = ()


def choose(candidates: Sequence[Candidate], serving: str | None) -> Choice:
    """The candidate with the lowest mean ratio over the test sets that all compared candidates share.

    `serving` is the name of the model that serves now. It is compared first, then the others from the one measured on the most
    test sets down, and by name; one that shares no test set with all those before it is set aside. Ties go to the first.
    """
    first, *others = sorted(candidates, key=lambda one: (one.name != serving, -len(one.ratios), one.name))
    compared, not_compared, shared = [first], [], set(first.ratios)
    for other in others:
        if common := shared & other.ratios.keys():
            shared = common
            compared.append(other)
        else:
            not_compared.append(other)
    best = min(compared, key=lambda one: fmean(one.ratios[test_set] for test_set in shared))
    return Choice(best, tuple(not_compared))
