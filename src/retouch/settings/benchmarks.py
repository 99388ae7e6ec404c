"""`synthesize` in params.yaml: the benchmarks, by kind, and the rules of perturbation."""

from typing import Annotated, Literal

from pydantic import Field

from retouch.settings.base import Probability, Range, Section


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
    RegionsSettings | TransferSettings | LuminanceSettings | EffectSettings | PairsSettings | PlacementSettings,
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
