"""Picture files: photographs in and out with all that belongs to them, masks, colour spaces."""
