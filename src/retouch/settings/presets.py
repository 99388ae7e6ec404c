"""`retouch use NAME`: write params.yaml from the settings kept in params/.

params/sample.yaml is whole; another holds only what differs from it, or from the settings that its key `like` names. So does a
model under `models` whose key `like` names another. A null in place of a section removes that section.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from retouch.errors import SettingsError
from retouch.files import atomic_file
from retouch.settings import PARAMS, Settings, parse

FOLDER = Path("params")
BASE = "sample"


def names(folder: Path = FOLDER) -> list[str]:
    """The settings that can be used."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def use(
    name: str,
    location: str | Sequence[str] | None = None,
    endpoint: str | None = None,
    training: Sequence[str] = (),
    folder: Path = FOLDER,
    target: Path = PARAMS,
) -> Settings:
    """Write `target` from `folder`/`name`.yaml, with `location` as the place or places of the photographs where given.

    Each is a folder, an s3:// or https:// address, or `official`; `training` are more of them, for training only; `endpoint`
    is an S3 service's address. Comments are kept. Raises SettingsError when there is no such file, it holds a wrong key, or a
    place is not there.
    """
    tested = [location] if isinstance(location, str) else list(location or ())
    if name not in names(folder):
        raise SettingsError(f"no settings {name!r} in {folder}/; there are: {', '.join(names(folder)) or 'none'}")
    if tested and name == BASE:
        raise SettingsError("the sample draws its own photographs: leave out --photos")
    if training and not tested:
        raise SettingsError("--training-photos adds to the places of --photos: give at least one of them")
    for option, places in (("--photos", tested), ("--training-photos", training)):
        for place in places:
            if place != "official" and "://" not in place and not Path(place).is_dir():
                raise SettingsError(f"{option} {place}: no such folder")
    yaml = YAML()
    yaml.width = 128
    yaml.representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    settings = _whole(name, folder, yaml)
    _resolve(settings["models"], folder / f"{name}.yaml")
    if tested:
        more = [{"place": place, "test": False} for place in training]
        settings["data"]["location"] = [*tested, *more] if len(tested) > 1 or more else tested[0]
    if endpoint is not None:
        settings["data"]["endpoint"] = endpoint
    with atomic_file(target) as partial:
        if name == BASE:
            partial.write_text((folder / f"{BASE}.yaml").read_text())
        else:
            yaml.dump(settings, partial)
        return parse(YAML(typ="safe").load(partial.read_text()), target)


def _whole(name: str, folder: Path, yaml: YAML) -> CommentedMap:
    settings: CommentedMap = yaml.load((folder / f"{name}.yaml").read_text())
    if name == BASE:
        return settings
    whole = _whole(settings.pop("like", BASE), folder, yaml)
    _merge(whole, settings)
    return whole


def _resolve(models: CommentedMap, path: Path) -> None:
    """Give each model that is `like` another the other's keys too."""
    for name, model in list(models.items()):
        other = model.pop("like", None)
        if other is None:
            continue
        if other not in models or "like" in models[other]:
            raise SettingsError(f"{path}: models.{name} is like {other!r}, which must stand above it and be there")
        models[name] = deepcopy(models[other])
        _merge(models[name], model)


def _merge(base: CommentedMap, changes: CommentedMap) -> None:
    for key, value in changes.items():
        if isinstance(base.get(key), CommentedMap) and value is None:
            del base[key]
        elif isinstance(base.get(key), CommentedMap) and isinstance(value, CommentedMap):
            _merge(base[key], value)
        else:
            base[key] = value
            if key in changes.ca.items:
                base.ca.items[key] = changes.ca.items[key]
