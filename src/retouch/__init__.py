"""Retouch: train, evaluate, register and serve models that make composited photographs look real."""
