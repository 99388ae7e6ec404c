"""The relativistic average adversarial losses of Sg-MMH (§3.4, equations 5 and 6) on a discriminator's scores."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


def relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Equation 5, mean of its two terms: real scores above the mean of the others, the others below theirs.

    The generator's loss, equation 6, is the same with the two exchanged. Scores are before the sigmoid, of any shape; means are
    over the batch.
    """
    above, below = real - fake.mean(), fake - real.mean()
    return (
        binary_cross_entropy_with_logits(above, torch.ones_like(above))
        + binary_cross_entropy_with_logits(below, torch.zeros_like(below))
    ) / 2


def adversarial(discriminator: nn.Module, image: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """(the generator's loss, the discriminator's), for harmonized and real pictures, N×3×H×W in [0, 1].

    The first has gradients for `image` only, the second for the discriminator only, so that their sum teaches both in one step:
    as in the authors' code, both judge by the discriminator of before it.
    """
    judged, judged_real = discriminator(image.detach()), discriminator(real)
    frozen = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    seen: Tensor = torch.func.functional_call(discriminator, frozen, (image,))
    return relativistic(seen, judged_real.detach()), relativistic(judged_real, judged)
