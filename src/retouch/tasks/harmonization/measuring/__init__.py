"""How good a harmonizer is."""
