"""The Instagram filters of pilgram 2.0: each is a list of steps, which `instagram` carries out."""

from dataclasses import dataclass

from retouch.synthesis.gradients import Color, Linear, LinearFill, Radial, RadialFill


@dataclass(frozen=True)
class Css:
    """A CSS filter."""

    name: str
    amount: float


@dataclass(frozen=True)
class Blend:
    """A layer of one colour, of a gradient, or computed from the backdrop; `opacity` fades the result into the backdrop.

    The modes hue and color take one colour and full opacity.
    """

    mode: str
    source: "Color | RadialFill | LinearFill | Mix"
    alpha: float = 1.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Mix:
    """The results of two lists of steps, `first` where the mask is white and `second` where it is black."""

    first: "tuple[Step, ...]"
    second: "tuple[Step, ...]"
    mask: Radial | Linear
    opacity: float = 1.0


Step = Css | Blend | Mix
Gradient = Radial | Linear | RadialFill | LinearFill

_XPRO = Radial(length=0.4, scale=1.1)
_XPRO_LAYER = Mix((Blend("normal", (230, 231, 224)),), (Blend("normal", (43, 42, 161), opacity=0.6),), _XPRO)
_MAYFAIR = (0.4, 0.4)

FILTERS: dict[str, tuple[Step, ...]] = {
    "1977": (
        Blend("screen", (243, 106, 188), 0.3), Css("contrast", 1.1), Css("brightness", 1.1), Css("saturate", 1.3),
    ),
    "aden": (
        Mix((Blend("darken", (66, 10, 14)),), (), Linear(0.8)),
        Css("hue_rotate", -20), Css("contrast", 0.9), Css("saturate", 0.85), Css("brightness", 1.2),
    ),
    "brannan": (Blend("lighten", (161, 44, 199), 0.31), Css("sepia", 0.5), Css("contrast", 1.4)),
    "brooklyn": (
        Mix((Blend("overlay", (168, 223, 193), 0.4),), (Blend("overlay", (196, 183, 200)),), Radial(0.7)),
        Css("contrast", 0.9), Css("brightness", 1.1),
    ),
    "clarendon": (Blend("overlay", (127, 187, 227), 0.2), Css("contrast", 1.2), Css("saturate", 1.35)),
    "earlybird": (
        Blend("overlay", RadialFill(((208, 186, 142), (54, 3, 9), (29, 2, 16)), (0.2, 0.85, 1.0))),
        Css("contrast", 0.9), Css("sepia", 0.2),
    ),
    "gingham": (Blend("soft_light", (230, 230, 250)), Css("brightness", 1.05), Css("hue_rotate", -10)),
    "hudson": (
        Blend("multiply", RadialFill(((166, 177, 255), (52, 33, 52)), (0.5, 1.0)), opacity=0.5),
        Css("brightness", 1.2), Css("contrast", 0.9), Css("saturate", 1.1),
    ),
    "inkwell": (Css("sepia", 0.3), Css("contrast", 1.1), Css("brightness", 1.1), Css("grayscale", 1.0)),
    "kelvin": (Blend("color_dodge", (56, 44, 52)), Blend("overlay", (183, 125, 33))),
    "lark": (Blend("color_dodge", (34, 37, 63)), Blend("darken", (242, 242, 242), 0.8), Css("contrast", 0.9)),
    "lofi": (
        Mix((), (Blend("multiply", (34, 34, 34)),), Radial(0.7, 1.5)), Css("saturate", 1.1), Css("contrast", 1.5),
    ),
    "maven": (
        Blend("hue", (3, 230, 26), 0.2),
        Css("sepia", 0.25), Css("brightness", 0.95), Css("contrast", 0.95), Css("saturate", 1.5),
    ),
    "mayfair": (
        Mix(
            (Mix(
                (Blend("overlay", (255, 255, 255), 0.8),), (Blend("overlay", (255, 200, 200), 0.6),),
                Radial(scale=0.3, centre=_MAYFAIR),
            ),),
            (Blend("overlay", (17, 17, 17)),), Radial(0.3, 0.6, _MAYFAIR), opacity=0.4,
        ),
        Css("contrast", 1.1), Css("saturate", 1.1),
    ),
    "moon": (
        Blend("soft_light", (160, 160, 160)), Blend("lighten", (56, 56, 56)),
        Css("grayscale", 1.0), Css("contrast", 1.1), Css("brightness", 1.1),
    ),
    "nashville": (
        Blend("darken", (247, 176, 153), 0.56), Blend("lighten", (0, 70, 150), 0.4),
        Css("sepia", 0.2), Css("contrast", 1.2), Css("brightness", 1.05), Css("saturate", 1.2),
    ),
    "perpetua": (Blend("soft_light", LinearFill((0, 91, 154), (230, 193, 61)), opacity=0.5),),
    "reyes": (
        Blend("soft_light", (239, 205, 173), opacity=0.5),
        Css("sepia", 0.22), Css("brightness", 1.1), Css("contrast", 0.85), Css("saturate", 0.75),
    ),
    "rise": (
        Mix((Blend("multiply", (236, 205, 169), 0.15),), (Blend("multiply", (50, 30, 7), 0.4),), Radial(0.55)),
        Mix((Blend("overlay", (232, 197, 152), 0.8),), (), Radial(scale=0.9), opacity=0.6),
        Css("brightness", 1.05), Css("sepia", 0.2), Css("contrast", 0.9), Css("saturate", 0.9),
    ),
    "slumber": (
        Blend("lighten", (69, 41, 12), 0.4), Blend("soft_light", (125, 105, 24), 0.5),
        Css("saturate", 0.66), Css("brightness", 1.05),
    ),
    "stinson": (
        Blend("soft_light", (240, 149, 128), 0.2), Css("contrast", 0.75), Css("saturate", 0.85), Css("brightness", 1.15),
    ),
    "toaster": (
        Blend("screen", RadialFill(((128, 78, 15), (59, 0, 59)), (0.0, 1.0))), Css("contrast", 1.5), Css("brightness", 0.9),
    ),
    "valencia": (
        Blend("exclusion", (58, 3, 57), opacity=0.5), Css("contrast", 1.08), Css("brightness", 1.08), Css("sepia", 0.08),
    ),
    "walden": (
        Blend("screen", (0, 68, 204), opacity=0.3),
        Css("brightness", 1.1), Css("hue_rotate", -10), Css("sepia", 0.3), Css("saturate", 1.6),
    ),
    "willow": (
        Blend("overlay", RadialFill(((212, 169, 175), (0, 0, 0)), (0.55, 1.5))), Blend("color", (216, 205, 203)),
        Css("grayscale", 0.5), Css("contrast", 0.95), Css("brightness", 0.9),
    ),
    "xpro2": (
        Mix((Blend("color_burn", _XPRO_LAYER),), (Blend("color_burn", _XPRO_LAYER, opacity=0.6),), _XPRO),
        Css("sepia", 0.3),
    ),
}  # fmt: skip
"""pilgram 2.0's 26 filters by name."""

PAPER = tuple(name for name in FILTERS if name not in ("aden", "perpetua", "toaster"))
"""The 23 of Sg-MMH §3.2: its authors' code leaves out these three of pilgram's 26."""
