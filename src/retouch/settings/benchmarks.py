"""`synthesize` in params.yaml: the benchmarks, by kind, and the rules of perturbation."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from retouch.settings.base import Positive, Probability, Range, Section


class _Benchmark(Section):
    sources: Annotated[list[str], Field(min_length=1)]


class RegionsSettings(_Benchmark):
    """Several regions of a photograph, each changed by filters (HScene, HLIP)."""

    kind: Literal["regions"]
    regions: Literal["labels", "parts"]  # ADE20K classes or LIP body parts
    region_share: Probability | None = None  # in place of perturb's; 0 changes one region a picture


class QualitySettings(Section):
    """Which recoloured objects still look like photographs."""

    change: Range  # mean ΔE (1976) inside the mask: seen, but not absurd
    clipped: Probability  # largest share of pixels out of gamut
    structure: Annotated[float, Field(ge=-1, le=1)]  # least correlation of L before and after


Method = Literal["reinhard", "monge-kantorovitch", "histogram", "iterative"]


class TransferSettings(_Benchmark):
    """One object recoloured after another of its category (iHarmony4's way)."""

    kind: Literal["transfer"]
    regions: Literal["labels", "parts", "objects"]
    area: Range  # share of the picture that the object covers
    methods: Annotated[list[Method], Field(min_length=1)]
    quality: QualitySettings


RegionMap = Literal["objects", "labels", "parts", "person"]
AdjustmentName = Literal[
    "exposure", "temperature", "tint", "second_light", "shadows", "highlights", "midtones", "contrast", "black_point",
    "white_point", "saturation", "vibrance", "hue", "split_toning", "resize", "jpeg",
]  # fmt: skip
Strength = Annotated[float, Field(gt=0, le=3)]


class ChangeSettings(Section):
    """Which developed regions are worth learning from."""

    change: Range  # mean absolute change inside the mask, codes of 255
    clipped: Probability  # largest share of pixels that are out of range, or newly black or white


class _DevelopedObjects(_Benchmark):
    regions: Annotated[
        list[RegionMap], Field(min_length=1)
    ]  # the first that a photograph has; person: its matte or all its parts
    area: Range  # share of the picture that an object covers
    feather: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]  # px (σ) of soft edges, drawn evenly
    mask_error: Annotated[int, Field(ge=0)]  # px by which a mask may be too large or too small
    strength: tuple[Strength, Strength]  # of every adjustment, drawn log-uniformly; 1 is as strong as people usually go
    adjustments: Annotated[dict[AdjustmentName, Probability], Field(min_length=1)]  # the probability of each
    max_adjustments: Positive
    quality: ChangeSettings

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any(self.adjustments.values()):
            raise ValueError("adjustments need one with a probability above 0")
        if any(low > high for low, high in (self.area, self.feather, self.strength, self.quality.change)):
            raise ValueError("area, feather, strength and quality.change are [least, largest]")
        return self


class DevelopSettings(_DevelopedObjects):
    """A region developed anew, as photographers and cameras do: exposure, white balance, curves, colours, files.

    The mask that models see may be off by `mask_error`, what is changed is not.
    """

    kind: Literal["develop"]
    several: Probability  # of changing two to four objects, where there are so many
    background: Probability  # of changing everything but the objects
    rough: Probability  # of a region whose outline is that of a hand-drawn polygon


class PasteSettings(_DevelopedObjects):
    """An object of one photograph on another, both developed; the mask by which it was cut may be off by `mask_error`."""

    kind: Literal["paste"]
    scales: Range  # of the object, relative to its own photograph
    as_shot: Probability  # of an object that is not developed
    harmonious: Probability  # of an object that is developed as its background is: nothing is left to correct

    @model_validator(mode="after")
    def _check_paste(self) -> Self:
        if self.as_shot + self.harmonious > 1:
            raise ValueError("as_shot and harmonious are shares of all samples, at most 1 together")
        if not 0 < self.scales[0] <= self.scales[1]:
            raise ValueError("scales are [least, largest], above 0")
        if any(self.adjustments.get(name) for name in ("resize", "jpeg")):
            raise ValueError("adjustments of kind paste are of colours: leave out resize and jpeg")
        return self


class LuminanceSettings(_Benchmark):
    """One object made lighter or darker, by transfer of luminance or by an offset in stops (Dolhasz et al.)."""

    kind: Literal["luminance"]
    regions: Literal["labels", "parts", "objects"]
    area: Range
    methods: Annotated[list[Method], Field(min_length=1)]
    quality: QualitySettings
    offset_share: Probability  # of offsets; the rest are transfers
    max_stops: Annotated[float, Field(gt=0)]


class EffectSettings(_Benchmark):
    """Photographs adjusted by semantic region (Yan et al.)."""

    kind: Literal["effect"]
    effects: Annotated[list[Literal["pop-out", "xpro", "watercolor"]], Field(min_length=1)]


class PairsSettings(_Benchmark):
    """Pairs as their source gives them (iHarmony4, FiveK)."""

    kind: Literal["pairs"]


class PlacementSettings(_Benchmark):
    """People cut out and put on backgrounds, rightly and wrongly (ART)."""

    kind: Literal["placement"]
    content_negatives: Annotated[int, Field(ge=0)]  # other people on a background, for each positive
    spatial_negatives: Annotated[int, Field(ge=0)]  # the person misplaced on its own background, for each positive
    scales: Range  # of misplaced people
    area: Range  # share of the picture that a person covers


BenchmarkSettings = Annotated[
    RegionsSettings
    | TransferSettings
    | DevelopSettings
    | PasteSettings
    | LuminanceSettings
    | EffectSettings
    | PairsSettings
    | PlacementSettings,
    Field(discriminator="kind"),
]


class PerturbSettings(Section):
    """How regions are changed (Sg-MMH §3.2; REFERENCE choices are named options)."""

    region_share: Annotated[float, Field(gt=0, le=1)]  # int(share·classes)+1 regions
    css_probability: Probability  # a second, CSS, filter on a region
    css_strengths: Literal["sampled", "default"]  # default: pilgram's arguments, three of which change nothing
    lab_range: Range  # equation 1: factors of L, a and b
    lab_space: Literal["cie", "8bit"]  # 8bit multiplies OpenCV's shifted codes, as the reference code does
    feather: Annotated[float, Field(ge=0)]  # px over which a region fades in from its edge; 0 = hard edges, as in the paper
    degradation_probability: Probability
    degradations: list[Literal["gaussian", "laplace", "poisson", "motion", "blur", "jpeg"]]


class SynthesizeSettings(Section):
    """The frozen test sets, and the rules of on-the-fly perturbation in training."""

    benchmarks: Annotated[dict[str, BenchmarkSettings], Field(min_length=1)]
    perturb: PerturbSettings
