"""How often a failed piece of work is done again, how long is waited in between, and what the transfer log forgets."""

import threading
from dataclasses import dataclass, field

import pytest

from retouch.errors import SourceError
from retouch.storage import retries
from retouch.storage.retries import AbortedError, Retries, TransientError
from retouch.storage.transfer_log import TransferLog


@dataclass
class Server:
    """A location that is never asked; `stop` remembers how long was waited."""

    name: str = "server"
    has_answered: bool = False
    stop: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The seconds between tries, none of which are waited."""
    seconds: list[float] = []
    monkeypatch.setattr(threading.Event, "wait", lambda event, timeout=None: seconds.append(timeout))
    return seconds


def failing(*errors: TransientError):
    """Work that fails with each error in turn, then succeeds."""
    queue = list(errors)

    def work() -> str:
        if queue:
            raise queue.pop(0)
        return "done"

    return work


def busy(retry_after: float | None = None, answered: bool = True) -> TransientError:
    return TransientError("busy", retry_after, answered)


def test_waits_double_up_to_a_bound(waits):
    assert Retries(Server())(failing(*[busy()] * 8)) == "done"
    for seconds, expected in zip(waits, (0.5, 1, 2, 4, 8, 16, 30, 30), strict=True):
        assert 0.75 * expected <= seconds <= 1.25 * expected


def test_a_server_that_answers_gets_nine_tries_and_one_that_never_did_three(waits):
    server = Server()
    with pytest.raises(SourceError, match="server: busy, 3 times in a row; run the same command again later"):
        Retries(server)(failing(*[busy(answered=False)] * 3))
    assert Retries(server)(failing(busy(answered=False), *[busy()] * 7)) == "done"
    assert server.has_answered
    with pytest.raises(SourceError, match="9 times in a row"):
        Retries(server)(failing(*[busy(answered=False)] * 9))


def test_a_server_is_waited_for_as_long_as_it_asks_but_not_for_ever(waits):
    Retries(Server())(failing(busy(retry_after=50), busy(retry_after=0.1), busy(retry_after=3600)))
    assert waits[0] == 50
    assert 0.75 <= waits[1] <= 1.25
    assert waits[2] == retries.LONGEST_RETRY_AFTER


def test_only_failures_since_the_last_progress_count(waits):
    again = Retries(Server(has_answered=True))
    left = [30]

    def work() -> str:
        left[0] -= 1
        if not left[0]:
            return "done"
        again.progress()
        raise busy()

    assert again(work) == "done"
    assert max(waits) < 1


def test_other_errors_are_not_retried_and_work_ends_when_other_work_failed(waits):
    server, calls = Server(), []

    def work() -> None:
        calls.append(1)
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        Retries(server)(work)
    assert len(calls) == 1
    server.stop.set()
    with pytest.raises(AbortedError):
        Retries(server)(work)
    with pytest.raises(AbortedError):
        Retries(server).progress()
    assert len(calls) == 1


def test_a_line_of_the_log_that_was_cut_off_costs_that_line_only(tmp_path):
    files = [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    log = TransferLog(tmp_path / "log.jsonl", "here")
    for file in files[:2]:
        file.write_text(file.name)
        log.add(file.name, "tag", "", file)
    text = (tmp_path / "log.jsonl").read_text()
    (tmp_path / "log.jsonl").write_text(text[:-9])
    log = TransferLog(tmp_path / "log.jsonl", "here")
    assert set(log.records) == {"a.jpg"}
    files[2].write_text("c")
    log.add("c.jpg", "tag", "", files[2])
    assert set(TransferLog(tmp_path / "log.jsonl", "here").records) == {"a.jpg", "c.jpg"}
    assert TransferLog(tmp_path / "log.jsonl", "elsewhere").records == {}
