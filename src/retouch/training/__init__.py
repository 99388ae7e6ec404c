"""Training on samples made on the fly: data by step, the loop, its schedule, checkpoints and progress."""
