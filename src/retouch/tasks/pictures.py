"""Values as pictures for people to look at."""

import torch
from torch import Tensor

BLUE, RED = (33 / 255, 102 / 255, 172 / 255), (178 / 255, 24 / 255, 43 / 255)


def diverging(values: Tensor, limit: float) -> Tensor:
    """N×H×W values around 0 → N×3×H×W in [0, 1]: white at 0, blue below, red above, full colour from ±`limit` on."""
    share = (values / limit).clamp(-1, 1)[:, None]
    blue, red = (torch.tensor(color, device=values.device).view(1, 3, 1, 1) for color in (BLUE, RED))
    return 1 + (torch.where(share < 0, blue, red) - 1) * share.abs()
