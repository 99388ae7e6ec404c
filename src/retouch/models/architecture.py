"""What the catalogue of networks says about each: where it is built, which family, paper and task it belongs to."""

from dataclasses import dataclass, field
from typing import Any

HARMONIZATION = "harmonization"


@dataclass(frozen=True)
class Architecture:
    """One variant. `factory` is `module:attribute`, called with `options`; it returns a `models.base.Model`."""

    factory: str
    family: str  # the folder of retouch.models that holds it
    paper: str | None  # its page is docs/papers/PAPER.md; our own networks have one there too
    task: str = HARMONIZATION
    options: dict[str, Any] = field(default_factory=dict)
    trainable: bool = True
    nested: tuple[str, ...] = ()  # the options that name further architectures, which it builds into itself
