"""Retries of what may succeed later: how often, and how long to wait in between."""

import random
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.nap import sleep_using_event

from retouch.errors import SourceError

T = TypeVar("T")

TRIES = 9  # without a byte of progress: about a minute and a half of waiting
FIRST_TRIES = 3  # while the server has never answered: a wrong address should not take that long
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds; doubled from try to try
LONGEST_RETRY_AFTER = 120.0  # seconds that a server may ask for


class TransientError(Exception):
    """A failure worth another try: a cut connection, a busy server. `retry_after`: seconds that the server asks to wait."""

    def __init__(self, message: str, retry_after: float | None = None, answered: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.answered = answered


class AbortedError(Exception):
    """Another piece of work failed, so this one ends early."""


class Server(Protocol):
    """What retries need to know of a location."""

    name: str
    stop: threading.Event
    has_answered: bool


class Retries:
    """Repeats one piece of work while it raises TransientError; only failures since the last progress count."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._state: RetryCallState | None = None

    def __call__(self, work: Callable[[], T]) -> T:
        """The result of `work`. Raises SourceError when it has failed too often, AbortedError when all work is to stop."""
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=self._is_exhausted,
            wait=_seconds,
            sleep=sleep_using_event(self.server.stop),
            before=self._begin,
            after=self._note_answer,
            retry_error_callback=self._give_up,
        )
        result: T = retrying(work)
        self.server.has_answered = True
        return result

    def progress(self) -> None:
        """Bytes arrived, so earlier failures no longer count. Raises AbortedError when all work is to stop."""
        if self._state is not None:
            self._state.attempt_number = 1
        self._check_stop()

    def _begin(self, state: RetryCallState) -> None:
        self._state = state
        self._check_stop()

    def _check_stop(self) -> None:
        if self.server.stop.is_set():
            raise AbortedError

    def _note_answer(self, state: RetryCallState) -> None:
        self.server.has_answered = self.server.has_answered or _error(state).answered

    def _is_exhausted(self, state: RetryCallState) -> bool:
        return state.attempt_number >= (TRIES if self.server.has_answered else FIRST_TRIES)

    def _give_up(self, state: RetryCallState) -> None:
        raise SourceError(
            f"{self.server.name}: {_error(state)}, {state.attempt_number} times in a row; run the same command again later, "
            "it continues where it stopped"
        ) from None


def _error(state: RetryCallState) -> TransientError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, TransientError)  # nothing else is retried
    return error


def _seconds(state: RetryCallState) -> float:
    """Exponential backoff with jitter, but at least as long as the server asks for."""
    seconds = min(FIRST_WAIT * 2 ** (state.attempt_number - 1), LONGEST_WAIT) * random.uniform(0.75, 1.25)
    after = _error(state).retry_after
    return seconds if after is None else max(seconds, min(after, LONGEST_RETRY_AFTER))
