"""Models of the task `harmonization` in params.yaml: their losses and augmentation."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from retouch.settings.base import Positive, Probability, Section
from retouch.settings.models import ModelSettings

Weight = Annotated[float, Field(ge=0)]
SizeShare = Annotated[float, Field(gt=0, le=1)]
SizeRange = tuple[SizeShare, SizeShare]


class LossSettings(Section):
    """The objective of one model."""

    reconstruction: Literal["charbonnier", "mse", "fn-mse"]
    normalisation: Literal["equation", "reference"]  # MSE and FN-MSE: as written, or as iDIH's code (in ImageNet units, ÷ 3)
    epsilon: Annotated[float, Field(gt=0)]  # Charbonnier's ε (Sg-MMH equation 3)
    min_area: Annotated[float, Field(gt=0)]  # FN-MSE's A_min, px (iDIH equation 2)
    perceptual: Weight  # of LPIPS (Sg-MMH equation 4); this and all further weights: 0 = off
    perceptual_backbone: Literal["vgg", "alex"]
    sparsity: Weight  # of the operator masks' mean deviation from what changes nothing
    smoothness: Weight  # of their total variation
    mask: Weight  # of the cross entropy of the mask, in networks that predict it
    relative: Weight  # of a picture's MSE over its composite's


class AdversarialSettings(Section):
    """A second phase of training, with a discriminator (Sg-MMH §3.4, §4.1)."""

    weight: Weight  # of the generator's adversarial loss (γ in equation 7)
    width: Positive  # channels after the discriminator's first convolution
    begin: Annotated[float, Field(ge=0, lt=1)]  # share of the steps after which it begins
    learning_rate: Annotated[float, Field(gt=0)]  # of both networks, from then on
    milestones: list[float]  # shares of the second phase


class AugmentationSettings(Section):
    """What is done to composites in training (iDIH §4.2)."""

    flip: bool  # mirror every other one
    crop: Annotated[float, Field(gt=0, le=1)]  # RandomResizedCrop: the least share of the picture; 1 = off
    keep_empty: Probability  # of keeping a crop without foreground in place of drawing again
    clean_probability: Probability  # of showing the target in place of the composite: there is then nothing to correct
    label_jitter: Annotated[float, Field(ge=0)]  # px by which label maps are warped: a scene parser's edges are off too
    size: SizeRange  # of working size: the least and the largest side of a step's pictures, made smaller after they are made
    develop: Probability  # of developing composite and target as wholes, both alike
    jpeg: Probability  # of compressing the composite

    @field_validator("size")
    @classmethod
    def _check_size(cls, size: tuple[float, float]) -> tuple[float, float]:
        if size[0] > size[1]:
            raise ValueError("give the least side before the largest")
        return size


class HarmonizationSettings(ModelSettings):
    """One harmonizer to train."""

    kinds: ClassVar[tuple[str, ...] | None] = ("regions", "transfer", "develop", "paste", "luminance", "effect", "pairs")

    task: Literal["harmonization"]
    augmentation: AugmentationSettings
    loss: LossSettings
    adversarial: AdversarialSettings | None
