"""A folder as a location, and the plain parts of storage."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_servers import tree

from retouch.errors import SourceError
from retouch.settings import DataSettings
from retouch.sources.base import Source
from retouch.storage import SourceLayout, fetch_source, listing
from retouch.storage.listing import check_tree, parse_sums, redact, safe_path


class Scenes(Source):
    name = "scenes"
    layout = "Scenes/*.jpg"
    licence = "none"
    size = "small"
    folders = ("Scenes", "list.txt")

    def photos(self, root):
        yield from ()


@pytest.fixture
def upstream(tmp_path) -> Path:
    root = tmp_path / "upstream"
    (root / "Scenes/deep").mkdir(parents=True)
    (root / "Scenes/a.jpg").write_bytes(b"a")
    (root / "Scenes/deep/b.jpg").write_bytes(b"b")
    (root / "list.txt").write_text("a b")
    (root / "notes.txt").write_text("of nobody")
    return root


def fetch(upstream: Path, tmp_path: Path) -> dict[str, str]:
    sample = {"train": 1, "test": 1, "size": 32}
    settings = DataSettings(sources=["scenes"], location=str(upstream), endpoint=None, limit=None, sample=sample)
    Scenes().fetch(settings, 7, tmp_path / "data/scenes")
    return tree(tmp_path / "data/scenes")


def inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_mirrored_by_size_and_time(upstream, tmp_path):
    assert set(fetch(upstream, tmp_path)) == {"Scenes/a.jpg", "Scenes/deep/b.jpg", "list.txt"}
    first = inodes(tmp_path / "data")
    fetch(upstream, tmp_path)
    assert inodes(tmp_path / "data") == first
    (tmp_path / ".retouch/storage/scenes.jsonl").unlink()
    fetch(upstream, tmp_path)
    assert inodes(tmp_path / "data") == first
    os.utime(upstream / "Scenes/a.jpg", ns=(1, 1))
    (upstream / "Scenes/deep/b.jpg").unlink()
    assert set(fetch(upstream, tmp_path)) == {"Scenes/a.jpg", "list.txt"}
    second = inodes(tmp_path / "data")
    assert second["a.jpg"] != first["a.jpg"]
    assert second["list.txt"] == first["list.txt"]


def test_links_that_leave_are_refused_and_others_followed(upstream, tmp_path):
    (upstream / "Scenes/c.jpg").symlink_to("a.jpg")
    (upstream / "Scenes/round").symlink_to(".")
    files = fetch(upstream, tmp_path)
    assert files["Scenes/c.jpg"] == files["Scenes/a.jpg"]
    assert not (tmp_path / "data/scenes/Scenes/c.jpg").is_symlink()
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (upstream / "Scenes/deep/d.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(SourceError, match=r"d\.jpg is a link out of"):
        fetch(upstream, tmp_path)
    (upstream / "Scenes/deep/d.jpg").unlink()
    (upstream / "Scenes/deep/e").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="e is a link out of"):
        fetch(upstream, tmp_path)


def test_listed_checksums_are_verified(upstream, tmp_path):
    good = listing.checksum_of(upstream / "Scenes/a.jpg").removeprefix("sha256:")
    (upstream / "SHA256SUMS").write_text(f"{good} *Scenes/a.jpg\n")
    assert "SHA256SUMS" not in fetch(upstream, tmp_path)
    (upstream / "SHA256SUMS").write_text(f"{good}  Scenes/a.jpg\n{good}  Scenes/deep/b.jpg\n")
    with pytest.raises(SourceError, match=r"deep/b\.jpg came with a wrong checksum twice"):
        fetch(upstream, tmp_path)
    (upstream / "SHA256SUMS").write_text(f"{good}  Scenes/lost.jpg\n{good}  else/where.jpg\n")
    with pytest.raises(SourceError, match=r"lists Scenes/lost\.jpg, which is not there"):
        fetch(upstream, tmp_path)


def test_a_location_that_holds_the_data_itself_or_nothing(upstream, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"no photographs in .*empty: source scenes expects Scenes/\*\.jpg there"):
        fetch(tmp_path / "empty", tmp_path)
    with pytest.raises(SourceError, match=r"holds .*data/scenes itself"):
        fetch_source(str(tmp_path), None, SourceLayout("scenes", "any", ("",)), tmp_path / "data/scenes")
    with pytest.raises(SourceError, match="is not a folder"):
        fetch(tmp_path / "nowhere", tmp_path)
    with pytest.raises(SourceError, match=r"data\.location is not set"):
        fetch_source(None, None, SourceLayout("scenes", "any", ("",)), tmp_path / "data/scenes")


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b c", "…", "C:"]), min_size=1, max_size=5))
def test_a_path_that_is_accepted_stays_below(parts):
    path = "/".join(parts)
    try:
        accepted = safe_path(path, "list")
    except SourceError:
        assert {"..", ".", ""} & set(parts) or parts[0] == "C:"
    else:
        folder = Path("/some/folder")
        assert Path(os.path.normpath(folder / accepted)).is_relative_to(folder)


def test_lists_and_trees_are_checked():
    text = f"# note\n\n{'A' * 64} *./x y\n{'b' * 64}  ./._x y\n{'b' * 64}  .git/x\n"
    assert parse_sums(text, "list") == {"x y": f"sha256:{'a' * 64}"}
    for line in ("abc  x", f"{'a' * 64} x", f"{'a' * 64}  ../x"):
        with pytest.raises(SourceError, match="list"):
            parse_sums(line, "list")
    with pytest.raises(SourceError, match="'a/b' as a file and as a folder"):
        check_tree(["a/b", "a/b/c/d"], "list")


def test_secrets_are_taken_out_of_messages():
    text = "GET https://me:pa%40ss@host/a?X-Amz-Signature=abc&id=7&api_token=t failed; s3://bucket/key"
    assert redact(text) == "GET https://host/a?X-Amz-Signature=…&id=7&api_token=… failed; s3://bucket/key"
