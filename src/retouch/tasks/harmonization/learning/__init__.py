"""How a harmonizer learns: augmentation and losses."""
