"""What a photograph costs from the shell: the start of the command, the first photo, and each one after it.

    python benchmarks/shell.py --json

Every figure is the wall time of a process of its own, the sides in turns, the best turn of each. `first_shipped` is `retouch
harmonize` of a one-megapixel JPEG by a shipped model, `pretrained/region` if it is there, else an untrained network exported
alike: at most 1.2 s. `first_by_file` and `first_by_registry` are the same of one 12-megapixel JPEG by a network's file and by a
champion in a SQLite registry; `ratio` is each ÷ `import_torch`. `further_photo` is what each of --photos more costs in the same
call, `round_trip` what Pillow takes to decode and encode such a JPEG (its mask's decoding too), and
`further_beyond_round_trip` the difference. `processor_seconds` are those of all threads, the steadier figures on a busy
machine. The network has random weights, with layers that act.
"""

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullsize import Plan as Picture
from fullsize import photograph
from harness.options import machine, parser

if TYPE_CHECKING:
    from PIL import Image

CHAMPION = "bench"  # the registered model
SHIPPED = Path("pretrained/region").resolve()
SHIPPED_SIZE = 64  # px at which an untrained network predicts in its place
ONE_MEGAPIXEL = (1160, 870)  # px
RETOUCH = (sys.executable, "-m", "retouch.cli.app")
ROUND_TRIP = """
import io, sys, time
from pathlib import Path
from PIL import Image
def trip():
    with Image.open("photos/0.jpg") as picture:
        picture.save(io.BytesIO(), "jpeg", quality="keep")
    if Path("masks/0.png").exists():
        Image.open("masks/0.png").load()
trip()
start = time.perf_counter()
for _ in range(3):
    trip()
print((time.perf_counter() - start) / 3)
"""
TABLES = (
    "CREATE TABLE registered_models (workspace, name)",
    "CREATE TABLE registered_model_aliases (workspace, alias, name, version)",
    "CREATE TABLE model_versions (workspace, name, version, run_id, creation_time, storage_location, source, current_stage)",
    "CREATE TABLE model_version_tags (workspace, name, version, key, value)",
)
"""What `retouch` reads of MLflow's tables: a registry in milliseconds, where MLflow's own takes many seconds to create."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    network: str = "region"
    width: int = 4000  # of the JPEG, px
    height: int = 3000
    size: int = 256  # px at which the network predicts
    photos: int = 10  # after the first
    rounds: int = 3
    quick: bool = False


QUICK = {"width": 160, "height": 120, "size": 64, "photos": 2, "rounds": 1}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--network", default=Plan.network, metavar="NAME", help="of `retouch models`")
    options.add_argument("--photos", type=int, default=Plan.photos, help="photos after the first in one call")
    options.add_argument("--rounds", type=int, default=Plan.rounds, help="turns; the best one counts")
    values = vars(options.parse_args())
    as_json = values.pop("json")
    result = measure(Plan(**(values | (QUICK if values["quick"] else {}))))
    if as_json:
        print(json.dumps(result, indent=2))
        return
    for name, seconds in result["seconds"].items():
        processor = result["processor_seconds"].get(name)
        print(f"{name}: {seconds:.2f} s" + ("" if processor is None else f", {processor:.2f} s of processors"))
    for name, ratio in result["ratio"].items():
        print(f"{name} ÷ import torch: {ratio:.2f}")


def measure(plan: Plan) -> dict[str, Any]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        masks = lay_out(folder, plan)
        sides = commands(masks, lay_out_shipped(folder, plan))
        wall, processor = dict.fromkeys(sides, math.inf), dict.fromkeys(sides, math.inf)
        trip = math.inf
        for _ in range(plan.rounds):
            for side, command in sides.items():
                seconds, of_processor = cost(command, folder)
                wall[side], processor[side] = min(wall[side], seconds), min(processor[side], of_processor)
            trip = min(trip, float(run([sys.executable, "-c", ROUND_TRIP], folder).stdout))
    for best in (wall, processor):
        best["further_photo"] = (best.pop("all_photos") - best["first_by_file"]) / plan.photos
    wall |= {"round_trip": trip, "further_beyond_round_trip": wall["further_photo"] - trip}
    return {
        "seconds": rounded(wall),
        "processor_seconds": rounded(processor),
        "ratio": rounded({side: wall[side] / wall["import_torch"] for side in wall if side.startswith("first_")}),
        "plan": asdict(plan),
        **machine(os.cpu_count() or 1),
    }


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def commands(masks: bool, shipped: Path) -> dict[str, Sequence[str]]:
    """By name, the commands that are timed, in a folder that `lay_out` and `lay_out_shipped` made."""

    def harmonize(model: str, photo: str, mask: str, masks: bool = masks) -> Sequence[str]:
        given = ("--mask", mask) if masks else ()
        return (*RETOUCH, "harmonize", photo, "--model", model, *given, "--out", "out", "--overwrite")

    return {
        "import_torch": (sys.executable, "-c", "import torch"),
        "help": (*RETOUCH, "--help"),
        "first_shipped": harmonize(str(shipped), "one.jpg", "one.png", masks=True),
        "first_by_file": harmonize("network.safetensors", "photos/0.jpg", "masks/0.png"),
        "first_by_registry": harmonize(CHAMPION, "photos/0.jpg", "masks/0.png"),
        "all_photos": harmonize("network.safetensors", "photos", "masks"),
    }


def lay_out(folder: Path, plan: Plan) -> bool:
    """Write a network, a registry, photos and, where the network needs them, masks; whether it does."""
    module = save_network(folder / "network.safetensors", plan)
    register(folder, module.needs_mask)
    (folder / "photos").mkdir()
    (folder / "masks").mkdir()
    jpeg, mask = photograph(Picture(plan.width, plan.height, quick=plan.quick)), middle(plan.width, plan.height)
    for number in range(plan.photos + 1):
        (folder / "photos" / f"{number}.jpg").write_bytes(jpeg)
        if module.needs_mask:
            mask.save(folder / "masks" / f"{number}.png")
    return bool(module.needs_mask)


def middle(width: int, height: int) -> "Image.Image":
    """A mask of the middle of a photo."""
    from PIL import Image

    mask = Image.new("L", (width, height))
    mask.paste(255, (width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return mask


def lay_out_shipped(folder: Path, plan: Plan) -> Path:
    """Write a one-megapixel photo and its mask; the shipped model for them."""
    width, height = (plan.width, plan.height) if plan.quick else ONE_MEGAPIXEL
    (folder / "one.jpg").write_bytes(photograph(Picture(width, height, quick=plan.quick)))
    middle(width, height).save(folder / "one.png")
    if (SHIPPED / "model.onnx").is_file() and not plan.quick:
        return SHIPPED
    from retouch.inference import network_files, onnx_export

    save_network(folder / "region.safetensors", Plan("region", size=SHIPPED_SIZE))
    onnx_export.export(network_files.load(folder / "region.safetensors"), folder / "region.onnx")
    return folder / "region.onnx"


def save_network(path: Path, plan: Plan) -> Any:
    """The network of the settings' options, or else of its paper's, with random weights that change pictures; it is saved."""
    import torch

    from retouch.inference.network_files import save
    from retouch.models import create
    from retouch.settings import load

    settings = load().models.get(plan.network)
    options = dict(settings.options) if settings is not None else {}
    torch.manual_seed(0)
    module: Any = create(plan.network, **options)
    for parameter in module.parameters():
        if parameter.dim() > 1 and not parameter.any():  # an untrained network changes nothing because of these
            torch.nn.init.normal_(parameter, 0, 0.01)
    save(path, module, plan.network, options, {"name": plan.network, "size": str(plan.size), "digest": ""})
    return module


def register(folder: Path, needs_mask: bool) -> None:
    """Make the network the champion of a registry, as `retouch` reads one."""
    package = folder / "package"
    (package / "artifacts/networks").mkdir(parents=True)
    shutil.copy(folder / "network.safetensors", package / "artifacts/networks")
    inputs = [{"name": "image", "required": True}, {"name": "mask", "required": needs_mask}]
    entries = [{"file": "network.safetensors", "inputs": inputs, "variant": "all"}]
    (package / "artifacts/networks/networks.json").write_text(json.dumps(entries))
    (folder / "params.yaml").touch()  # the project's folder
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        for table in TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO registered_models VALUES ('default', ?)", (CHAMPION,))
        connection.execute("INSERT INTO registered_model_aliases VALUES ('default', 'champion', ?, 1)", (CHAMPION,))
        version = ("default", CHAMPION, 1, None, 0, package.as_uri(), None, "None")
        connection.execute("INSERT INTO model_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", version)


def cost(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command."""
    before, start = os.times(), time.perf_counter()
    run(command, folder)
    seconds, after = time.perf_counter() - start, os.times()
    return seconds, after.children_user - before.children_user + after.children_system - before.children_system


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in `folder`, which must succeed; its registry is the folder's."""
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done


if __name__ == "__main__":
    main()
