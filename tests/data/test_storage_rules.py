"""When a file that arrived is kept, when it is fetched again, and when an earlier one still counts."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from retouch.errors import SourceError
from retouch.storage.fetching import fetch_items
from retouch.storage.listing import Item
from retouch.storage.location import AddBytes, Location
from retouch.storage.progress import ProgressBar
from retouch.storage.transfer_log import TransferLog

ITEM = Item("a", "a", 4, "old", None)


class Shelf(Location):
    """Gives one file: each time it is read, the next of `contents`; `now` is the item as it is upstream."""

    name = "shelf"

    def __init__(self, *contents: bytes, now: Item = ITEM) -> None:
        super().__init__()
        self.contents, self.now = list(contents), now

    def items(self, folders: tuple[str, ...]) -> list[Item]:
        return [ITEM]

    def pieces(self, item: Item, partial: Path, add_bytes: AddBytes) -> list[Callable[[], None]]:
        def piece() -> None:
            partial.write_bytes(self.contents.pop(0))

        return [piece]

    def refresh(self, item: Item) -> Item:
        return self.now


def fetch(location: Location, item: Item, folder: Path) -> dict[str, tuple[str | None, bytes, str]]:
    """What was delivered: path → tag, content and checksum."""
    delivered = {}

    def deliver(item: Item, partial: Path, checksum: str) -> None:
        delivered[item.path] = (item.tag, partial.read_bytes(), checksum)

    with ProgressBar("test", 1, None) as bar:
        fetch_items(location, [item], folder, deliver, bar)
    return delivered


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_file_of_another_size_is_fetched_again_also_where_no_checksum_is_known(tmp_path):
    assert fetch(Shelf(b"abc", b"abcd"), ITEM, tmp_path) == {"a": ("old", b"abcd", sha256(b"abcd"))}


def test_a_file_that_changed_upstream_is_fetched_again_whatever_its_size(tmp_path):
    new = replace(ITEM, size=3, tag="new")  # the size of what arrived, but not its content
    assert fetch(Shelf(b"abc", b"xyz", now=new), ITEM, tmp_path) == {"a": ("new", b"xyz", sha256(b"xyz"))}


def test_of_a_file_that_is_wrong_twice_nothing_is_kept(tmp_path):
    listed = replace(ITEM, checksum=sha256(b"abcd"))
    with pytest.raises(SourceError, match="wrong checksum twice"):
        fetch(Shelf(b"abcx", b"abcy", now=listed), listed, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_tag_upstream_never_counts_as_current(tmp_path):
    (tmp_path / "a").write_bytes(b"abcd")
    log = TransferLog(tmp_path / "log", "shelf")
    log.add("a", None, sha256(b"abcd"), tmp_path / "a")
    assert not log.is_current("a", None, tmp_path / "a")
    log.add("a", "tag", sha256(b"abcd"), tmp_path / "a")
    assert log.is_current("a", "tag", tmp_path / "a")
    assert not log.is_current("a", "other", tmp_path / "a")
