"""Sources of photographs. Each is one file, imported when it is used."""

from importlib import import_module

from retouch.errors import SettingsError
from retouch.sources.base import Photo, Source

__all__ = ["SOURCES", "Photo", "Source", "get"]

SOURCES = {
    "ade20k": "retouch.sources.ade20k:Ade20k",
    "adjustment": "retouch.sources.adjustment:Adjustment",
    "coco": "retouch.sources.coco:Coco",
    "folder": "retouch.sources.folder:Folder",
    "iharmony4": "retouch.sources.iharmony4:IHarmony4",
    "lip": "retouch.sources.lip:Lip",
    "objects": "retouch.sources.objects:Objects",
    "people": "retouch.sources.people:People",
    "sample": "retouch.sources.sample:Sample",
}


def get(name: str) -> Source:
    """The source called `name`. Raises SettingsError that lists the known sources."""
    if name not in SOURCES:
        raise SettingsError(f"data.sources: no source {name!r}; there are {', '.join(sorted(SOURCES))}")
    module, _, attribute = SOURCES[name].partition(":")
    source: Source = getattr(import_module(module), attribute)()
    return source
