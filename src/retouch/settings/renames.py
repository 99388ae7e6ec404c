"""Keys of params.yaml that have another name now, so that an old file gets an error that says which."""

RENAMED = {
    "gate.max_mse_ratio": "gate.max_ratio",
    "models.*.augment": "models.*.augmentation",
    "models.*.augmentation.natural": "models.*.augmentation.clean_probability",
    "models.*.augmentation.labels": "models.*.augmentation.label_jitter",
    "models.*.backbone_rate": "models.*.encoder_rate",
    "models.*.echo": "models.*.data_echoing_factor",
}
"""Old → new; `*` stands for any one key."""


def new_name(key: str) -> str | None:
    """The present name of an old dotted key such as `models.idih.echo`; None where it never was a key."""
    parts = key.split(".")
    for old, new in RENAMED.items():
        pattern = old.split(".")
        if len(pattern) == len(parts) and all(one in ("*", part) for one, part in zip(pattern, parts, strict=True)):
            names = iter(part for one, part in zip(pattern, parts, strict=True) if one == "*")
            return ".".join(next(names) if part == "*" else part for part in new.split("."))
    return None
