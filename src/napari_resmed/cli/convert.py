"""``napari-resmed convert``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_resmed.cli.output import Json, messages, print_json
from napari_resmed.io import read, write
from napari_resmed.io.files import check_not_input

__all__ = ["convert"]


class Irregular(StrEnum):
    """What can be done about slices that form no regular grid."""

    LARGEST_BLOCK = "largest-block"
    RESAMPLE = "resample"


def convert(
    path: Annotated[Path, typer.Argument(help="An image file, or DICOM: a folder, DICOMDIR or zip.")],
    out: Annotated[Path, typer.Argument(help=".nii.gz, .nii, .nrrd, .mha, or a new folder for DICOM.")],
    series: Annotated[str, typer.Option(help="Which series of a folder; `info` lists them.")] = "",
    irregular: Annotated[
        Irregular | None, typer.Option(help="What to do about slices at uneven distances; refused if not said.")
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Write an image in another format, with the same voxels in the same place."""
    check_not_input(out, [path])
    volume = read(path, series, irregular=irregular or "")
    for warning in volume.meta.get("warnings", ()):
        messages.print(f"Warning: {warning}", markup=False)
    write(volume, out)
    if as_json:
        print_json({"output": str(out), "shape": volume.shape, "axes": volume.axes, "dtype": str(volume.data.dtype)})
    else:
        messages.print(f"Wrote {out}", markup=False)
