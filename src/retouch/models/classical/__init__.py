"""Harmonization without training: the methods that a network must beat."""

from retouch.models.architecture import Architecture

FACTORIES = {
    "identity": "methods:identity",
    "reinhard": "methods:reinhard",
    "histogram": "methods:histogram",
    "poisson": "methods:poisson",
    "poisson-fit": "affine:PoissonFit",
    "seam-fit": "affine:SeamFit",
}
VARIANTS = {
    name: Architecture(f"{__name__}.{factory}", "classical", None, trainable=False) for name, factory in FACTORIES.items()
}
