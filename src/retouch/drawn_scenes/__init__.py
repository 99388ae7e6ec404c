"""Daylight scenes drawn by the project itself, with ground truth for every task."""
