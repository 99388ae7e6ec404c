"""Harmonization without training: the methods that a network must beat."""

from retouch.models.architecture import Architecture

VARIANTS = {
    name: Architecture(f"{__name__}.methods:{name}", "classical", None, trainable=False)
    for name in ("identity", "reinhard", "histogram", "poisson")
}
