"""Measuring models on the frozen test sets."""
