"""What must hold, as Great Expectations suites over the manifests. Great Expectations takes ten seconds to import."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from retouch.checks.manifest import near_duplicates
from retouch.settings import Settings

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

CLASSES = {"max_labels": 150, "max_parts": 19}
"""The last class of ADE20K's and of LIP's vocabulary."""


def scene_table(manifest: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The manifest with what concerns several rows: splits a photograph is in, and the training scene a test scene repeats."""
    splits = manifest.groupby("photo")["split"].transform("nunique")
    repeats = near_duplicates(manifest, settings.validate_.near_duplicate_bits)
    return manifest.assign(splits_of_photo=splits, repeats=[repeats.get(identity) for identity in manifest["id"]])


def scene_expectations(settings: Settings) -> list["Expectation"]:
    """Of scenes: names, sizes, vocabularies, and that no picture of the test split was seen in training."""
    import great_expectations.expectations as gxe

    size = settings.parse.size
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToBeUnique(column="id", notes="every scene has a name of its own"),
        gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["train", "test"]),
        gxe.ExpectColumnValuesToBeInSet(column="source", value_set=list(settings.data.sources)),
        gxe.ExpectColumnValuesToBeBetween(column="height", min_value=size, max_value=size, notes="parse.size"),
        gxe.ExpectColumnValuesToBeBetween(column="width", min_value=size, max_value=size, notes="parse.size"),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, max_value=last, notes="the vocabulary's last class")
            for column, last in CLASSES.items()
        ),
        gxe.ExpectColumnValuesToBeUnique(column="sha256", notes="no picture twice"),
        gxe.ExpectColumnValuesToBeBetween(column="splits_of_photo", max_value=1, notes="a photograph is in one split only"),
        gxe.ExpectColumnValuesToBeNull(column="repeats", notes="no test picture nearly equals a training picture"),
    ]


def composite_expectations(settings: Settings) -> list["Expectation"]:
    """Of composites: changed inside the mask and nowhere else, by a recipe, from test photographs only."""
    import great_expectations.expectations as gxe

    low, high = settings.validate_.foreground_ratio
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["test"], notes="training composites are made on the fly"),
        gxe.ExpectColumnValuesToBeInSet(column="benchmark", value_set=list(settings.synthesize.benchmarks)),
        gxe.ExpectColumnValuesToBeBetween(column="foreground_ratio", min_value=low, max_value=high),
        gxe.ExpectColumnValuesToBeBetween(column="difference_outside", max_value=0, notes="only the mask was changed"),
        gxe.ExpectColumnValuesToBeBetween(column="difference_inside", min_value=1, notes="something was changed"),
        gxe.ExpectColumnValuesToBeInSet(column="regions_match_mask", value_set=[True]),
        gxe.ExpectColumnValuesToBeBetween(column="recipe_edits", min_value=1, notes="every composite has its recipe"),
        gxe.ExpectColumnValuesToBeInSet(column="known_scene", value_set=[True], notes="its scene is a test scene"),
    ]


def composite_table(manifest: pd.DataFrame, scenes: pd.DataFrame) -> pd.DataFrame:
    """The manifest with whether each composite's scene is a test scene that exists."""
    known = set(scenes.loc[scenes["split"] == "test", "id"])
    return manifest.assign(known_scene=manifest["scene"].isin(known))


def outcomes(result: Any) -> list[dict[str, Any]]:
    """The expectations of one validation result: which, on what column, whether it holds, how many rows break it, their ids."""
    found = []
    for outcome in result.results:
        config, detail = outcome.expectation_config, outcome.result
        rows = detail.get("unexpected_index_list") or []
        ids = sorted({str(row["id"]) for row in rows if row.get("id") is not None})
        found.append({
            "expectation": config.type,
            "column": config.kwargs.get("column"),
            "success": bool(outcome.success),
            "means": str(config.notes or ""),
            "rows": int(detail.get("unexpected_count") or 0),
            "ids": ids,
        })  # fmt: skip
    return found
