"""``napari-resmed scribble``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_resmed.cli import loading
from napari_resmed.cli.output import Json, messages, print_json, print_table, run
from napari_resmed.errors import InputError
from napari_resmed.io.files import check_apart, check_not_input, check_target

__all__ = ["scribble"]


def scribble(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file or a DICOM folder.")],
    scribbles: Annotated[
        Path, typer.Argument(metavar="SCRIBBLES", help="Strokes on its grid: 0 unpainted, 1.. classes.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="A file; every voxel gets one of the classes.")],
    channel: Annotated[
        list[Path] | None, typer.Option(help="A further image on the same grid, looked at as well; once for each.")
    ] = None,
    background: Annotated[
        int | None, typer.Option(help="The class that most of the image belongs to, 0 for none; guessed otherwise.")
    ] = None,
    uncertainty: Annotated[Path | None, typer.Option(help="Also write the doubt, 0 sure to 1, here.")] = None,
    series: Annotated[str, typer.Option(help="Which series of a DICOM folder; `info` lists them.")] = "",
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Segment an image from a few strokes."""
    channels = channel or []
    for path, what in ((image, "an image"), (scribbles, "strokes"), *((one, "an image") for one in channels)):
        if not path.exists():
            raise InputError(f"{path} does not exist; expected {what}")
    targets = [out] if uncertainty is None else [out, uncertainty]
    check_target(out, image)
    if uncertainty is not None:
        check_target(uncertainty)
    for target in targets:
        check_not_input(target, [image, scribbles, *channels])
    check_apart(targets)
    with loading.whole():
        from napari_resmed.jobs.scribble_file import scribble_file  # brings torch, which other commands do without

    result = run(
        scribble_file(
            *(image, scribbles, out), channels=channels, background=background, unsure=uncertainty, series=series
        )
    )
    if as_json:
        print_json(result)
    else:
        rows = [(r["value"], r["name"], r["voxels"], round(r["volume_ml"], 2)) for r in result["labels"]]
        print_table(("value", "name", "voxels", "volume mL"), rows)
    for line in _advice(result):
        messages.print(line, markup=False)
    messages.print(f"Wrote {out} in {result['seconds']['total']:.1f} s", markup=False)


def _advice(result: dict[str, Any]) -> list[str]:
    lines = []
    told = result["held_out"]
    if told and told["right"] is not None:
        lines.append(f"{told['right']:.0%} right on {told['strokes']} strokes held out")
    if result["suggestion"]:
        z, y, x = result["suggestion"]["index"]
        first, second = result["suggestion"]["between"]
        lines.append(f"A stroke at z {z}, y {y}, x {x} would teach most: class {first} or {second}?")
    return lines
