"""How good a model is: metrics with named conventions, tables beside the papers' figures, pictures, and the report."""
