"""The learning rate of a step, and where in the schedule a training is."""

import time
from collections.abc import Callable

from retouch.settings import ModelSettings


def learning_rate(settings: ModelSettings, position: float) -> float:
    """The rate at a position in steps: multiplied by gamma at each milestone, a share of the phase's steps.

    Where the task's settings have an adversarial phase, it has a rate and milestones of its own.
    """
    second = getattr(settings, "adversarial", None)
    border = settings.steps * (second.begin if second else 1.0)
    if second is not None and position >= border:
        begin, end, rate, milestones = border, float(settings.steps), second.learning_rate, second.milestones
    else:
        begin, end, rate, milestones = 0.0, border, settings.learning_rate, settings.milestones
    return float(rate * settings.gamma ** sum(position >= begin + share * (end - begin) for share in milestones))


class Clock:
    """How far a training is: in steps, or by time where `minutes` limits it. All processes agree, as they ask rank 0.

    `elapsed` are the seconds before an interruption, `broadcast` gives a value of rank 0 to all processes.
    """

    def __init__(self, settings: ModelSettings, elapsed: float, broadcast: Callable[[float], float]) -> None:
        self.settings, self._broadcast = settings, broadcast
        self._start = time.monotonic() - elapsed
        self._limit = None if settings.minutes is None else 60 * settings.minutes

    def seconds(self) -> float:
        """Time in training on this process, that before an interruption included."""
        return time.monotonic() - self._start

    def position(self, step: int) -> float:
        """The step, or the later place in the schedule that the time has reached; ≥ `steps` when the training is to end.

        With `minutes` every process must call this once a step.
        """
        if self._limit is None:
            return step
        return self._broadcast(max(float(step), self.settings.steps * self.seconds() / self._limit))
