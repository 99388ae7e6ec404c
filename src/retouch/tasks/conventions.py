"""The metrics by name: which direction is better, and by which convention each is measured. No tensors here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure a picture; tables show the mean over pictures."""

    label: str
    higher_is_better: bool
    digits: int
    convention: str

    @property
    def heading(self) -> str:
        """The label with an arrow in the better direction."""
        return f"{self.label} {'↑' if self.higher_is_better else '↓'}"


METRICS = {
    "mse": Metric("MSE", False, 2, "squared error in 0–255, mean over pixels and channels"),
    "fmse": Metric("fMSE", False, 2, "squared error in 0–255 weighted by the soft mask, over 3·Σmask (iDIH §4.3)"),
    "psnr": Metric("PSNR", True, 2, "10·log10(255²/MSE), dB, mean over pictures (Sg-MMH)"),
    "psnr_target_max": Metric("PSNR (max)", True, 2, "as PSNR, with the real picture's maximum as peak (iDIH's code)"),
    "ssim": Metric(
        "SSIM", True, 4, "7×7 uniform window, sample covariance, range 255, mean over channels (scikit-image's default)"
    ),
    "lpips": Metric("LPIPS", False, 4, "learned perceptual distance with real weights, RGB in [−1, 1]"),
    "iou": Metric(
        "IoU",
        True,
        3,
        "of the true mask > 0.5 and where the model says it changed the picture: its mask > 0.5, or any operator mask (without "
        "them, any scaled Lab channel of the picture) off by more than evaluate.mask_threshold",
    ),
    "ap": Metric("AP", True, 3, "average precision, over all thresholds, of the map that IoU takes at one"),
    "identity": Metric("identity", False, 2, "MSE between the real picture and what becomes of it, given the same mask"),
    "idempotence": Metric("idempotence", False, 2, "MSE between the harmonized picture and it harmonized again, same mask"),
    "identity_mae": Metric("identity (abs.)", False, 2, "as identity, mean absolute difference in 0–255"),
    "idempotence_mae": Metric("idempotence (abs.)", False, 2, "as idempotence, mean absolute difference in 0–255"),
}
"""In the order of the tables. All on pictures at working size, rounded to 8 bits as they would be saved."""

OF_FOREGROUND = ("fmse", "iou", "ap")
"""Those that a picture without foreground has not: means leave it out."""

DERIVED = {
    "mse_ratio": Metric("MSE ÷ composite's", False, 3, "mean MSE over the composites' mean MSE"),
    "gmac": Metric("GMAC", False, 3, "10⁹ multiply-adds of convolutions and matrix products for one picture at working size"),
    "seconds": Metric("seconds", False, 1, "for the paper's whole test set, on its authors' machine"),
}
"""Figures of tables that are no means over pictures."""

BASELINES = {
    "identity": "composite",
    "reinhard": "Reinhard transfer",
    "histogram": "histogram matching",
    "poisson": "Poisson blending",
}
"""The methods without training, as tables call them. Doing nothing gives the composite: that row is the identity's."""

NO_WEIGHTS = "no weights: run `retouch weights`"
