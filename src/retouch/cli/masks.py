"""`retouch mask`: a mask for people who have none."""

from pathlib import Path
from typing import Annotated

import typer

from retouch.cli import batch, output
from retouch.cli.pictures import PANEL, RESULT, Jobs, Json, Overwrite, Photos, find_photos, path_option, split_existing

EXAMPLES = """\
Examples:

retouch mask photo.jpg  (→ photo-mask.png)

retouch mask shoot/ --out masks/  and then  retouch harmonize shoot/ --mask masks/ --out results/
"""
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog=EXAMPLES)
def mask(
    photos: Photos,
    out: Annotated[
        Path | None,
        path_option("PLACE", RESULT, "A .png or .tif file, or a folder; PHOTO-mask.png beside the photo by default."),
    ] = None,
    matting: Annotated[
        Path | None,
        path_option(
            "FILE", None, "An ONNX matting network; else parse.matting of params.yaml, else U²-Net-p, which is fetched once."
        ),
    ] = None,
    overwrite: Overwrite = False,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Find the foreground of photos: masks of their size, white inside, with soft edges where the photo's are.

    What stands out is found, be it a person, an animal or a thing. Where that
    is not what was pasted, paint a mask: any kind will do, see docs/retoucher.md.
    """
    from retouch.inference import mask_photos as work
    from retouch.inference.jobs import Naming, plan

    is_file = out is not None and bool(out.suffix) and not out.is_dir()
    if is_file and out is not None:
        work.check_format(out)
    naming = Naming("mask", out, extension=None if is_file else ".png")
    every = plan(find_photos(photos, naming.sibling_ending), naming)
    todo, skipped = split_existing(every, overwrite)
    report = batch.Report("masks", skipped, many=len(every) > 1, as_json=json)
    batch.run(todo, work.mask_steps(lambda: work.find_matting(matting, output.note)), report, jobs)
