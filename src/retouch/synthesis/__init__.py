"""Samples made of scenes: perturbations, the kinds of benchmarks, and their frozen test sets."""
