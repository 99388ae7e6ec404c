"""Which pictures are the same, and which nearly are."""

import hashlib
from typing import Any

import cv2
import numpy as np

FLAT = 8.0  # grey levels: a thumbnail with less contrast says nothing about which picture it is


def scene_digest(scene: dict[str, Any]) -> str:
    """SHA-256 of a scene's picture, and of its answer where it is one of a pair: one input may have several answers."""
    answer = scene.get("target")
    return hashlib.sha256(scene["image"].tobytes() + (b"" if answer is None else answer.tobytes())).hexdigest()


def perceptual_hash(image: np.ndarray) -> str:
    """64 bits of a picture's coarse structure as 16 hex digits (DCT hash), or "" where it is too flat to have any."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    if grey.std() < FLAT:
        return ""
    low = cv2.dct(grey)[:8, :8].ravel()
    return f"{int(''.join('1' if value else '0' for value in low > np.median(low[1:])), 2):016x}"


class Known:
    """Perceptual hashes of named pictures, to be asked for the nearest."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._hashes = np.zeros(64, np.uint64)

    def add(self, name: str, value: str) -> None:
        """Remember a picture by its `perceptual_hash`; one too flat to have any is left out."""
        if value:
            if len(self.names) == len(self._hashes):
                self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
            self._hashes[len(self.names)] = int(value, 16)
            self.names.append(name)

    def nearest(self, value: str, bits: int) -> str | None:
        """The picture whose hash is nearest to `value`, if it differs in at most `bits` of the 64."""
        if not value or not self.names:
            return None
        distances = np.bitwise_count(self._hashes[: len(self.names)] ^ np.uint64(int(value, 16)))
        nearest = int(distances.argmin())
        return self.names[nearest] if distances[nearest] <= bits else None


class Repeats:
    """Finds pictures that repeat an earlier one. Shown the test split first, it keeps the test sets whole."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._digests: dict[str, str] = {}
        self._tests = Known()

    def earlier(self, scene: dict[str, Any]) -> str | None:
        """The id of an earlier scene that this one equals, or that this training scene nearly equals in the test split."""
        name, digest, look = scene["id"], scene_digest(scene), perceptual_hash(scene["image"])
        found = self._digests.setdefault(digest, name)
        if found != name:
            return found
        if scene["split"] == "train":
            return self._tests.nearest(look, self.bits)
        self._tests.add(name, look)
        return None
