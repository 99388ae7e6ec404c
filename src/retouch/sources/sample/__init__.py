"""The `sample` source: daylight scenes drawn by the project itself, with ground truth for every task."""

from retouch.sources.sample.source import Sample

__all__ = ["Sample"]
