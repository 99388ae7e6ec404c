"""How one sample was made: a record from which the same pixels can be made again, and the seed that it starts from."""

import hashlib
import json
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np


class Recipe(Protocol):
    """What was done to one photograph, whatever the kind of benchmark."""

    def to_json(self) -> str:
        """One line of JSON with a list of `edits`; equal recipes give equal text."""
        ...


class JsonRecord:
    """A dataclass that writes itself as a recipe."""

    def to_json(self) -> str:
        """One line of JSON; equal records give equal text."""
        fields: Any = self
        return json.dumps(asdict(fields), sort_keys=True, separators=(",", ":"))


def sample_seed(seed: int, name: str, epoch: int) -> int:
    """A stable 63-bit number from (seed, a sample's id, epoch): all randomness of that sample comes from it."""
    text = f"{seed}\0{name}\0{epoch}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int) -> np.random.Generator:
    """The random numbers of one sample, the same on every machine and version of NumPy."""
    return np.random.Generator(np.random.PCG64(seed))
