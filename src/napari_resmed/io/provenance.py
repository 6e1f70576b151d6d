"""How a result was made, beside the result.

``scan_seg.nii.gz`` gets ``scan_seg.nii.gz.resmed.json``: program, model, parameters, time, and the labels with their
standard codes, which most image formats have no place for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.io.whole_file import whole_file
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["provenance_path", "read_labels", "write_provenance"]


def provenance_path(path: Path) -> Path:
    """The note that belongs to an image file."""
    return path.with_name(path.name + ".resmed.json")


def write_provenance(path: Path, result: Volume, image: Path | None = None) -> None:
    """Write the note beside ``path``.

    Parameters
    ----------
    path:
        The result's file.
    result:
        Labels, a heat map; ``meta["made_by"]`` is written as it is.
    image:
        What it was made of; its file name alone is noted.
    """
    note: dict[str, Any] = {"made_by": result.meta.get("made_by", {})}
    if isinstance(result, LabelMap):
        note["labels"] = result.labels.to_json()
    note["not_for_diagnosis"] = True
    if image is not None:
        note["image"] = image.name
    with whole_file(provenance_path(path)) as part:
        part.write_text(json.dumps(note, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_labels(path: Path) -> LabelSet | None:
    """The labels noted beside an image file; None where there is no readable note."""
    try:
        note = json.loads(provenance_path(path).read_text(encoding="utf-8"))
        return LabelSet.from_json(note["labels"])
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None
