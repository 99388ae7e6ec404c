"""The other parts of params.yaml: data, scenes, gate, training, models, evaluation, promotion."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from retouch.settings.base import Positive, Probability, Range, Section


class SampleSettings(Section):
    """The drawn scenes."""

    train: Positive  # scenes to train on
    test: Positive  # scenes to test on
    size: Annotated[int, Field(ge=32)]  # px, square


class DataSettings(Section):
    """Where photographs come from (`retouch download`)."""

    sources: Annotated[list[str], Field(min_length=1)]  # names listed by `retouch sources`
    location: str | None  # folder, s3://bucket/prefix, https://… or `official`; `sample` needs none
    endpoint: str | None  # address of an S3 service other than Amazon's; credentials come from the usual places of AWS
    limit: Positive | None  # photographs a source and split, null = all
    sample: SampleSettings


class ParserSettings(Section):
    """A scene parser in ONNX form, N×3×S×S → N×(1+classes)×S×S logits, class 0 = other."""

    path: str  # ONNX file
    size: Positive  # px, the square it was exported for
    mean: float  # pixels in 0–255 become (pixel − mean) / scale
    scale: float


class MattingSettings(Section):
    """A network in ONNX form that finds the foreground, as U²-Net does: N×3×S×S → N×1×S×S first of its outputs."""

    path: str  # ONNX file
    size: Positive  # px, the square it was exported for


class ParseSettings(Section):
    """Scenes: photographs at working size, with labels of the source or else of the parser."""

    size: Annotated[int, Field(ge=32)]  # px, square: pictures are stretched to it, as the papers do
    parser: ParserSettings | None
    matting: MattingSettings | None  # cuts people out where their source has no masks


class ValidateSettings(Section):
    """Bounds of the data gate."""

    foreground_ratio: Range  # share of a composite that may be changed
    near_duplicate_bits: Annotated[int, Field(ge=0, le=64)]  # Hamming distance of perceptual hashes across splits


class TrainSettings(Section):
    """What all trainings share: the machine and the habits, not the recipe of one model."""

    accelerator: str  # Lightning's: auto, cpu, gpu
    devices: int | Literal["auto"]
    precision: str  # Lightning's: 32-true, bf16-mixed, 16-mixed
    compile: bool  # torch.compile
    workers: Annotated[int, Field(ge=0)]
    checkpoint_every: Positive  # steps
    log_every: Positive  # steps
    sample_every: Positive  # steps between sample pictures and validation


Weight = Annotated[float, Field(ge=0)]


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
    mask: Weight  # of the cross entropy of the mask, in networks that look for it
    relative: Weight  # of a picture's MSE over its composite's


class AdversarialSettings(Section):
    """A second phase of training, with a discriminator (Sg-MMH §3.4, §4.1)."""

    weight: Weight  # of the generator's adversarial loss (γ in equation 7)
    width: Positive  # channels after the discriminator's first convolution
    begin: Annotated[float, Field(ge=0, lt=1)]  # share of the steps after which it begins
    learning_rate: Annotated[float, Field(gt=0)]  # of both networks, from then on
    milestones: list[float]  # shares of the second phase


class AugmentSettings(Section):
    """What is done to composites in training (iDIH §4.2)."""

    flip: bool  # mirror every other one
    crop: Annotated[float, Field(gt=0, le=1)]  # RandomResizedCrop: the least share of the picture; 1 = off
    keep_empty: Probability  # of keeping a crop without foreground in place of drawing again
    natural: Probability  # of showing the real picture in place of the composite: there is then nothing to mend
    labels: Annotated[float, Field(ge=0)]  # px by which label maps are bent, as a scene parser's edges lie off the true ones


class InitialSettings(Section):
    """Weights to start from."""

    weights: str  # `imagenet`: the backbone's, through timm; or a state dict, of the whole network or of its backbone
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None  # of that file; null with `imagenet`

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if (self.weights == "imagenet") is not (self.sha256 is None):
            raise ValueError("a file of weights must be pinned by its sha256 (`sha256sum FILE`), and `imagenet` has none")
        return self


class ModelSettings(Section):
    """One model to train: its architecture, its training sets and its schedule."""

    architecture: str  # a name of `retouch models`
    options: dict[str, Any]  # arguments of the architecture
    initial: InitialSettings | None  # null = random weights
    benchmarks: Annotated[list[str], Field(min_length=1)]  # trained on a mixture of these, and tested on each
    tests: list[str]  # benchmarks that it is tested on besides
    augment: AugmentSettings
    loss: LossSettings
    adversarial: AdversarialSettings | None
    learning_rate: Annotated[float, Field(gt=0)]
    backbone_rate: Annotated[float, Field(ge=0)]  # times that for a pretrained backbone; 0 keeps its weights
    betas: Range  # Adam's
    milestones: list[float]  # shares of the training after which the rate is multiplied by gamma
    gamma: Annotated[float, Field(gt=0, le=1)]
    ema: Annotated[float, Field(ge=0, lt=1)]  # decay of the averaged weights; 0 = off
    batch: Positive
    echo: Positive  # steps that see a composite, cropped anew each time: where making it takes longer than learning from it
    steps: Positive
    minutes: (
        Annotated[float, Field(gt=0)] | None
    )  # end after this time at the latest, and the schedule with it: not reproducible

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.batch % self.echo:
            raise ValueError(f"batch ({self.batch}) must be a multiple of echo ({self.echo})")
        return self

    @property
    def test_sets(self) -> list[str]:
        """The benchmarks that it is tested on."""
        return [*self.benchmarks, *self.tests]


class EvaluateSettings(Section):
    """How models are measured on the frozen test sets."""

    batch: Positive
    lpips: Literal["vgg", "alex"] | None
    foreground_bins: list[float]  # upper edges of the bins of foreground ratio
    mask_threshold: Annotated[float, Field(gt=0)]  # operator masks further than this from neutral say: changed here (for IoU)
    pictures: Positive  # rows of the picture grid


class GateSettings(Section):
    """What a challenger must reach to become champion."""

    max_mse_ratio: Annotated[float, Field(gt=0)]  # harmonized ÷ composite MSE on every benchmark
    min_gain: float  # relative MSE gain over the champion, lower bound of a paired bootstrap
    slice_tolerance: Annotated[float, Field(ge=0)]  # relative MSE loss allowed in any slice
