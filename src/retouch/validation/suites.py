"""The expectations of the data gate, as Great Expectations suites over the manifests.

Great Expectations takes ten seconds to import, so functions import it when they need it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from retouch.settings import Settings
from retouch.store import Packed, Placements, Samples, Scenes
from retouch.validation.manifest import (
    developed_manifest,
    filter_manifest,
    pasted_manifest,
    placement_manifest,
    sample_manifest,
    unrecorded_lookalikes,
)
from retouch.validation.recipe_check import TOLERANCE
from retouch.vocabulary import OBJECTS

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

CLASSES = {"max_labels": 150, "max_parts": 19, "max_objects": len(OBJECTS) - 1}
"""The last class of ADE20K's and of LIP's vocabulary, and the last category of objects."""


def scene_table(manifest: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The manifest with what concerns several rows: the splits that a photograph is in, repeats, unrecorded lookalikes."""
    splits = manifest.groupby("photo")["split"].transform("nunique")
    pictures = manifest["source"] + " " + manifest["split"] + " " + manifest["sha256"]
    lookalikes = unrecorded_lookalikes(manifest, settings.validate_.near_duplicate_bits)
    columns = {"splits_of_photo": splits, "picture": pictures, "unrecorded": manifest["id"].map(lookalikes.get)}
    columns["lookalikes"] = manifest["resembles"].map(len)
    return manifest.drop(columns=["fingerprints", "resembles"]).assign(**columns)


def scene_expectations(settings: Settings) -> list["Expectation"]:
    """Of scenes: names, sizes, vocabularies, and that training can leave out what resembles the test sets."""
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
        gxe.ExpectColumnValuesToBeUnique(column="picture", notes="no picture twice in one split of a source"),
        gxe.ExpectColumnValuesToBeBetween(column="splits_of_photo", max_value=1, notes="a photograph is in one split only"),
        gxe.ExpectColumnValuesToBeNull(column="unrecorded", notes="a training scene lists all test scenes that it resembles"),
    ]


def expectations(name: str, settings: Settings) -> list["Expectation"]:
    """The expectations of a table: `scenes`, or a benchmark's."""
    if name == "scenes":
        return scene_expectations(settings)
    return of_kind(settings.synthesize.benchmarks[name].kind).expectations(settings)


def filter_expectations(settings: Settings) -> list["Expectation"]:
    """Of samples with filtered regions: as for other samples, and the filters are pilgram's."""
    import great_expectations.expectations as gxe

    notes = "pilgram makes the same of a few samples"
    return [
        *sample_expectations(settings),
        gxe.ExpectColumnValuesToBeBetween(column="pilgram_difference", max_value=TOLERANCE, notes=notes),
    ]


def developed_expectations(settings: Settings) -> list["Expectation"]:
    """Of samples with a developed region or object: as for other samples, and their recipes say what was done."""
    import great_expectations.expectations as gxe

    limit, notes = TOLERANCE, "a few samples are made again from their recipes"
    return [
        *sample_expectations(settings),
        gxe.ExpectColumnValuesToBeBetween(column="recipe_difference", max_value=limit, notes=notes),
    ]


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
        *_common_expectations(settings),
        gxe.ExpectColumnValuesToBeInSet(column="known_references", value_set=[True], notes="its references are test scenes"),
        gxe.ExpectColumnValuesToBeBetween(
            column="foreground_ratio", min_value=low, max_value=high, notes="validate.foreground_ratio"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="difference_inside", min_value=1, notes="something was changed"),
        gxe.ExpectColumnValuesToBeInSet(column="regions_match_mask", value_set=[True], notes="regions fill the mask"),
    ]


def placement_expectations(settings: Settings) -> list["Expectation"]:
    """Of placements: verdicts that fit the kind of case, people that are visible, from test photographs only."""
    import great_expectations.expectations as gxe

    low, high = settings.validate_.foreground_ratio
    return [
        *_common_expectations(settings),
        gxe.ExpectColumnValuesToBeBetween(column="foreground_ratio", min_value=low, max_value=high, notes="people are visible"),
        gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=["positive", "content", "spatial"]),
        gxe.ExpectColumnValuesToBeBetween(column="spatial", min_value=0, max_value=1, notes="equation 1's range"),
        gxe.ExpectColumnValuesToBeInSet(column="verdict_fits", value_set=[True], notes="verdicts fit the kind"),
        gxe.ExpectColumnValuesToBeBetween(column="stray", max_value=0, notes="nothing of a person outside its alpha"),
        gxe.ExpectColumnValuesToBeInSet(column="known_foreground", value_set=[True], notes="its person is of a test scene"),
    ]


