"""A small untrained network as a shipped model."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from retouch.images import resize
from retouch.inference.network_files import save
from retouch.models import create
from retouch.settings import Settings
from retouch.shipped.card import Card
from retouch.shipped.ship import ship

OPTIONS = {"width": 8}


def save_trained(path: Path, seed: int = 0, name: str = "region", architecture: str = "region", size: int = 64) -> Path:
    """Write a network that changes pictures a little."""
    torch.manual_seed(seed)
    network = create(architecture, **OPTIONS)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    metadata = {"name": name, "size": str(size), "digest": f"{name}-{seed}", "steps": "2", "seed": "7"}
    save(path, network, architecture, OPTIONS, metadata)
    return path


def draw_triples(folder: Path, count: int = 3) -> Path:
    """Smooth photographs in two sub-folders whose middle was darkened."""
    generator = np.random.default_rng(0)
    for number in range(count):
        photo = resize(generator.integers(60, 200, (4, 5, 3), dtype=np.uint8), 90, 120)
        mask = np.zeros((90, 120), np.uint8)
        mask[20:70, 30:80] = 255
        composite = np.where(mask[..., None] > 0, photo * 0.8, photo).astype(np.uint8)
        place = folder / ("day" if number < count - 1 else "night")
        for role, pixels in (("composite", composite), ("mask", mask), ("target", photo)):
            (place / role).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / role / f"p{number}.png")
    return folder


def shipped(settings: Settings, folder: Path = Path("pretrained/region"), seed: int = 0, size: int = 64) -> Card:
    """Ship an untrained `region`, measured on two sets of triples."""
    file = save_trained(Path("artifacts/region/model.safetensors"), seed, size=size)
    return ship(file, folder, {"triples": draw_triples(Path("triples"))}, settings)
