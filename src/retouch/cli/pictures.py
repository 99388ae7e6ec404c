"""What the commands for a user's own pictures share: their photos, their options, and what they refuse at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retouch.cli import completion, output
from retouch.errors import ExistsError

if TYPE_CHECKING:
    from retouch.inference.jobs import Job

PANEL = "Pictures"
RESULT, LAYERS, MANY = "Result", "Layers", "Many pictures"
"""Panels of options."""


def path_option(metavar: str, panel: str | None, help: str, *names: str) -> Any:
    """An option that takes the path of a file or a folder, which shells complete; `names` where it has several."""
    return typer.Option(*names, metavar=metavar, rich_help_panel=panel, autocompletion=completion.files, help=help)


Photos = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTO",
        autocompletion=completion.files,
        help="Pictures, folders of pictures, and patterns such as 'shoot/**/*.jpg'. Photos are never written over.",
        show_default=False,
    ),
]
Ending = Annotated[
    str | None,
    typer.Option(metavar="TEXT", rich_help_panel=RESULT, help="What follows a result's name, in place of the default."),
]
Format = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        rich_help_panel=RESULT,
        autocompletion=completion.formats,
        help="jpg, png, tiff, webp, heic, avif or bmp; the photo's own by default.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", rich_help_panel=RESULT, help="Replace results that exist. Without it they are kept.")
]
Sheet = Annotated[
    Path | None,
    path_option("FILE", LAYERS, "Also a picture of the photo, the result and every layer; a folder for many photos."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=64,
        rich_help_panel=MANY,
        help="Threads that read and write pictures; by default one a core, at most 4.",
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", rich_help_panel=MANY, help="Print one JSON object: results, warnings, seconds, failures.")
]


def find_photos(arguments: Sequence[str], ending: str) -> list[Path]:
    """The photos that are meant; results of earlier runs among them, of any command, are left out, and that is said."""
    from retouch.inference.photo_files import RESULT_ENDINGS, earlier_results, find_photos

    photos = find_photos(arguments)
    by_ending = {one: earlier_results(photos, one) for one in dict.fromkeys((ending, *RESULT_ENDINGS))}
    results = {path for paths in by_ending.values() for path in paths}
    if results:
        endings = ", ".join(f"…{one}" for one, paths in by_ending.items() if paths)
        output.note(f"left out {len(results)} results of an earlier run ({endings})")
    return [photo for photo in photos if photo not in results]


def extension_of(kind: str | None) -> str | None:
    """The extension of a format as users name it: `jpg`, `.JPG`."""
    return None if kind is None else f".{kind.lower().removeprefix('.')}"


def split_existing(jobs: "Sequence[Job]", overwrite: bool, replace_results: bool = False) -> "tuple[list[Job], list[Job]]":
    """The jobs to do, and those to skip as pictures that they write exist; with `replace_results`, only sheets count.

    Raises ExistsError where there is one job, and it would be skipped.
    """
    todo, skipped = [], []
    for job in jobs:
        path = next((path for path in job.outputs[int(replace_results) :] if path.exists()), None)
        if path is None or overwrite:
            todo.append(job)
        elif len(jobs) == 1:
            raise ExistsError(path)
        else:
            skipped.append(job)
    return todo, skipped