def _common_expectations(settings: Settings) -> list["Expectation"]:
    """Of every frozen test set."""
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, notes="not empty"),
        gxe.ExpectColumnValuesToBeUnique(column="id", notes="every row has a name of its own"),
        gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["test"], notes="training samples are made on the fly"),
        gxe.ExpectColumnValuesToBeInSet(
            column="benchmark", value_set=list(settings.synthesize.benchmarks), notes="synthesize.benchmarks"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="recipe_edits", min_value=1, notes="every row has its recipe"),
        gxe.ExpectColumnValuesToBeInSet(column="known_scene", value_set=[True], notes="its scene is a test scene"),
    ]


def sample_table(manifest: pd.DataFrame, scenes: pd.DataFrame) -> pd.DataFrame:
    """The manifest with whether each sample's scene, and the scenes that its recipe refers to, are test scenes."""
    tests = _test_scenes(scenes)
    references = [tests.issuperset(names) for names in manifest["references"]]
    return manifest.drop(columns="references").assign(known_scene=manifest["scene"].isin(tests), known_references=references)


def placement_table(manifest: pd.DataFrame, scenes: pd.DataFrame) -> pd.DataFrame:
    """The manifest with whether person and background come from test scenes, and whether the verdicts fit the kind."""
    tests, kind, spatial = _test_scenes(scenes), manifest["kind"], manifest["spatial"]
    fits = (
        ((kind == "positive") & manifest["content"] & manifest["same_scene"] & (spatial == 1))
        | ((kind == "content") & ~manifest["content"] & ~manifest["same_scene"] & (spatial == 0))
        | ((kind == "spatial") & manifest["content"] & manifest["same_scene"] & (spatial < 1))
    )
    return manifest.assign(
        known_scene=manifest["background_scene"].isin(tests),
        known_foreground=manifest["foreground_scene"].isin(tests),
        verdict_fits=fits,
    )


@dataclass(frozen=True)
class Suite:
    """How the test sets of a benchmark kind are stored and checked."""

    store: type[Packed]
    manifest: Callable[[Any, Scenes], pd.DataFrame]
    """The opened test set and the scenes that it was made of → one row a sample."""
    table: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
    """Manifest and the scenes' manifest → the table that is checked."""
    expectations: Callable[[Settings], list["Expectation"]]


_SAMPLES = Suite(Samples, sample_manifest, sample_table, sample_expectations)
_SUITES = {
    "develop": Suite(Samples, developed_manifest, sample_table, developed_expectations),
    "paste": Suite(Samples, pasted_manifest, sample_table, developed_expectations),
    "pairs": Suite(Samples, sample_manifest, sample_table, pair_expectations),
    "placement": Suite(Placements, placement_manifest, placement_table, placement_expectations),
    "regions": Suite(Samples, filter_manifest, sample_table, filter_expectations),
}


def of_kind(kind: str) -> Suite:
    """The suite of a benchmark kind: that of samples, unless the kind has its own."""
    return _SUITES.get(kind, _SAMPLES)


def _test_scenes(scenes: pd.DataFrame) -> set[str]:
    return set(scenes.loc[scenes["split"] == "test", "id"])


def outcomes(result: Any) -> list[dict[str, Any]]:
    """The expectations of one validation result: which, on what column, whether it holds, how many rows break it, their ids."""
    results = []
    for outcome in result.results:
        config, detail = outcome.expectation_config, outcome.result
        rows = detail.get("unexpected_index_list") or []
        ids = sorted({str(row["id"]) for row in rows if row.get("id") is not None})
        results.append({
            "expectation": config.type,
            "column": config.kwargs.get("column"),
            "success": bool(outcome.success),
            "means": str(config.notes or ""),
            "rows": int(detail.get("unexpected_count") or 0),
            "ids": ids,
        })  # fmt: skip
    return results
