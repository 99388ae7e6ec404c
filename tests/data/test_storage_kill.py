"""`retouch download` from S3, killed on the way; and the snapshot it makes, pushed to S3 and pulled elsewhere."""

import atexit
import functools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from storage_servers import KEYS, Fault, Proxy, bucket, clean, client, environment, moto, tree

LARGE = 24 << 20  # three parts
OBJECTS = {f"v1/{i % 7}/{i:03d}.jpg": random.Random(i).randbytes(20_000) for i in range(60)}


def run(folder: Path, *command: str) -> str:
    variables = clean(environment(folder)) | {"PYTHONPATH": str(Path("src").resolve()), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in KEYS.values())
    return done.stdout


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def project(folder: Path, endpoint: str) -> Path:
    """A Git and DVC repository whose settings name the bucket."""
    shutil.copytree(empty_repository(), folder)
    settings = yaml.safe_load(Path("params/sample.yaml").read_text())
    settings["data"] |= {"sources": ["folder"], "location": "s3://killed/v1", "endpoint": endpoint}
    for benchmark in settings["synthesize"]["benchmarks"].values():
        benchmark["sources"] = ["folder"]
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    return folder


@functools.cache
def empty_repository() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run(folder, "git", "init", "--quiet")
    dvc(folder, "init", "--quiet")
    return folder


def download(folder: Path) -> subprocess.Popen[str]:
    variables = clean(environment(folder)) | {"PYTHONPATH": str(Path("src").resolve())}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, "-m", "retouch.cli.app", "download"], cwd=folder, env=variables, **pipes)


@pytest.fixture(scope="module")
def photographs() -> dict[str, bytes]:
    bucket("killed", OBJECTS | {"v1/large.jpg": random.Random(0).randbytes(LARGE)})
    return OBJECTS


@pytest.fixture(scope="module")
def whole(photographs, tmp_path_factory) -> Path:
    """A project whose download was not disturbed."""
    folder = project(tmp_path_factory.mktemp("whole") / "project", moto())
    run(folder, sys.executable, "-m", "retouch.cli.app", "download")
    return folder


def parts_done(folder: Path) -> int:
    return sum(len(file.read_text().splitlines()) - 1 for file in (folder / ".retouch/storage/folder").glob("*.notes"))


def test_killed_twice_it_ends_with_the_same_snapshot(whole, tmp_path):
    with Proxy() as proxy:
        folder = project(tmp_path / "project", proxy.url)
        proxy.fault = lambda request: Fault(rate=40_000 if request.path.count("/") > 3 else 4e6)
        reached = (lambda: proxy.sent > 400_000, lambda: parts_done(folder) >= 2)
        for far_enough in reached:
            process = download(folder)
            for _ in range(600):
                if far_enough():
                    break
                assert process.poll() is None, process.communicate()
                time.sleep(0.02)
            process.kill()
            process.communicate()
            assert not (folder / "data.dvc").exists()
            assert not (folder / "data/folder/large.jpg").exists()
        before, sent = len(tree(folder / "data")), proxy.sent
        proxy.fault = lambda _: None
        process = download(folder)
        output, _ = process.communicate()
        assert process.returncode == 0, output
    assert before > 0
    assert proxy.sent - sent < (10 << 20) + 20_000 * (60 - before) + 50_000  # the parts and files that were there were not read
    assert tree(folder / "data") == tree(whole / "data")
    assert len(tree(folder / "data")) == 61
    assert (folder / "data.dvc").read_bytes() == (whole / "data.dvc").read_bytes()
    assert not any(secret in output for secret in KEYS.values())
    assert {path.name for path in (folder / ".retouch/storage").iterdir()} == {"folder.jsonl", "folder.lock"}


def test_a_snapshot_pushed_to_s3_is_pulled_elsewhere_with_the_same_hashes(whole, tmp_path):
    client().create_bucket(Bucket="snapshots")
    dvc(whole, "remote", "add", "--default", "store", "s3://snapshots/dvc")
    dvc(whole, "remote", "modify", "store", "endpointurl", moto())
    (whole / ".gitignore").write_text("/data\n/.retouch\n")
    person = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", "add", "--all"], cwd=whole, check=True)
    subprocess.run(["git", "commit", "--quiet", "--message=snapshot"], cwd=whole, check=True, env=os.environ | person)
    dvc(whole, "push", "--quiet")
    run(tmp_path, "git", "clone", "--quiet", str(whole), "clone")
    assert not (tmp_path / "clone/data").exists()
    dvc(tmp_path / "clone", "pull", "--quiet")
    assert tree(tmp_path / "clone/data") == tree(whole / "data")
    assert dvc(tmp_path / "clone", "status", "--json").strip() == "{}"
