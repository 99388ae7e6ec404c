"""What must hold, as Great Expectations suites over the manifests. Great Expectations takes ten seconds to import."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from retouch.settings import Settings
from retouch.store import Packed, Placements, Samples
from retouch.validation.manifest import composite_manifest, near_duplicates, placement_manifest
from retouch.vocabulary import OBJECTS

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

CLASSES = {"max_labels": 150, "max_parts": 19, "max_objects": len(OBJECTS) - 1}
"""The last class of ADE20K's and of LIP's vocabulary, and the last category of objects."""


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


def expectations(name: str, settings: Settings) -> list["Expectation"]:
    """The expectations of a table: `scenes`, or a benchmark's."""
    if name == "scenes":
        return scene_expectations(settings)
    return of_kind(settings.synthesize.benchmarks[name].kind).expectations(settings)


def sample_expectations(settings: Settings) -> list["Expectation"]:
    """Of samples that synthesis makes: as for pairs, and nothing is changed outside the mask."""
    import great_expectations.expectations as gxe

    outside = gxe.ExpectColumnValuesToBeBetween(column="difference_outside", max_value=0, notes="only the mask was changed")
    return [*pair_expectations(settings), outside]


def pair_expectations(settings: Settings) -> list["Expectation"]:
    """Of pairs that others made: changed inside the mask, by a recipe, from test photographs only.

    Input and target are JPEGs compressed separately, so they may differ outside the mask.
    """
    import great_expectations.expectations as gxe

    low, high = settings.validate_.foreground_ratio
    return [
        *_tested(settings),
        gxe.ExpectColumnValuesToBeBetween(
            column="foreground_ratio", min_value=low, max_value=high, notes="validate.foreground_ratio"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="difference_inside", min_value=1, notes="something was changed"),
        gxe.ExpectColumnValuesToBeInSet(column="regions_match_mask", value_set=[True], notes="regions fill the mask"),
    ]


def placement_expectations(settings: Settings) -> list["Expectation"]:
    """Of placements: verdicts that fit how the case was made, people that are there, from test photographs only."""
    import great_expectations.expectations as gxe

    low, high = settings.validate_.foreground_ratio
    return [
        *_tested(settings),
        gxe.ExpectColumnValuesToBeBetween(column="foreground_ratio", min_value=low, max_value=high, notes="a person is seen"),
        gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=["positive", "content", "spatial"]),
        gxe.ExpectColumnValuesToBeBetween(column="spatial", min_value=0, max_value=1, notes="equation 1's range"),
        gxe.ExpectColumnValuesToBeInSet(column="verdict_fits", value_set=[True], notes="verdicts fit the kind"),
        gxe.ExpectColumnValuesToBeBetween(column="stray", max_value=0, notes="nothing of a person outside its alpha"),
        gxe.ExpectColumnValuesToBeInSet(column="known_foreground", value_set=[True], notes="its person is of a test scene"),
    ]


def _tested(settings: Settings) -> list["Expectation"]:
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, notes="not empty"),
        gxe.ExpectColumnValuesToBeUnique(column="id", notes="every row has a name of its own"),
        gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["test"], notes="training composites are made on the fly"),
        gxe.ExpectColumnValuesToBeInSet(
            column="benchmark", value_set=list(settings.synthesize.benchmarks), notes="synthesize.benchmarks"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="recipe_edits", min_value=1, notes="every row has its recipe"),
        gxe.ExpectColumnValuesToBeInSet(column="known_scene", value_set=[True], notes="its scene is a test scene"),
    ]


def composite_table(manifest: pd.DataFrame, scenes: pd.DataFrame) -> pd.DataFrame:
    """The manifest with whether each composite's scene is a test scene that exists."""
    return manifest.assign(known_scene=manifest["scene"].isin(_test_scenes(scenes)))


def placement_table(manifest: pd.DataFrame, scenes: pd.DataFrame) -> pd.DataFrame:
    """The manifest with whether person and background are of test scenes, and whether the verdicts fit the kind."""
    known, kind, spatial = _test_scenes(scenes), manifest["kind"], manifest["spatial"]
    fits = (
        ((kind == "positive") & manifest["content"] & manifest["same_scene"] & (spatial == 1))
        | ((kind == "content") & ~manifest["content"] & ~manifest["same_scene"] & (spatial == 0))
        | ((kind == "spatial") & manifest["content"] & manifest["same_scene"] & (spatial < 1))
    )
    return manifest.assign(
        known_scene=manifest["background_scene"].isin(known),
        known_foreground=manifest["foreground_scene"].isin(known),
        verdict_fits=fits,
    )


@dataclass(frozen=True)
class Suite:
    """How the test sets of a benchmark kind are stored and checked."""

    store: type[Packed]
    manifest: Callable[[Any], pd.DataFrame]
    table: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
    """Manifest and the scenes' manifest → the table that is checked."""
    expectations: Callable[[Settings], list["Expectation"]]


_SAMPLES = Suite(Samples, composite_manifest, composite_table, sample_expectations)
_SUITES = {
    "pairs": Suite(Samples, composite_manifest, composite_table, pair_expectations),
    "placement": Suite(Placements, placement_manifest, placement_table, placement_expectations),
}


def of_kind(kind: str) -> Suite:
    """The suite of a benchmark kind: that of samples, unless the kind has its own."""
    return _SUITES.get(kind, _SAMPLES)


def _test_scenes(scenes: pd.DataFrame) -> set[str]:
    return set(scenes.loc[scenes["split"] == "test", "id"])


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
