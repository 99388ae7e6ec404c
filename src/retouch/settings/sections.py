"""The sections of params.yaml but `synthesize` and `models`: data, scenes, data gate, training, evaluation, promotion."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from retouch.settings.base import Positive, Range, Section


class SampleSettings(Section):
    """The drawn scenes."""

    train: Positive  # scenes to train on
    test: Positive  # scenes to test on
    size: Annotated[int, Field(ge=32)]  # px, square


class PlaceSettings(Section):
    """One of several places, where it has rules of its own."""

    place: str  # as data.location
    test: bool  # false: all its photographs are for training, so that test sets stay those of the other places


class DataSettings(Section):
    """Where photographs come from (`retouch download`)."""

    sources: Annotated[list[str], Field(min_length=1)]  # names listed by `retouch sources`
    location: str | Annotated[list[str | PlaceSettings], Field(min_length=1)] | None
    """Folder, s3://bucket/prefix, https://… or `official`, or several of them; `sample` needs none."""
    endpoint: str | None  # address of an S3 service other than Amazon's; credentials come from the usual places of AWS
    limit: Positive | None  # photographs a source and split, null = all
    sample: SampleSettings

    @property
    def places(self) -> tuple[PlaceSettings, ...]:
        """The places of `location`, in order."""
        places = self.location if isinstance(self.location, list) else [self.location] if self.location else []
        return tuple(PlaceSettings(place=place, test=True) if isinstance(place, str) else place for place in places)

    @field_validator("location")
    @classmethod
    def _check_places(cls, location: Any) -> Any:
        if isinstance(location, list):
            names = [place if isinstance(place, str) else place.place for place in location]
            if len(set(names)) < len(names):
                raise ValueError("each place is named once")
        return location


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
    max_unreadable: Annotated[int, Field(ge=0)]  # photographs that may be left out because their files cannot be used


class ValidateSettings(Section):
    """Bounds of the data gate."""

    foreground_ratio: Range  # share of a composite that may be changed
    near_duplicate_bits: Annotated[int, Field(ge=0, le=64)]  # Hamming distance of perceptual hashes across splits


class TrainSettings(Section):
    """What all trainings share: the machine and how often progress is written, not the recipe of one model."""

    accelerator: str  # Lightning Fabric's: auto, cpu, gpu
    devices: int | Literal["auto"]
    precision: str  # Fabric's: 32-true, bf16-mixed, 16-mixed
    compile: bool  # torch.compile
    workers: Annotated[int, Field(ge=0)]
    checkpoint_every: Positive  # steps
    log_every: Positive  # steps
    sample_every: Positive  # steps between sample pictures and validation


class EvaluateSettings(Section):
    """How models are measured on the frozen test sets."""

    batch: Positive
    lpips: Literal["vgg", "alex"] | None
    foreground_bins: list[float]  # upper edges of the bins of foreground ratio
    mask_threshold: Annotated[float, Field(gt=0)]  # operator masks further than this from neutral say: changed here (for IoU)
    pictures: Positive  # rows of the picture grid


class GateSettings(Section):
    """What a challenger must reach to become champion."""

    max_ratio: Annotated[float, Field(gt=0)]  # error ÷ that of doing nothing (or of a constant answer), on every benchmark
    min_gain: float  # relative gain over the champion, lower bound of a paired bootstrap
    slice_tolerance: Annotated[float, Field(ge=0)]  # relative loss allowed in any slice of foreground size
