"""A network applied to a picture of any size, and the layers that it left to edit."""

from retouch.editing.edits import EditedLayers
from retouch.editing.layer_files import load_layers, save_layers
from retouch.editing.operator_layers import Layers
from retouch.editing.transform_layers import Regions
from retouch.inference.harmonize import Harmonized, harmonize, retouch

__all__ = ["EditedLayers", "Harmonized", "Layers", "Regions", "harmonize", "load_layers", "retouch", "save_layers"]
