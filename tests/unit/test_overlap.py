"""Many items in work at once: each is done once, in order, within bounds, whatever happens to the others."""

import threading
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retouch.inference.overlap import Steps, process

PHASES = ("pixels", "read", "compute", "write", "")


@dataclass
class Work:
    """Steps that record what they do; item i fails in the phase `fails[i]`."""

    fails: list[str]
    sizes: list[int]
    events: list[tuple[str, int]] = field(default_factory=list)
    in_work: set[int] = field(default_factory=set)
    most_pixels: int = 0
    most_items: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, phase: str, item: int) -> None:
        with self.lock:
            self.events.append((phase, item))
            if phase == "read":
                self.in_work.add(item)
            self.most_items = max(self.most_items, len(self.in_work))
            self.most_pixels = max(self.most_pixels, sum(self.sizes[one] for one in self.in_work))
            fails = self.fails[item] == phase
            if fails or phase == "write":
                self.in_work.discard(item)
        if fails:
            raise ValueError(f"{phase} {item}")

    def read(self, item: int) -> int:
        self.step("read", item)
        return item + 100

    def compute(self, item: int, inputs: int) -> int:
        assert inputs == item + 100
        self.step("compute", item)
        return item + 200

    def write(self, item: int, inputs: int, result: int) -> int:
        assert (inputs, result) == (item + 100, item + 200)
        self.step("write", item)
        return item + 300

    def pixels(self, item: int) -> int:
        if self.fails[item] == "pixels":
            raise ValueError(f"pixels {item}")
        return self.sizes[item]

    def steps(self, prepare=lambda: None) -> Steps:
        return Steps(self.read, self.compute, self.write, self.pixels, prepare)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(PHASES), st.integers(0, 30)), max_size=20),
    st.integers(1, 3),
    st.integers(1, 60),
)
def test_every_item_has_its_outcome_in_order_and_within_bounds(items, jobs, max_pixels):
    work = Work([phase for phase, _ in items], [size for _, size in items])
    outcomes = list(process(range(len(items)), work.steps(), jobs, max_pixels))
    assert [outcome.item for outcome in outcomes] == list(range(len(items)))
    for outcome, phase in zip(outcomes, work.fails, strict=True):
        assert (outcome.output is None) == bool(phase) == (outcome.error is not None)
        assert str(outcome.error or f"{phase} {outcome.item}") == f"{phase} {outcome.item}"
        assert outcome.output in (None, outcome.item + 300)
    assert len(set(work.events)) == len(work.events)
    assert work.most_items <= 2 * jobs + 1
    assert work.most_pixels <= max(max_pixels, *work.sizes, 0)


def test_reading_computing_and_writing_overlap():
    def pause(*_):
        time.sleep(0.05)
        return 1

    start = time.perf_counter()
    assert len(list(process(range(10), Steps(pause, pause, pause), 1))) == 10
    assert time.perf_counter() - start < 1.3  # 1.5 s one after the other, 0.6 s overlapped


def test_what_compute_needs_is_prepared_once_while_the_first_items_are_read():
    reading, calls = threading.Event(), []
    work = Work(["", ""], [1, 1])

    def read(item):
        reading.set()
        return work.read(item)

    def prepare():
        assert reading.wait(5)
        calls.append("prepare")

    steps = Steps(read, work.compute, work.write, prepare=prepare)
    assert [outcome.error for outcome in process([0, 1], steps, 2)] == [None, None]
    assert calls == ["prepare"]


def test_a_preparation_that_fails_ends_all_and_is_not_tried_for_items_that_are_none():
    def prepare():
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        list(process([0, 1], Work(["", ""], [1, 1]).steps(prepare), 1))
    assert len(list(process([0, 1], Work(["pixels"] * 2, [1, 1]).steps(prepare), 1))) == 2


def test_a_caller_that_stops_leaves_nothing_half_written():
    begun, ended = [], []

    def write(item, *_):
        begun.append(item)
        time.sleep(0.05)
        ended.append(item)
        return item

    outcomes = process(range(50), Steps(lambda item: item, lambda *_: 0, write), 2)
    next(outcomes)
    outcomes.close()
    assert begun == sorted(ended)
    assert len(ended) < 50
