"""Official archives: brought, unpacked once, not kept; and those that are not safe to unpack."""

import hashlib
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from storage_servers import Fault, Files, digests, publish, tree

from retouch.errors import SourceError
from retouch.sources.base import Archive
from retouch.storage import SourceLayout, fetch_source, unpack

pytestmark = pytest.mark.usefixtures("impatient")


def fetch(web: Files, tmp_path: Path, layout: SourceLayout, location: str) -> int:
    return fetch_source(location, None, layout, tmp_path / "data/scenes")


def names(web: Files) -> list[str]:
    return [Path(path).name for path in web.objects()]


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


def encrypted(archive: bytes) -> bytes:
    """A zip of one file that says it is encrypted: bit 0 of the flags, in the file's header and in the directory."""
    content, directory = bytearray(archive), archive.index(b"PK\x01\x02")
    content[6] |= 1
    content[directory + 8] |= 1
    return bytes(content)


def official(web: Files, **archives: bytes) -> SourceLayout:
    """A source with these archives at the web server, with checksums, unpacked to Scenes/."""
    found = []
    for name, content in archives.items():
        file = name.replace("_", ".")
        publish(web.folder, {file: content}, sums=False)
        found.append(Archive(f"{web.url}/{file}", f"sha1:{hashlib.sha1(content).hexdigest()}", "Scenes"))
    return SourceLayout("scenes", "Scenes/*.jpg", ("Scenes",), tuple(found))


def test_official_archives_are_unpacked_once_and_not_kept(web, tmp_path):
    layout = official(
        web, a_zip=zipped({"x/1.jpg": b"1", "__MACOSX/x/._1.jpg": b"m"}), b_tar_gz=tarred(("x/2.jpg", b"0", "", b"2"))
    )
    assert fetch(web, tmp_path, layout, "official") == 2
    both = digests({"Scenes/x/1.jpg": b"1", "Scenes/x/2.jpg": b"2"})
    assert tree(tmp_path / "data/scenes") == both
    assert {path.name for path in (tmp_path / ".retouch/storage").iterdir()} == {"scenes.jsonl", "scenes.lock"}
    web.asked.clear()
    assert fetch(web, tmp_path, layout, "official") == 0
    assert web.asked == []
    (tmp_path / "data/scenes/Scenes/x/2.jpg").write_bytes(b"?")
    assert fetch(web, tmp_path, layout, "official") == 1
    assert names(web) == ["b.tar.gz"]
    assert tree(tmp_path / "data/scenes") == both
    renewed = official(web, a_zip=zipped({"x/3.jpg": b"3"}), b_tar_gz=(web.folder / "b.tar.gz").read_bytes())
    fetch(web, tmp_path, renewed, "official")
    assert tree(tmp_path / "data/scenes") == digests({"Scenes/x/3.jpg": b"3", "Scenes/x/2.jpg": b"2"})


def test_a_mirror_of_the_archives_is_found_by_their_names(web, tmp_path):
    layout = SourceLayout("scenes", "", ("Scenes",), (Archive("https://nowhere.invalid/data/a.zip", None),))
    content = zipped({"Scenes/1.jpg": b"1"})
    publish(web.folder / "mirror", {"a.zip": content})
    assert fetch(web, tmp_path, layout, f"{web.url}/mirror") == 1
    assert tree(tmp_path / "data/scenes") == digests({"Scenes/1.jpg": b"1"})
    (web.folder / "mirror/a.zip").write_bytes(content + b"!")
    fetch(web, tmp_path, layout, f"{web.url}/mirror")
    (tmp_path / "data/scenes/Scenes/1.jpg").unlink()
    with pytest.raises(SourceError, match=r"mirror/a\.zip came with a wrong checksum twice"):
        fetch(web, tmp_path, layout, f"{web.url}/mirror")
    (web.folder / "mirror/SHA256SUMS").unlink()  # without any checksum: by what the server says of it
    (web.folder / "mirror/a.zip").write_bytes(content)
    assert fetch(web, tmp_path, layout, f"{web.url}/mirror") == 1
    assert fetch(web, tmp_path, layout, f"{web.url}/mirror") == 0
    (web.folder / "mirror/a.zip").write_bytes(zipped({"Scenes/2.jpg": b"2"}))
    assert fetch(web, tmp_path, layout, f"{web.url}/mirror") == 1
    assert tree(tmp_path / "data/scenes") == digests({"Scenes/2.jpg": b"2"})


def test_a_page_in_place_of_an_archive_is_named(web, tmp_path):
    layout = official(web, a_zip=zipped({"1.jpg": b"1"}))
    web.fault = lambda _: Fault(status=200, headers={"Content-Type": "text/html; charset=utf-8"}, body=b"<html>Sign in</html>")
    with pytest.raises(SourceError, match=r"a\.zip is a page, not a file; it may want a login"):
        fetch(web, tmp_path, layout, "official")


FILE, DIRECTORY, HARD, SYMBOLIC, PIPE, DEVICE = b"0", b"5", b"1", b"2", b"6", b"3"
UNSAFE = {
    "up": (zipped({"../out": b"x"}), "a path that leaves its folder"),
    "up_backslash": (zipped({"a\\..\\..\\out": b"x"}), "a path that leaves its folder"),
    "absolute": (zipped({"/tmp/out": b"x"}), "a path that leaves its folder"),
    "drive": (zipped({"C:/out": b"x"}), "a path that leaves its folder"),
    "link_in_zip": (zipped({"out": b"/etc/passwd"}, mode=stat.S_IFLNK), "is a link or device"),
    "encrypted": (encrypted(zipped({"a": b"x"})), "is encrypted"),
    "twice": (zipped({"a": b"x", "a/b": b"y"}), "is both a file and a folder"),
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
        with pytest.raises(SourceError, match="unpacks to far more than a data set would"):
            unpack.unpack(tmp_path / "in", tmp_path / "tree", "bomb")
    monkeypatch.setattr(unpack, "FREE_BYTES", 40 << 20)  # a small archive of little content may have any ratio
    assert unpack.unpack(tmp_path / "in", tmp_path / "small", "archive").keys() == {"a"}
    monkeypatch.setattr(unpack, "MOST_BYTES", 20 << 20)
    with pytest.raises(SourceError, match="unpacks to far more than a data set would"):
        unpack.unpack(tmp_path / "in", tmp_path / "tree", "bomb")
    monkeypatch.setattr(unpack, "MOST_FILES", 100)
    (tmp_path / "in").write_bytes(zipped({f"{i}": b"" for i in range(101)}))
    with pytest.raises(SourceError, match="is the 101th file"):
        unpack.unpack(tmp_path / "in", tmp_path / "tree", "bomb")
    assert not (tmp_path / "tree").exists()
