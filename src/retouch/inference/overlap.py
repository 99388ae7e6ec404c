"""Work on many files: threads read ahead and write behind while one thread computes, in bounded memory and in order."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from retouch.errors import RetouchError

Item = TypeVar("Item")
Inputs = TypeVar("Inputs")
Result = TypeVar("Result")
Output = TypeVar("Output")

MAX_PIXELS = 100_000_000
"""Pixels of all pictures in work at once, of some 10 bytes each; a larger picture is in work alone."""


@dataclass(frozen=True)
class Outcome(Generic[Item, Output]):
    """What became of one item: what `write` returned, or the error that ended it; seconds of work on it, without waiting."""

    item: Item
    output: Output | None = None
    error: Exception | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Steps(Generic[Item, Inputs, Result, Output]):
    """The work on one item. Threads run `read` and `write`, several at a time; the calling thread runs `compute`, in turn."""

    read: Callable[[Item], Inputs]
    compute: Callable[[Item, Inputs], Result]
    write: Callable[[Item, Inputs, Result], Output]
    pixels: Callable[[Item], int] = lambda item: 0
    """How large an item is, before it is read."""
    prepare: Callable[[], None] = lambda: None
    """What `compute` needs once; it runs while the first items are read. What it raises ends all work."""


def process(
    items: Iterable[Item], steps: Steps[Item, Inputs, Result, Output], jobs: int, max_pixels: int = MAX_PIXELS
) -> Iterator[Outcome[Item, Output]]:
    """Yield the outcome of every item, in the order of `items`. An exception in one item ends that item only.

    `jobs` threads read and as many write. At most 2 · `jobs` + 1 items are in work, of at most `max_pixels` together. When the
    caller stops early, what is being written is finished and nothing else begins.
    """
    readers, writers = ThreadPoolExecutor(jobs, "read"), ThreadPoolExecutor(jobs, "write")
    try:
        yield from _Process(items, steps, 2 * jobs + 1, max_pixels, readers, writers).run()
    finally:
        for pool in (readers, writers):
            pool.shutdown(cancel_futures=True)


class _Task:
    """An item in work."""

    def __init__(self, item: Any) -> None:
        self.item = item
        self.pixels = 0
        self.future: Future | None = None  # of reading, later of writing
        self.error: Exception | None = None
        self.seconds = 0.0

    def time(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """The result of `work`; its seconds are added."""
        start = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            self.seconds += time.perf_counter() - start


class _Process:
    """The state of `process`. Only the calling thread touches it."""

    def __init__(
        self,
        items: Iterable[Any],
        steps: Steps,
        max_tasks: int,
        max_pixels: int,
        readers: ThreadPoolExecutor,
        writers: ThreadPoolExecutor,
    ) -> None:
        self.items, self.steps = iter(items), steps
        self.max_tasks, self.max_pixels = max_tasks, max_pixels
        self.readers, self.writers = readers, writers
        self.next: _Task | None = None  # that there was no room for
        self.reading: deque[_Task] = deque()
        self.writing: deque[_Task] = deque()
        self.tasks = self.pixels = 0
        self.prepared = False

    def run(self) -> Iterator[Outcome]:
        """See `process`."""
        self.read_ahead()
        while self.reading:
            self.compute(self.reading.popleft())
            self.read_ahead()
            while self.writing and (not self.reading or _done(self.writing[0])):
                task = self.writing.popleft()
                output = self.finish(task)
                yield Outcome(task.item, output, task.error, task.seconds)
                self.read_ahead()

    def read_ahead(self) -> None:
        """Start to read items while there is room."""
        while (task := self.following()) is not None and self.has_room(task):
            self.next = None
            self.tasks += 1
            self.pixels += task.pixels
            if task.error is None:
                task.future = self.readers.submit(task.time, self.steps.read, task.item)
            self.reading.append(task)

    def following(self) -> _Task | None:
        if self.next is None:
            for item in self.items:
                self.next = _Task(item)
                try:
                    self.next.pixels = self.steps.pixels(item)
                except Exception as error:
                    self.next.error = error
                break
        return self.next

    def has_room(self, task: _Task) -> bool:
        return not self.tasks or (self.tasks < self.max_tasks and self.pixels + task.pixels <= self.max_pixels)

    def compute(self, task: _Task) -> None:
        """Compute a task and have it written, or note its error."""
        if task.future is not None:
            if not self.prepared:
                self.steps.prepare()
                self.prepared = True
            try:
                inputs = task.future.result()
                result = task.time(self.steps.compute, task.item, inputs)
                task.future = self.writers.submit(task.time, self.steps.write, task.item, inputs, result)
            except Exception as error:
                task.error, task.future = _light(error), None
        self.writing.append(task)

    def finish(self, task: _Task) -> Any:
        """What `write` returned, once it has; None where there was an error."""
        output = None
        if task.future is not None:
            try:
                output = task.future.result()
            except Exception as error:
                task.error = _light(error)
        task.future = None  # with it the pixels go
        self.tasks -= 1
        self.pixels -= task.pixels
        return output


def _light(error: Exception) -> Exception:
    """The error; one that users can fix without its traceback, which would keep the pixels of the frames that it shows."""
    return error.with_traceback(None) if isinstance(error, RetouchError) else error


def _done(task: _Task) -> bool:
    return task.future is None or task.future.done()
