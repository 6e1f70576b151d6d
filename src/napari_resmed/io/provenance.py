"""How a result was made, beside the result.

``scan_seg.nii.gz`` gets ``scan_seg.nii.gz.resmed.json``: program, model, parameters, time, and the labels with their
standard codes, which most image formats have no place for.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.archive import is_archive
from napari_resmed.io.whole_file import reason, whole_file
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["HEAT", "NOTE", "is_heat_map", "provenance_path", "read_labels", "renew_provenance", "write_provenance"]


# How the names of a note, and of a heat map's file, end.
NOTE, HEAT = ".resmed.json", "_heat.nii.gz"


def is_heat_map(path: Path) -> bool:
    """Whether a file is a heat map that this program wrote, and no image of a patient."""
    return path.name.endswith(HEAT) and os.path.isfile(provenance_path(path))  # noqa: PTH113 - False of too long names


def provenance_path(path: Path) -> Path:
    """The note that belongs to an image file."""
    return path.with_name(path.name + NOTE)


def write_provenance(path: Path, result: Volume, image: Path | None = None) -> None:
    """Write the note beside ``path``.

    Parameters
    ----------
    path:
        The result's file.
    result:
        Labels, a heat map; ``meta["made_by"]`` is written as it is.
    image:
        What it was made of; its file name alone is noted. That of a folder or an archive is not: those of DICOM are
        often called like the patient.
    """
    note: dict[str, Any] = {"made_by": result.meta.get("made_by", {})}
    if isinstance(result, LabelMap):
        note["labels"] = result.labels.to_json()
    note["not_for_diagnosis"] = True
    if image is not None and not image.is_dir() and not is_archive(image):
        note["image"] = image.name
    with whole_file(provenance_path(path)) as part:
        part.write_text(json.dumps(note, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def renew_provenance(path: Path, result: Volume | None = None, image: Path | None = None) -> None:
    """Put right the note beside a file that was written over; where there is none, none is written.

    Labels with names get a note of their own in place of the old one, which would name them after other structures; of
    all else the old note goes.

    Parameters
    ----------
    path:
        The file.
    result:
        What it holds now; None where the file itself holds all that is known.
    image:
        What that was made of; its file name alone is noted.

    Raises
    ------
    WorkError
        If the old note cannot be removed or replaced.
    """
    note = provenance_path(path)
    try:
        if isinstance(result, LabelMap) and len(result.labels) and note.is_file():
            write_provenance(path, result, image)
            return
        note.unlink(missing_ok=True)
    except OSError as problem:
        if problem.errno == errno.ENAMETOOLONG:
            return  # so there is none
        raise WorkError(
            f"could not remove {note.name}, the note of the file that was there before: {reason(problem)}; remove it"
        ) from problem


def read_labels(path: Path) -> LabelSet | None:
    """The labels noted beside an image file; None where there is no readable note."""
    try:
        note = json.loads(provenance_path(path).read_text(encoding="utf-8"))
        return LabelSet.from_json(note["labels"])
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None
