"""`retouch mask` on one photo or many: the matting network, and what is read, made and written of each photo."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from retouch import weights
from retouch.errors import RetouchError, WeightsError
from retouch.files import atomic_file
from retouch.inference.foreground_mask import foreground_mask
from retouch.inference.harmonize_photos import ResultFiles, count_pixels
from retouch.inference.jobs import Job
from retouch.inference.overlap import Steps
from retouch.parsing.matting import OnnxMatting
from retouch.pictures.codes import to_8_bits
from retouch.pictures.color_space import srgb_codes
from retouch.pictures.decode import ORIENTATION
from retouch.pictures.file import Picture, read
from retouch.weights.networks import fetch_network, find_network, user_folder

NETWORK = "u2netp"
LOSSLESS_FORMATS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}
"""Of masks, by suffix: without loss, or the outside would not be black."""
LEAST, MOST = 0.001, 0.99  # of a photo: less or more is no foreground
OPTIONS: dict[str, dict[str, Any]] = {"PNG": {"compress_level": 6}, "TIFF": {"compression": "tiff_deflate"}}


def find_matting(file: Path | None, say: Callable[[str], None]) -> OnnxMatting:
    """The network that `file` holds, or that `parse.matting` names, or else U²-Net-p, which is fetched once.

    Without a project (params.yaml) it goes to the user's cache; `say` gets a line before it is fetched. Raises WeightsError.
    """
    if file is not None:
        return OnnxMatting(file, "--matting")
    in_project = Path("params.yaml").is_file()
    if in_project:
        from retouch.settings import load

        if (settings := load().parse.matting) is not None:
            return OnnxMatting(settings)
    path = find_network(NETWORK, weights.FOLDER, user_folder())
    if path is None:
        folder = weights.FOLDER if in_project else user_folder()
        say(f"fetching the matting network {NETWORK} (4.6 MB) to {folder}")
        try:
            path = fetch_network(NETWORK, folder)
        except WeightsError as error:
            raise WeightsError(f"{error}, or name an ONNX matting network with --matting FILE") from None
    return OnnxMatting(path, "--matting")


def check_format(path: Path) -> None:
    """Raises RetouchError where a mask would not be kept without loss."""
    if path.suffix.lower() not in LOSSLESS_FORMATS:
        formats = ", ".join(LOSSLESS_FORMATS)
        raise RetouchError(f"{path}: a mask is written as {formats}, without loss; name it with one of these")


def mask_steps(matting: Callable[[], OnnxMatting]) -> Steps[Job, Picture, np.ndarray, ResultFiles]:
    """The work on photos whose foreground is to be found; `matting` is called once, while the first ones are read."""
    networks: list[OnnxMatting] = []

    def compute(job: Job, picture: Picture) -> np.ndarray:
        return find_foreground(picture, networks[0])

    return Steps(
        lambda job: read(job.photo), compute, _write, lambda job: count_pixels(job.photo), lambda: networks.append(matting())
    )


def find_foreground(picture: Picture, network: OnnxMatting) -> np.ndarray:
    """The foreground mask of a photo, uint8 H×W; the network sees its colours in sRGB."""
    pixels = to_8_bits(picture.pixels)
    colours = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., :3])

    def matting(small: np.ndarray) -> np.ndarray:
        return network(srgb_codes(small[..., 0] if pixels.ndim == 2 else small, picture.space))

    return foreground_mask(colours, matting, network.size)


def _write(job: Job, picture: Picture, mask: np.ndarray) -> ResultFiles:
    """Write a mask that says of itself that it is upright, as `read_mask` then need not guess."""
    kind = LOSSLESS_FORMATS[job.result.suffix.lower()]
    exif = Image.Exif()
    exif[ORIENTATION] = 1
    with atomic_file(job.result) as partial:
        Image.fromarray(mask).save(partial, kind, exif=exif, **OPTIONS[kind])
    return ResultFiles((job.result,), warnings=_warnings(mask))


def _warnings(mask: np.ndarray) -> tuple[str, ...]:
    share = float(mask.mean()) / 255
    if share < LEAST:
        return ("the network finds no foreground in it: paint a mask",)
    return ("the network takes all of it for the foreground: paint a mask",) if share > MOST else ()
