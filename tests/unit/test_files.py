import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retouch.errors import RetouchError
from retouch.files import atomic_file, atomic_folder, check_trackable, delete, digest, final_path, sha256_file, write_json


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with pytest.raises(RuntimeError), atomic_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    with atomic_file(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def test_a_failed_rewrite_keeps_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(path) as partial:
        partial.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"


def test_a_folder_replaces_the_old_one_only_when_whole(tmp_path):
    path = tmp_path / "folder"
    with atomic_folder(path) as partial:
        (partial / "a").write_text("1")
    with pytest.raises(RuntimeError), atomic_folder(path) as partial:
        (partial / "b").write_text("2")
        raise RuntimeError
    assert [p.name for p in path.iterdir()] == ["a"]
    with atomic_folder(path) as partial:
        (partial / "c").write_text("3")
    assert [p.name for p in path.iterdir()] == ["c"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_link_to_a_folder_elsewhere_stays_a_link(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "disk/scenes/deep").mkdir(parents=True)
    (tmp_path / "disk/scenes/old").write_text("0")
    path = tmp_path / "project/scenes"
    path.symlink_to("../disk/scenes")
    with atomic_folder(path) as partial:
        assert partial.parent == tmp_path / "disk"
        (partial / "a").write_text("1")
    assert path.is_symlink()
    assert [p.name for p in (tmp_path / "disk/scenes").iterdir()] == ["a"]
    assert [p.name for p in (tmp_path / "disk").iterdir()] == ["scenes"]
    (tmp_path / "disk/scenes/a").unlink()
    (tmp_path / "disk/scenes").rmdir()  # the link leads nowhere
    with atomic_folder(path) as partial:
        (partial / "b").write_text("2")
    assert [p.name for p in path.iterdir()] == ["b"]


def test_the_root_of_a_disk_keeps_its_place(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    (disk / "old/deep").mkdir(parents=True)
    (disk / "lost+found").mkdir()
    (tmp_path / "scenes").symlink_to(disk)
    monkeypatch.setattr(type(disk), "is_mount", lambda path: path == disk)
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "scenes") as partial:
        (partial / "a").write_text("1")
        raise RuntimeError
    assert sorted(p.name for p in disk.iterdir()) == ["lost+found", "old"]
    inode = disk.stat().st_ino
    with atomic_folder(tmp_path / "scenes") as partial:
        (partial / "folder").mkdir()
        (partial / "a").write_text("1")
    assert sorted(p.name for p in disk.iterdir()) == ["a", "folder", "lost+found"]
    assert disk.stat().st_ino == inode


def test_sigkill_leaves_nothing_under_the_final_name(tmp_path):
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom retouch.files import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "file.txt"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    with atomic_file(path) as partial:
        partial.write_text("whole")
    assert path.read_text() == "whole"


KILLED = """
import os, signal, sys
from pathlib import Path
from retouch.files import atomic_file, atomic_folder
with atomic_file(Path(sys.argv[1])) as file, atomic_folder(Path(sys.argv[2])) as folder:
    file.write_text('half')
    (folder / 'a').write_text('half')
    print(file.name, flush=True)
    if sys.argv[3:]:
        sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose processes a number is of")
def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "b.png"), str(tmp_path / "layers")]
    with subprocess.Popen([*command, "stay"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        living_name = living.stdout.readline().strip()
        killed = subprocess.run(command, check=False, capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL
        killed_name, number = killed.stdout.strip(), killed.stdout.split(".")[3].partition("-")[0]
        assert (tmp_path / killed_name).read_text() == "half"
        others = {f".b.png.{number}-00000000.partial", f".b.png.{number}.partial", "b.png.partial"}  # of other systems
        for name in others:
            (tmp_path / name).touch()
        with atomic_file(tmp_path / "c.png") as partial:
            partial.write_text("whole")
        names = {path.name for path in tmp_path.iterdir()}
        assert names == others | {"c.png", living_name, living_name.replace(".b.png.", ".layers.")}
        living.stdin.close()


@pytest.mark.parametrize(
    ("path", "final"),
    [
        ("out/.a.png.12.partial", "out/a.png"),
        ("out/.a.png.12-0a1b2c3d.partial", "out/a.png"),
        ("out/a.12.partial", "out/a.12.partial"),
        ("out/.a.png", "out/.a.png"),
    ],
)
def test_errors_can_name_the_final_path(path, final):
    assert final_path(path) == final


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_one_line_and_exit_2(tmp_path):
    code = (
        "import sys\nfrom retouch.cli import app\n"
        "def full(*_):\n    open('/dev/full', 'w').write('x' * 100000)\n"
        "import retouch.settings.presets\nretouch.settings.presets.use = full\n"
        "sys.argv = ['retouch', 'use', 'sample']\napp.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr
    assert "free some space" in done.stderr


@given(st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.lists(st.floats(allow_nan=False)))))
def test_a_digest_does_not_depend_on_the_order_of_keys(value):
    assert digest(value) == digest(dict(reversed(value.items())))


def test_digests_tell_values_and_files_apart(tmp_path):
    assert digest({"a": 1}) != digest({"a": 2})
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"a": 2, "b": 1})
    assert sha256_file(tmp_path / "a.json") == sha256_file(tmp_path / "b.json")


@pytest.mark.parametrize("name", ["写" * 85, "a" * 255, "é" * 127])
def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path, name):
    with atomic_file(tmp_path / name) as partial:
        partial.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / name).unlink()
    with atomic_folder(tmp_path / name) as partial:
        (partial / "a").touch()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_is_deleted_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/photo.jpg").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    delete(tmp_path / "link")
    delete(tmp_path / "link")
    assert (tmp_path / "disk/photo.jpg").read_text() == "1"
    delete(tmp_path / "disk")
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_dvc_would_refuse_is_one_sentence_before_the_work(tmp_path):
    (tmp_path / "disk").mkdir()
    check_trackable(tmp_path / "disk", tmp_path / "missing")
    (tmp_path / "artifacts").symlink_to(tmp_path / "disk")
    with pytest.raises(RetouchError, match=r"artifacts is a link, which DVC cannot track: make it a folder; .*dvc cache dir"):
        check_trackable(tmp_path / "disk", tmp_path / "artifacts")


def test_locks_need_no_fcntl(tmp_path):
    """As on Windows."""
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import retouch.cli.app\nfrom retouch.tracking.client import lock\nwith lock():\n    print('locked')\n"
    )
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == "locked\n"
