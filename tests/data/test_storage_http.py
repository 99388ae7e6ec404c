"""Lists of files and official archives over HTTP: ranges, servers without them, busy servers, checksums, unsafe archives."""

import hashlib
import io
import stat
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from storage_servers import Fault, Files, tree

from retouch.errors import SourceError
from retouch.sources.base import Archive
from retouch.sources.storage import Wanted, bring, remote, unpack

WANTED = Wanted("scenes", "Scenes/*.jpg", ("Scenes",))
SMALL = {"Scenes/a.jpg": b"a" * 1000, "Scenes/deep/b é.jpg": b"b" * 300_000}


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


@pytest.fixture
def web(tmp_path):
    (tmp_path / "web").mkdir()
    with Files(tmp_path / "web") as server:
        yield server


def publish(folder: Path, files: dict[str, bytes], sums: bool = True) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    if sums:
        text = "".join(f"{hashlib.sha256(content).hexdigest()}  ./{path}\n" for path, content in files.items())
        (folder / "SHA256SUMS").write_text(text)


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def fetch(web: Files, tmp_path: Path, wanted: Wanted = WANTED, location: str | None = None) -> int:
    return bring(location or web.url, None, wanted, tmp_path / "data/scenes")


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
    monkeypatch.setattr(remote, "TRIES", 1)
    monkeypatch.setattr(remote, "FIRST_TRIES", 1)
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


