"""Semantic-guided multi-mask image harmonization (Sg-MMH)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperRow:
    """One row of a paper's table: means over its test set at 256 px."""

    benchmark: str
    method: str
    figures: dict[str, float]
    source: str


def _row(benchmark: str, method: str, mse: float, psnr: float, ssim: float, lpips: float) -> PaperRow:
    return PaperRow(benchmark, method, {"mse": mse, "psnr": psnr, "ssim": ssim, "lpips": lpips}, "Sg-MMH table 2")


ROWS = (
    _row("hscene", "composite", 271.89, 27.83, 0.96, 0.027),
    _row("hscene", "Sg-MMH (RGB)", 141.75, 28.73, 0.95, 0.026),
    _row("hscene", "Sg-MMH (OM)", 99.84, 30.59, 0.96, 0.020),
    _row("hscene", "Sg-MMH (OMGAN)", 94.00, 30.88, 0.96, 0.020),
    _row("hlip", "composite", 111.95, 30.99, 0.96, 0.021),
    _row("hlip", "Sg-MMH (RGB)", 75.45, 31.34, 0.95, 0.025),
    _row("hlip", "Sg-MMH (OM)", 48.02, 33.11, 0.96, 0.021),
    _row("hlip", "Sg-MMH (OMGAN)", 42.62, 33.92, 0.97, 0.018),
)

DIFFERS = (
    "The papers train on 20,196 ADE20K and 30,385 LIP photographs at 256 px for 40,000 and 85,000 steps of 256 pictures "
    "on GPUs, and test on 2,000 and 9,972; they report iDIH on iHarmony4 only. Compare the ratios to the composite's MSE, "
    "not the absolute figures."
)
