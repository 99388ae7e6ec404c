"""What several benchmarks share. The scripts themselves stand in the folder above."""
