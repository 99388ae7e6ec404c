"""Our own harmonizers: one colour transform a region."""
