"""A network applied to a picture of any size, and the layers that it left to edit."""

from retouch.inference.edits import EditedLayers
from retouch.inference.harmonize import Harmonized, harmonize, retouch
from retouch.inference.layer_files import load_layers, save_layers
from retouch.inference.layers import Layers
from retouch.inference.regions import Regions

__all__ = ["EditedLayers", "Harmonized", "Layers", "Regions", "harmonize", "load_layers", "retouch", "save_layers"]
