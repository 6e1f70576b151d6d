"""``napari-resmed convert``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_resmed.cli.output import Json, messages, print_json
from napari_resmed.errors import InputError
from napari_resmed.io import read, read_all, write
from napari_resmed.io.files import HOLDS_SEVERAL, check_not_input, check_output
from napari_resmed.io.one_time import one_time
from napari_resmed.io.provenance import provenance_path, write_provenance
from napari_resmed.io.whole_file import check_place
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["convert"]


class Irregular(StrEnum):
    """What can be done about slices that form no regular grid."""

    LARGEST_BLOCK = "largest-block"
    RESAMPLE = "resample"


def convert(
    path: Annotated[Path, typer.Argument(help="An image file, or DICOM: a folder, DICOMDIR or zip.")],
    out: Annotated[Path, typer.Argument(help=".nii.gz, .nii, .nrrd, .seg.nrrd, .mha, .mgz, .dcm, or a new folder.")],
    series: Annotated[str, typer.Option(help="Which series or file of a folder; `info` lists their ids.")] = "",
    like: Annotated[
        Path | None, typer.Option(help="DICOM series that labels belong to: to write .dcm, to read a structure set.")
    ] = None,
    irregular: Annotated[
        Irregular | None, typer.Option(help="What to do about slices at uneven distances; refused if not said.")
    ] = None,
    time: Annotated[
        int | None, typer.Option(help="Of an image in time (echoes, b-values), take this one; 1 is the first.")
    ] = None,
    magnitude: Annotated[bool, typer.Option("--magnitude", help="Of complex numbers, take the magnitude.")] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Write an image in another format, with the same voxels in the same place."""
    check_not_input(out, [path])
    if like is not None and not like.exists():
        raise InputError(f"{like} does not exist; --like takes the folder of a DICOM series")
    check_output(out, like)
    labels = _all_labels(path, series, like) if out.name.lower().endswith(HOLDS_SEVERAL) else []
    volume: Volume = labels[0] if labels else read(path, series, like, irregular=irregular or "", magnitude=magnitude)
    if time is not None:
        labels, volume = [], one_time(volume, time)
    told = [warning for one in (*labels[1:], volume) for warning in one.meta.get("warnings", ())]
    for warning in dict.fromkeys(told):
        messages.print(f"Warning: {warning}", markup=False)
    named = isinstance(volume, LabelMap) and volume.labels != LabelSet().completed(volume.labels.values)
    if noted := named and not labels:
        check_place(provenance_path(out))
    write(labels or volume, out, like)
    if noted:
        # Names, colours and codes, which few formats have a place for; not what it was called before, perhaps a person.
        write_provenance(out, volume)
    if as_json:
        print_json({"output": str(out), "shape": volume.shape, "axes": volume.axes, "dtype": str(volume.data.dtype)})
    else:
        messages.print(f"Wrote {out}", markup=False)


def _all_labels(path: Path, series: str, like: Path | None) -> list[LabelMap]:
    """Every label map that there is: structures that overlap stay together."""
    return [volume for volume in read_all(path, series, like) if isinstance(volume, LabelMap)]
