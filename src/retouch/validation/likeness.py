"""Which pictures are the same, and which nearly are."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

FLAT = 8.0  # grey levels: the contrast of a thumbnail below which it does not tell one picture from another


def scene_digest(scene: dict[str, Any]) -> str:
    """SHA-256 of a scene's picture, and of its target if it is one of a pair: one input may have several targets."""
    target = scene.get("target")
    return hashlib.sha256(scene["image"].tobytes() + (b"" if target is None else target.tobytes())).hexdigest()


def perceptual_hash(image: np.ndarray) -> str:
    """64 bits of a picture's coarse structure as 16 hex digits (DCT hash), or "" if it is too flat to have any."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    if grey.std() < FLAT:
        return ""
    low = cv2.dct(grey)[:8, :8].ravel()
    return f"{int(''.join('1' if value else '0' for value in low > np.median(low[1:])), 2):016x}"


@dataclass(frozen=True)
class Fingerprint:
    """What identifies one picture: its bytes, and its coarse structure."""

    sha256: str
    phash: str


def fingerprints(scene: dict[str, Any]) -> list[Fingerprint]:
    """The fingerprints of a scene's picture, and of its target if it is one of a pair."""
    pictures = [picture for picture in (scene["image"], scene.get("target")) if picture is not None]
    return [Fingerprint(hashlib.sha256(picture.tobytes()).hexdigest(), perceptual_hash(picture)) for picture in pictures]


class HashIndex:
    """Perceptual hashes of named pictures."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._hashes = np.zeros(64, np.uint64)

    def add(self, name: str, value: str) -> None:
        """Add a picture by its `perceptual_hash`; one too flat to have any is ignored."""
        if value:
            if len(self.names) == len(self._hashes):
                self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
            self._hashes[len(self.names)] = int(value, 16)
            self.names.append(name)

    def within(self, value: str, bits: int) -> list[str]:
        """The pictures whose hash differs from `value` in at most `bits` of the 64, in the order they were added."""
        if not value:
            return []
        distances = np.bitwise_count(self._hashes[: len(self.names)] ^ np.uint64(int(value, 16)))
        return [self.names[index] for index in np.flatnonzero(distances <= bits)]


class PictureIndex:
    """The pictures of test scenes, to find what resembles them: the same bytes, or hashes within `bits` of each other."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._hashes = HashIndex()
        self._names: dict[str, list[str]] = defaultdict(list)  # SHA-256 of a picture → scenes

    def add(self, name: str, pictures: list[Fingerprint]) -> None:
        """Add the pictures of the test scene `name`."""
        for picture in pictures:
            self._hashes.add(name, picture.phash)
            self._names[picture.sha256].append(name)

    def resembling(self, pictures: list[Fingerprint]) -> list[str]:
        """The test scenes that any of these pictures resembles, sorted."""
        names: set[str] = set()
        for picture in pictures:
            names.update(self._hashes.within(picture.phash, self.bits), self._names.get(picture.sha256, ()))
        return sorted(names)


class Repeats:
    """Finds scenes that repeat an earlier one of the same source and split."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str, str], str] = {}

    def earlier(self, scene: dict[str, Any]) -> str | None:
        """The id of the earlier scene with the same picture (and target), or None; then this scene is remembered."""
        key = (scene["source"], scene["split"], scene_digest(scene))
        name = self._names.setdefault(key, scene["id"])
        return name if name != scene["id"] else None
