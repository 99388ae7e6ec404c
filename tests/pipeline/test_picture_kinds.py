"""`retouch harmonize` on photos of every kind: the result is of that kind, and nothing changes outside the mask."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from typer.testing import CliRunner

from retouch.cli import app as cli
from retouch.images import resize
from retouch.inference.network_files import save
from retouch.models import ARCHITECTURES, Architecture, create
from retouch.models.harmonization import Harmonizer, TransformPrediction
from retouch.models.layers.color_transforms import TERMS, Transforms, apply_transforms
from retouch.pictures import decode as decoding
from retouch.pictures import png
from retouch.pictures.file import read

SIZE = (45, 60)


class Brighter(Harmonizer):
    """Makes the mask brighter."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = torch.nn.Parameter(torch.full((1, 1, len(TERMS), 3), 0.03))

    def forward(self, batch):
        transforms = Transforms(self.coefficients, batch["mask"], torch.zeros(1, 1, dtype=torch.long))
        return TransformPrediction(apply_transforms(batch["composite"], transforms).clamp(0, 1), transforms=transforms)


@pytest.fixture
def colours(tmp_path, monkeypatch, rng) -> np.ndarray:
    """A photo's uint8 H×W×4 pixels, in a folder with a network and the mask of its right half."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(ARCHITECTURES, "brighter", Architecture(f"{__name__}:Brighter", "tests", None))
    save(Path("b.safetensors"), create("brighter"), "brighter", {}, {"name": "brighter", "size": "32", "digest": ""})
    mask = np.zeros(SIZE, np.uint8)
    mask[:, 30:] = 255
    Image.fromarray(mask).save("mask.png")
    return resize(rng.integers(40, 200, (4, 5, 4), dtype=np.uint8), *SIZE)


def make(kind: str, colours: np.ndarray) -> Path:
    """A photo of a kind in the working folder."""
    rgb, path = colours[..., :3], Path(kind)
    match kind:
        case "cmyk.tif":
            Image.fromarray(rgb).convert("CMYK").save(path)
        case "palette.tif" | "palette.png":
            Image.fromarray(rgb).convert("P").save(path)
        case "fax.tif":
            Image.fromarray(rgb).convert("1").save(path, compression="group4")
        case "grey-alpha.tif" | "grey-alpha.png":
            Image.fromarray(colours).convert("LA").save(path)
        case "float.tif":
            tifffile.imwrite(path, rgb.astype(np.float32) / 255, photometric="rgb")
        case "ycbcr.tif":
            Image.fromarray(rgb).save(path, compression="jpeg")
        case "lab.tif":
            tifffile.imwrite(path, np.dstack([rgb[..., :1], rgb[..., 1:] // 8]), photometric="cielab")
        case "deep.tif":
            tifffile.imwrite(path, rgb.astype(np.uint16) * 257, photometric="rgb", compression="lzw", predictor=2)
        case "deep.png":
            path.write_bytes(png.encode(rgb.astype(np.uint16) * 257, []))
        case "key.png":
            keyed = np.where((np.arange(SIZE[0]) < 9)[:, None, None], 255, np.minimum(rgb, 250)).astype(np.uint8)
            Image.fromarray(keyed).save(path, transparency=(255, 255, 255))
        case "broken-exif.png":
            Image.fromarray(rgb).save(path)
            content = path.read_bytes()
            path.write_bytes(content[:33] + png.chunk(b"eXIf", b"\0\x08\0\x02" * 5) + content[33:])
        case "noise.webp":
            noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(path, lossless=True)
        case _:
            decoding.register_heif()
            picture = Image.fromarray(rgb)
            (picture.convert("CMYK") if kind == "cmyk.jpg" else picture).save(path, quality=95)
    return path


LOSSLESS = ("cmyk.tif", "palette.tif", "palette.png", "fax.tif", "grey-alpha.tif", "grey-alpha.png", "float.tif", "ycbcr.tif",
            "lab.tif", "deep.tif", "deep.png", "key.png", "broken-exif.png", "noise.webp")  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", [*LOSSLESS, "photo.heic", "photo.avif", "cmyk.jpg", "写" * 78 + ".jpg"])
def test_a_photo_of_any_kind(kind, colours):
    path = make(kind, colours)
    done = CliRunner().invoke(
        cli.app, ["harmonize", str(path), "--model", "b.safetensors", "--mask", "mask.png"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    (out,) = (Path(line) for line in done.stdout.splitlines())
    assert out.name == f"{path.stem}-harmonized{path.suffix}"
    assert ("EXIF data are broken" in done.output) == (kind == "broken-exif.png")
    before, after = read(path), read(out)
    assert after.pixels.shape == before.pixels.shape
    assert after.pixels.dtype == before.pixels.dtype
    limit = np.iinfo(before.pixels.dtype).max
    change = (after.pixels.astype(int) - before.pixels) / limit
    assert change[:, 31:].mean() > 0.005
    if kind in LOSSLESS:
        np.testing.assert_array_equal(after.pixels[:, :30], before.pixels[:, :30])
        if kind in ("float.tif", "lab.tif"):  # Pillow converts neither
            pair = [tifffile.imread(file)[:, :30] for file in (path, out)]
        else:
            pair = [np.asarray(Image.open(file).convert("RGBA"))[:, :30] for file in (path, out)]
        np.testing.assert_array_equal(*pair)
    else:
        assert np.abs(change[:, :28]).mean() < 0.02
