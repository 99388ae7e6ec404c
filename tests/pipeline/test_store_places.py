"""The store when it is moved, copied, of another MLflow, read without MLflow, or used from a temporary copy of the project."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from registry_project import initialised, lay_out, train

from retouch import tracking
from retouch.errors import TrackingError
from retouch.registry import champion, reader
from retouch.registry.promotion import promote, promote_products
from retouch.registry.reader import read_by_client, read_registry
from retouch.registry.register import register
from retouch.registry.rollback import rollback
from retouch.registry.status import status
from retouch.settings import Settings
from retouch.tracking.project import store_folder

__all__ = ["initialised"]  # a fixture


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> tuple[Path, Settings]:
    """A project with champions, challengers, a withdrawn version and a product."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings = lay_out(folder, initialised)
        for seed, error in ((1, 0.6), (2, 0.5), (3, 0.4)):
            train("idih", seed, error)
            promote(settings, "idih")
        rollback("idih", "test")
        promote_products()
        train("sgmmh-om", 1, 0.7)
        register(settings, "sgmmh-om")
    return folder, settings


@pytest.fixture
def served(template: tuple[Path, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of that project, in which the test works."""
    folder, settings = template
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    status()  # the copy's artifacts are its own
    return settings


def columns(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [
            place
            for table, column in (("runs", "artifact_uri"), ("model_versions", "source"), ("experiments", "artifact_location"))
            for (place,) in connection.execute(f"SELECT {column} FROM {table}")
        ]


# Read without MLflow --------------------------------------------------------------------------------------------------


def test_the_tables_say_what_the_client_says(served: Settings, monkeypatch: pytest.MonkeyPatch):
    with tracking.connect() as store:
        store.set_registered_model_tag("idih", "k", "v")
        store.set_registered_model_alias("idih", "other", "1")
        store.create_registered_model("empty")
        store.delete_model_version("idih", "3")
    expected = read_by_client()
    assert set(expected) == {"empty", "harmonizer", "idih", "sgmmh-om"}
    assert set(expected["idih"]) == {"champion", "drawn", "other"}
    monkeypatch.setattr(reader, "read_by_client", lambda: pytest.fail("the tables were not read"))
    assert read_registry() == expected
    for versions in read_registry().values():
        for version in versions.values():
            assert (version.folder / "MLmodel").is_file()


def test_a_database_of_another_schema_is_left_to_the_client(served: Settings):
    expected = read_by_client()
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("ALTER TABLE registered_model_aliases RENAME TO something_else")
    with pytest.raises(TrackingError, match="MLflow at sqlite"):
        read_registry()
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("ALTER TABLE something_else RENAME TO registered_model_aliases")
    assert read_registry() == expected


def test_status_imports_no_mlflow_and_takes_no_time(served: Settings, tmp_path: Path):
    program = (
        "import sys, time\nstart = time.monotonic()\n"
        "from retouch.registry.status import status\nstate = status()\n"
        "assert state['models']['idih']['champion']['version'] == 2\n"
        "from retouch.registry.champion import package\nwith package('harmonizer') as folder:\n"
        "    assert (folder / 'MLmodel').is_file()\n"
        "assert not {'mlflow', 'torch', 'pandas', 'numpy'} & sys.modules.keys(), sorted(sys.modules)\n"
        "print(time.monotonic() - start)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 3


def test_without_a_database_nothing_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert status()["serving"] == "nothing is registered"
    with pytest.raises(TrackingError, match=r"there is no registry .*mlflow\.db"):
        champion.load("idih", ("image", "mask"))
    assert list(tmp_path.iterdir()) == []


def test_a_champion_that_is_elsewhere_is_downloaded(served: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader.Version, "folder", None)
    with champion.package("idih") as folder:
        assert (folder / "MLmodel").is_file()
        assert not folder.is_relative_to(Path.cwd())
    assert not folder.exists()


# Moved ----------------------------------------------------------------------------------------------------------------


def test_a_moved_project_works_on(served: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import mlflow

    moved = tmp_path.parent / f"{tmp_path.name} moved é"
    before = json.dumps(status()["models"])
    tmp_path.rename(moved)
    monkeypatch.chdir(moved)
    assert json.dumps(status()["models"]) == before
    assert champion.load("harmonizer", ("image", "mask")).architecture == "idih"
    places = columns(moved / "mlflow.db")
    assert not any(place.startswith(f"{tmp_path.as_uri()}/") for place in places)
    assert sum(place.startswith(f"{moved.as_uri()}/") for place in places) > 5
    train("idih", 5, 0.2)
    assert promote(served, "idih").state == "promoted"
    promote_products()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri())
    assert mlflow.pyfunc.load_model("models:/harmonizer@champion").metadata.signature
    assert not tmp_path.exists()


def test_a_moved_project_harmonizes_without_mlflow(served: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    monkeypatch.chdir(moved)
    Image.new("RGB", (40, 30), (90, 120, 60)).save("photo.png")
    Image.new("L", (40, 30), 255).save("mask.png")
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print([name for name in ('mlflow', 'pandas', 'scipy') if name in sys.modules]))\n"
        "from retouch.cli import app\n"
        "sys.argv = ['retouch', 'harmonize', 'photo.png', '--mask', 'mask.png', '--model', 'harmonizer']\napp.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "photo-harmonized.png\n[]\n"
    assert done.stderr.splitlines()[0] == "model: harmonizer version 1 (idih), trained on drawn scenes"


def test_a_copy_has_its_own_artifacts(served: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copy = tmp_path.parent / f"{tmp_path.name}-copy"
    shutil.copytree(tmp_path, copy)
    original = (tmp_path / "mlflow.db").read_bytes()
    monkeypatch.chdir(copy)
    with champion.package("idih") as folder:
        assert folder.is_relative_to(copy)
    with tracking.connect() as store:
        assert store.get_experiment_by_name("retouch").artifact_location == (copy / "mlartifacts").as_uri()
    assert (tmp_path / "mlflow.db").read_bytes() == original


def test_a_project_that_was_not_moved_is_not_written(served: Settings):
    before = Path("mlflow.db").stat().st_mtime_ns
    status()
    with champion.package("idih"):
        pass
    assert Path("mlflow.db").stat().st_mtime_ns == before


def test_a_database_moved_alone_still_names_its_artifacts(served: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.move(tmp_path / "mlflow.db", alone / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{alone}/mlflow.db")
    with champion.package("idih") as folder:
        assert folder.is_relative_to(tmp_path / "mlartifacts")
    (tmp_path / "mlartifacts").rename(tmp_path / "gone")
    for use in (status, read_by_client):
        with pytest.raises(TrackingError, match=r"was moved without its artifacts: move .*/mlartifacts beside it"):
            use()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_moved_database_that_cannot_be_written_says_so(served: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    moved = tmp_path.parent / f"{tmp_path.name}-locked"
    tmp_path.rename(moved)
    monkeypatch.chdir(moved)
    Path("mlflow.db").chmod(0o444)
    with pytest.raises(TrackingError, match="make it writable, or move it back"):
        status()


def test_artifacts_that_never_lay_beside_the_database_stay(tmp_path: Path, initialised: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(initialised, "mlflow.db")
    Path("params.yaml").touch()
    with tracking.connect() as store:
        store.create_experiment("retouch", "s3://bucket/mlartifacts")
    before = columns(Path("mlflow.db"))
    status()
    assert columns(Path("mlflow.db")) == before


# Another MLflow -------------------------------------------------------------------------------------------------------


def test_a_database_of_another_mlflow_gives_one_sentence(served: Settings):
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '75868b020152'")
    sentence = r"another version of MLflow wrote it; back it up and run `mlflow db upgrade sqlite:///.*mlflow\.db`"
    program = (
        "from retouch import tracking\nfrom retouch.errors import TrackingError\n"
        "try:\n    with tracking.connect():\n        pass\n"
        "except TrackingError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert re.search(sentence, done.stdout)
    assert "unset MLFLOW_TRACKING_URI" not in done.stdout
    assert status()["models"]["idih"]["champion"]["version"] == 2  # its tables are as ever


OLDER = """
import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base

uri = "sqlite:///mlflow.db"
Base.metadata.create_all(sqlalchemy.create_engine(uri))
config = _get_alembic_config(uri)
revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
command.upgrade(config, revisions[30])
"""


def test_an_older_database_that_mlflow_upgrades_itself_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    subprocess.run([sys.executable, "-c", OLDER], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with closing(sqlite3.connect("mlflow.db")) as connection:
        assert "workspace" not in str(connection.execute("SELECT sql FROM sqlite_master").fetchall())
    assert status()["serving"] == "nothing is registered"


# DVC's temporary copies -----------------------------------------------------------------------------------------------


def test_the_store_of_an_experiment_in_a_temporary_copy_is_the_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "tmpabc"
    copy.mkdir(parents=True)
    for folder in (tmp_path, copy):
        (folder / "dvc.yaml").touch()
    monkeypatch.chdir(copy)
    assert tracking.root() == copy
    assert store_folder() == tmp_path
    assert tracking.uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    assert store_folder() == tmp_path


def test_dvc_really_runs_experiments_there(tmp_path: Path):
    stage = 'python -c "from retouch import tracking; print(tracking.uri(), tracking.root())" > place.txt'
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  one:\n    cmd: {json.dumps(stage)}\n    outs: [place.txt]\n")
    (tmp_path / "params.yaml").write_text("a: 1\n")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]

    run("git", "init", "-q")
    run("git", "config", "user.email", "test@example.org")
    run("git", "config", "user.name", "Test")
    run("dvc", "init", "-q")
    run("git", "add", ".")
    run("git", "commit", "-qm", "first")
    run("dvc", "exp", "run", "--temp", "-q", "-n", "try")
    run("dvc", "exp", "apply", "try")
    store, root = (tmp_path / "place.txt").read_text().split()
    assert store == f"sqlite:///{tmp_path}/mlflow.db"
    assert root != str(tmp_path)
    assert Path(root).is_relative_to(tmp_path / ".dvc" / "tmp" / "exps")