def zipped(files: dict[str, bytes], **kinds: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = (kinds.get("mode", stat.S_IFREG) | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes, str, bytes]) -> bytes:
    """Members: path, tarfile's type, the link's target, content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, kind, link, content in members:
            info = tarfile.TarInfo(path)
            info.type, info.linkname, info.size = kind, link, len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def official(web: Files, **archives: bytes) -> Wanted:
    """A source with these archives at the web server, with checksums, unpacked to Scenes/."""
    found = []
    for name, content in archives.items():
        file = name.replace("_", ".")
        publish(web.folder, {file: content}, sums=False)
        found.append(Archive(f"{web.url}/{file}", f"sha1:{hashlib.sha1(content).hexdigest()}", "Scenes"))
    return Wanted("scenes", "Scenes/*.jpg", ("Scenes",), tuple(found))


def test_official_archives_are_unpacked_once_and_not_kept(web, tmp_path):
    wanted = official(
        web, a_zip=zipped({"x/1.jpg": b"1", "__MACOSX/x/._1.jpg": b"m"}), b_tar_gz=tarred(("x/2.jpg", b"0", "", b"2"))
    )
    assert fetch(web, tmp_path, wanted, "official") == 2
    both = digests({"Scenes/x/1.jpg": b"1", "Scenes/x/2.jpg": b"2"})
    assert tree(tmp_path / "data/scenes") == both
    assert {path.name for path in (tmp_path / ".retouch/storage").iterdir()} == {"scenes.jsonl", "scenes.lock"}
    web.asked.clear()
    assert fetch(web, tmp_path, wanted, "official") == 0
    assert web.asked == []
    (tmp_path / "data/scenes/Scenes/x/2.jpg").write_bytes(b"?")
    assert fetch(web, tmp_path, wanted, "official") == 1
    assert names(web) == ["b.tar.gz"]
    assert tree(tmp_path / "data/scenes") == both
    renewed = official(web, a_zip=zipped({"x/3.jpg": b"3"}), b_tar_gz=(web.folder / "b.tar.gz").read_bytes())
    fetch(web, tmp_path, renewed, "official")
    assert tree(tmp_path / "data/scenes") == digests({"Scenes/x/3.jpg": b"3", "Scenes/x/2.jpg": b"2"})


def test_a_mirror_of_the_archives_is_found_by_their_names(web, tmp_path):
    wanted = Wanted("scenes", "", ("Scenes",), (Archive("https://nowhere.invalid/data/a.zip", None),))
    content = zipped({"Scenes/1.jpg": b"1"})
    publish(web.folder / "mirror", {"a.zip": content})
    assert fetch(web, tmp_path, wanted, f"{web.url}/mirror") == 1
    assert tree(tmp_path / "data/scenes") == digests({"Scenes/1.jpg": b"1"})
    (web.folder / "mirror/a.zip").write_bytes(content + b"!")
    fetch(web, tmp_path, wanted, f"{web.url}/mirror")
    (tmp_path / "data/scenes/Scenes/1.jpg").unlink()
    with pytest.raises(SourceError, match=r"mirror/a\.zip came with a wrong checksum twice"):
        fetch(web, tmp_path, wanted, f"{web.url}/mirror")
    (web.folder / "mirror/SHA256SUMS").unlink()  # without any checksum: by what the server says of it
    (web.folder / "mirror/a.zip").write_bytes(content)
    assert fetch(web, tmp_path, wanted, f"{web.url}/mirror") == 1
    assert fetch(web, tmp_path, wanted, f"{web.url}/mirror") == 0
    (web.folder / "mirror/a.zip").write_bytes(zipped({"Scenes/2.jpg": b"2"}))
    assert fetch(web, tmp_path, wanted, f"{web.url}/mirror") == 1
    assert tree(tmp_path / "data/scenes") == digests({"Scenes/2.jpg": b"2"})


def test_a_page_in_place_of_an_archive_is_named(web, tmp_path):
    wanted = official(web, a_zip=zipped({"1.jpg": b"1"}))
    web.fault = lambda _: Fault(status=200, headers={"Content-Type": "text/html; charset=utf-8"}, body=b"<html>Sign in</html>")
    with pytest.raises(SourceError, match=r"a\.zip is a page, not a file; it may want a login"):
        fetch(web, tmp_path, wanted, "official")


FILE, DIRECTORY, HARD, SYMBOLIC, PIPE, DEVICE = b"0", b"5", b"1", b"2", b"6", b"3"
UNSAFE = {
    "up": (zipped({"../out": b"x"}), "a path that leaves its folder"),
    "up_backslash": (zipped({"a\\..\\..\\out": b"x"}), "a path that leaves its folder"),
    "absolute": (zipped({"/tmp/out": b"x"}), "a path that leaves its folder"),
    "drive": (zipped({"C:/out": b"x"}), "a path that leaves its folder"),
    "link_in_zip": (zipped({"out": b"/etc/passwd"}, mode=stat.S_IFLNK), "is a link or device"),
    "twice": (zipped({"a": b"x", "a/b": b"y"}), "is a file and a folder"),
    "tar_up": (tarred(("../out", FILE, "", b"x")), "a path that leaves its folder"),
    "tar_absolute": (tarred(("/tmp/out", FILE, "", b"x")), "a path that leaves its folder"),
    "tar_folder_up": (tarred(("../out", DIRECTORY, "", b"")), "a path that leaves its folder"),
    "symbolic": (tarred(("out", SYMBOLIC, "/etc/passwd", b"")), "is a link to '/etc/passwd'"),
    "symbolic_up": (tarred(("d/out", SYMBOLIC, "../../x", b"")), "is a link to '../x'"),
    "through": (tarred(("d", SYMBOLIC, "/tmp", b""), ("d/out", FILE, "", b"x")), "is a link to '/tmp'"),
    "hard": (tarred(("out", HARD, "../../etc/passwd", b"")), "is a link to"),
    "pipe": (tarred(("out", PIPE, "", b"")), "is a device"),
    "device": (tarred(("out", DEVICE, "", b"")), "is a device"),
    "damaged": (zipped({"a": bytes(range(256)) * 40})[:-40], "neither a zip nor a tar|is damaged"),
    "cut_off": (tarred(("a", FILE, "", bytes(range(256)) * 400))[:300], "is damaged"),
    "nothing": (b"just text", "neither a zip nor a tar"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_archives_leave_nothing(tmp_path, name):
    content, message = UNSAFE[name]
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(SourceError, match=message):
        unpack.unpack(tmp_path / "in", tmp_path / "deep/er/tree", "a.zip")
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "deep", "er"}
    assert not Path("/tmp/out").exists()


def test_links_inside_an_archive_become_files(tmp_path):
    members = (("d/a", FILE, "", b"x"), ("d/b", SYMBOLIC, "a", b""), ("c", HARD, "d/a", b""), ("./e/", DIRECTORY, "", b""))
    (tmp_path / "in").write_bytes(tarred(*members))
    found = unpack.unpack(tmp_path / "in", tmp_path / "tree", "a.tar.gz")
    assert tree(tmp_path / "tree") == digests({"d/a": b"x", "d/b": b"x", "c": b"x"})
    assert found == {path: f"sha256:{digest}" for path, digest in tree(tmp_path / "tree").items()}


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "FREE_BYTES", 1 << 20)
    zeros = bytes(30 << 20)
    for content in (zipped({"a": zeros}), tarred(("a", FILE, "", zeros))):
        (tmp_path / "in").write_bytes(content)
        with pytest.raises(SourceError, match="unpacks to far more than any data set does"):
            unpack.unpack(tmp_path / "in", tmp_path / "tree", "bomb")
    monkeypatch.setattr(unpack, "MOST_FILES", 100)
    (tmp_path / "in").write_bytes(zipped({f"{i}": b"" for i in range(101)}))
    with pytest.raises(SourceError, match="is the 101th file"):
        unpack.unpack(tmp_path / "in", tmp_path / "tree", "bomb")
    assert not (tmp_path / "tree").exists()
