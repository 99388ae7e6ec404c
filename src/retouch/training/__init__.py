"""Training on scenes perturbed on the fly: losses, batches, checkpoints, and the loop."""
