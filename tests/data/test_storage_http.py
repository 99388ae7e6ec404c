"""Lists of files over HTTP: ranges, servers without them, busy servers, checksums."""

import time
from pathlib import Path

import pytest
from storage_servers import Fault, Files, digests, publish, tree

from retouch.errors import SourceError
from retouch.storage import SourceLayout, fetch_source, retries

LAYOUT = SourceLayout("scenes", "Scenes/*.jpg", ("Scenes",))
SMALL = {"Scenes/a.jpg": b"a" * 1000, "Scenes/deep/b é.jpg": b"b" * 300_000}


pytestmark = pytest.mark.usefixtures("impatient")


def fetch(web: Files, tmp_path: Path, location: str | None = None) -> int:
    return fetch_source(location or web.url, None, LAYOUT, tmp_path / "data/scenes")


def names(web: Files) -> list[str]:
    return [Path(path).name for path in web.objects()]


def test_listed_files_are_brought_once_and_pruned(web, tmp_path):
    publish(web.folder, SMALL | {"Other/x.jpg": b"x"})
    assert fetch(web, tmp_path) == 2
    assert tree(tmp_path / "data/scenes") == digests(SMALL)
    web.asked.clear()
    assert fetch(web, tmp_path) == 0
    assert names(web) == ["SHA256SUMS"]
    publish(web.folder, {"Scenes/a.jpg": b"A" * 1000})
    assert fetch(web, tmp_path) == 1
    assert tree(tmp_path / "data/scenes") == digests({"Scenes/a.jpg": b"A" * 1000})


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_connection_is_continued_where_the_server_can(tmp_path, ranges):
    files = {"Scenes/large.bin": bytes(range(256)) * 4000}
    publish(tmp_path / "web", files)
    with Files(tmp_path / "web", ranges) as web:
        cuts = iter([300_000, 500_000])
        web.fault = lambda request: Fault(cut=next(cuts, None)) if "large" in request.path else None
        fetch(web, tmp_path)
        asked = [request.headers.get("Range") for request in web.asked if "large" in request.path]
    assert tree(tmp_path / "data/scenes") == digests(files)
    assert len(asked) == 3
    assert asked[0] is None
    assert all(span is not None for span in asked[1:])
    assert (web.sent < 1_400_000) == ranges  # else it starts again from nothing


def test_a_part_of_an_earlier_run_is_continued_but_not_that_of_another_file(web, tmp_path, monkeypatch):
    monkeypatch.setattr(retries, "TRIES", 1)
    monkeypatch.setattr(retries, "FIRST_TRIES", 1)
    files = {"Scenes/large.bin": bytes(range(256)) * 4000}
    publish(web.folder, files)

    def broken_off() -> None:
        web.fault = lambda request: Fault(cut=600_000) if "large" in request.path else None
        with pytest.raises(SourceError, match="connection was cut, 1 times in a row"):
            fetch(web, tmp_path)
        assert tree(tmp_path / "data") == {}
        web.fault = lambda _: None
        web.asked.clear()

    broken_off()
    fetch(web, tmp_path)
    start = int(web.asked[-1].headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 500_000 < start <= 600_000
    (tmp_path / "data/scenes/Scenes/large.bin").unlink()
    broken_off()
    changed = {"Scenes/large.bin": bytes(reversed(range(256))) * 4000}
    publish(web.folder, changed)
    fetch(web, tmp_path)
    assert tree(tmp_path / "data/scenes") == digests(changed)
    assert names(web).count("large.bin") == 1


def test_a_busy_server_says_how_long_to_wait(web, tmp_path):
    publish(web.folder, {"Scenes/a.jpg": b"a"})
    busy = [Fault(status=503, headers={"Retry-After": "1"}), Fault(status=429)]
    web.fault = lambda _: busy.pop() if busy else None
    start = time.monotonic()
    assert fetch(web, tmp_path) == 1
    assert time.monotonic() - start >= 1


def test_refusals_name_the_address_without_its_password(web, tmp_path):
    publish(web.folder, SMALL)
    secret = web.url.replace("http://", "http://someone:hunter2@")
    web.fault = lambda request: Fault(status=403) if "a.jpg" in request.path else None
    with pytest.raises(SourceError, match=r"Scenes/a\.jpg: the server refuses it \(403\)") as caught:
        fetch(web, tmp_path, location=secret)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in (tmp_path / ".retouch/storage/scenes.jsonl").read_text()
    assert web.asked[0].headers["Authorization"].startswith("Basic ")
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9/SHA256SUMS cannot be reached.*3 times") as caught:
        fetch(web, tmp_path, location="http://someone:hunter2@127.0.0.1:9")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SourceError, match="expects a file SHA256SUMS there"):
        fetch(web, tmp_path, location=f"{web.url}/nowhere")
    with pytest.raises(SourceError, match="no official archives"):
        fetch(web, tmp_path, location="official")
    with pytest.raises(SourceError, match="only folders, s3://, https:// and `official`"):
        fetch(web, tmp_path, location="ftp://host/photos")


def test_a_wrong_checksum_is_read_once_more_and_never_kept(web, tmp_path):
    publish(web.folder, SMALL)
    (web.folder / "Scenes/a.jpg").write_bytes(b"z" * 1000)
    with pytest.raises(SourceError, match=r"a\.jpg came with a wrong checksum twice"):
        fetch(web, tmp_path)
    assert names(web).count("a.jpg") == 2
    assert "Scenes/a.jpg" not in tree(tmp_path / "data/scenes")
