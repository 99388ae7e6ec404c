"""The retoucher of Sg-MMH (Ren, Liu: §3.3, equation 2): operators that act on a colour channel as much as a mask says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from retouch.color import hls_to_rgb, lab_to_rgb, rgb_to_hls, rgb_to_lab
from retouch.errors import SettingsError
from retouch.pictures.cie_lab import LAB_CENTRE, LAB_RANGE

Parametrisation = Literal["identity", "relu"]


@dataclass(frozen=True)
class Space:
    """A colour space as operators work on it: (value − centre) / range is in [−1, 1]; a cyclic channel wraps, others stop."""

    channels: tuple[str, str, str]
    centre: tuple[float, float, float]
    range: tuple[float, float, float]
    from_rgb: Callable[[Tensor], Tensor]
    to_rgb: Callable[[Tensor], Tensor]
    cyclic: tuple[bool, bool, bool] = (False, False, False)


SPACES = {
    "lab": Space(("L", "a", "b"), LAB_CENTRE, LAB_RANGE, rgb_to_lab, lab_to_rgb),
    "hls": Space(("H", "L", "S"), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), rgb_to_hls, hls_to_rgb, (True, False, False)),
}


@dataclass(frozen=True)
class Operator:
    """What a mask does to a channel: `apply(values, mask)` on N×3×H×W each, values in [−1, 1]; `neutral` changes nothing."""

    neutral: float
    apply: Callable[[Tensor, Tensor], Tensor]


OPERATORS = {"mul": Operator(1.0, torch.mul), "add": Operator(0.0, torch.add)}
"""By name, in the order in which they act. An operator added here can be named in `models.*.options.operators`."""


class Retoucher(nn.Module):
    """Applies operator masks in a colour space. Without parameters; `mask_names` names the masks, `neutral` is 1×K×1×1.

    `mul="identity"` reads a network's output as the deviation from what changes nothing; `"relu"` is the parametrisation of the
    authors' code: a factor ≥ 0 and a term, both 0 where the network's output is 0.
    Raises SettingsError for a space, operator or parametrisation that is not there.
    """

    centre: Tensor
    range: Tensor
    limit: Tensor
    neutral: Tensor

    def __init__(
        self, space: str = "lab", operators: Sequence[str] = ("add", "mul"), mul: Parametrisation = "identity"
    ) -> None:
        super().__init__()
        unknown = {*operators} - {*OPERATORS} | {space} - {*SPACES} | {mul} - {*get_args(Parametrisation)}
        if unknown or not operators:
            raise SettingsError(
                f"no retoucher of {', '.join(sorted(unknown)) or 'no operators'}; there are {', '.join((*SPACES, *OPERATORS))} "
                f"and mul: {', '.join(get_args(Parametrisation))}; fix models.*.options"
            )
        self.space_name, self.space = space, SPACES[space]
        self.operators, self.mul = tuple(operators), mul
        self.mask_names = tuple(f"{operator} {channel}" for channel in self.space.channels for operator in operators)
        limit = [torch.inf if cyclic else 1.0 for cyclic in self.space.cyclic]
        neutral = [OPERATORS[operator].neutral for _ in self.space.channels for operator in operators]
        for name, values in (
            ("centre", self.space.centre),
            ("range", self.space.range),
            ("limit", limit),
            ("neutral", neutral),
        ):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def scale(self, image: Tensor) -> Tensor:
        """N×3×H×W sRGB in [0, 1] → the colour space's channels in [−1, 1]."""
        return (self.space.from_rgb(image) - self.centre) / self.range

    def masks(self, output: Tensor) -> Tensor:
        """A network's N×K×H×W output → operator masks, K = len(mask_names)."""
        if self.mul == "identity":
            return output + self.neutral
        return torch.where(self.neutral == OPERATORS["mul"].neutral, torch.relu(output), output)

    def deviation(self, masks: Tensor) -> Tensor:
        """How far the masks, N×K×H×W, are from changing nothing: the largest of the K, N×1×H×W."""
        return (masks - self.neutral).abs().amax(dim=1, keepdim=True)

    def forward(self, image: Tensor, masks: Tensor) -> Tensor:
        """Equation 2 on N×3×H×W sRGB in [0, 1] with N×K×H×W masks; the result may leave [0, 1] where the space leaves sRGB."""
        original = self.scale(image)
        values = original
        by_operator = dict(zip(self.operators, masks.unflatten(1, (3, len(self.operators))).unbind(2), strict=True))
        for name, operator in OPERATORS.items():
            if name in by_operator:
                values = operator.apply(values, by_operator[name])
        # only the change is limited and converted back, so neutral masks give exactly the same picture
        values = original + (torch.clamp(values, -self.limit, self.limit) - torch.clamp(original, -self.limit, self.limit))
        return image + (self._to_rgb(values) - self._to_rgb(original))

    def _to_rgb(self, values: Tensor) -> Tensor:
        return self.space.to_rgb(values * self.range + self.centre)
