"""The options of `Region` and of `EdgeRegion`: what each means and can be, and their former names."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from retouch.errors import SettingsError

RegionSource = Literal["labels", "colours"]

RENAMED_OPTIONS = {
    "edge": "boundary_patches",
    "more": "interior_patches",
    "side": "patch_size",
    "looks": "evaluation_patch_multiplier",
    "still": "minimum_change",
    "rounds": "layers",
    "unlabelled": "unlabelled_probability",
}
COUNTS = ("count", "boundary_patches", "interior_patches", "patch_size", "observation_size", "width", "heads", "layers")


@dataclass(frozen=True)
class RegionOptions:
    """What a variant chooses. Raises SettingsError, naming the option and what it can be, for a value that does not fit."""

    regions: RegionSource = "labels"
    """"labels": the largest classes of a label map; without one, as "colours". "colours": regions of similar colour and
    place."""
    count: int = 4
    """Regions of a picture, a square number."""
    boundary_patches: int = 48
    """Patches of a region along its boundary."""
    interior_patches: int = 16
    """Patches of a region anywhere in it."""
    patch_size: int = 7
    """px, odd."""
    observation_size: int = 192
    """px: larger pictures are shrunk to this for a look at their regions. Transforms are applied at any size."""
    width: int = 96
    """Features of patches and regions, a multiple of `heads`."""
    heads: int = 4
    """Of the attention between regions."""
    layers: int = 1
    """How often regions attend to one another."""
    exchanges: int | None = None
    """After how many of these, the first, regions and patches exchange what they know, which is most of the work; None: all."""
    evaluation_patch_multiplier: tuple[int, int] = (2, 8)
    """How many times as many boundary and interior patches a trained network takes: few are enough in training, and the votes
    of more are surer."""
    minimum_change: float = 0.025
    """Root mean square, of the colour range: a trained network leaves regions alone that it would change by less."""
    colour_certainty: float = 0.5
    """Probability up to which a trained network leaves regions by colour alone: they are no objects."""
    foreground_probability: float = 0.25
    """Probability above which a region counts as changed in the predicted mask."""
    unlabelled_probability: float = 0.2
    """Share of the label maps that are hidden in training, with "labels": their pictures count as without."""
    change_weight: float = 0.01
    """In training, of the cross entropy of which regions were changed, beside the squared error of what is done to them."""

    def __post_init__(self) -> None:
        if self.regions not in get_args(RegionSource):
            raise _refusal(self, "regions", f"choose one of {', '.join(get_args(RegionSource))}")
        for name in COUNTS:
            if not _is_count(getattr(self, name)):
                raise _refusal(self, name, "give a whole number above 0")
        if self.exchanges is not None and not _is_count(self.exchanges):
            raise _refusal(self, "exchanges", "give a whole number above 0, or null for all layers")
        if math.isqrt(self.count) ** 2 != self.count:
            raise _refusal(self, "count", "choose a square number, for a grid of seeds")
        if self.patch_size % 2 == 0:
            raise _refusal(self, "patch_size", "choose an odd number, so that a patch has a middle")
        if self.width % self.heads:
            raise _refusal(self, "width", f"choose a multiple of heads, {self.heads}")
        multiplier = self.evaluation_patch_multiplier
        if not isinstance(multiplier, tuple | list) or len(multiplier) != 2 or not all(map(_is_count, multiplier)):
            raise _refusal(self, "evaluation_patch_multiplier", "give a pair: for boundary patches and for interior patches")
        if not _is_share(self.minimum_change):
            raise _refusal(self, "minimum_change", "give a share of the colour range, 0 to 1")
        if not _is_share(self.unlabelled_probability):
            raise _refusal(self, "unlabelled_probability", "give a probability, 0 to 1")
        if not _is_share(self.colour_certainty):
            raise _refusal(self, "colour_certainty", "give a probability, 0 to 1")
        if not _is_share(self.foreground_probability) or self.foreground_probability in (0, 1):
            raise _refusal(self, "foreground_probability", "give a probability between 0 and 1")
        if not isinstance(self.change_weight, int | float) or self.change_weight < 0:
            raise _refusal(self, "change_weight", "give a number, 0 or more")


@dataclass(frozen=True)
class EdgeOptions:
    """The options of `EdgeRegion`. Raises SettingsError as `RegionOptions` does."""

    width: int = 96
    """Features of a pixel and of the picture."""
    edge_pixels: int = 64
    """Of a picture in training."""
    evaluation_edge_pixels: int = 384
    """Of a picture for a trained network."""
    dropout: float = 0.1
    minimum_change: float = 0.0
    """Root mean square, of the colour range: a trained network leaves regions alone that it would change by less."""
    seam_share: float = 0.0
    """Of the seam fit in the transform of a trained network: it knows less, but has no training that a photograph can be
    unlike."""

    def __post_init__(self) -> None:
        for name in ("width", "edge_pixels", "evaluation_edge_pixels"):
            if not _is_count(getattr(self, name)):
                raise _refusal(self, name, "give a whole number above 0")
        if not _is_share(self.dropout) or self.dropout == 1:
            raise _refusal(self, "dropout", "give a probability from 0 to below 1")
        for name in ("minimum_change", "seam_share"):
            if not _is_share(getattr(self, name)):
                raise _refusal(self, name, "give a share, 0 to 1")


def _refusal(options: RegionOptions | EdgeOptions, name: str, remedy: str) -> SettingsError:
    return SettingsError(f"models.*.options.{name} is {getattr(options, name)!r}: {remedy}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1
