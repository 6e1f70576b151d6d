"""Two folders beside each other, ``images`` and ``labels``, paired by name."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.io.datasets.description import Description
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.meaning import read_json, read_meaning
from napari_resmed.io.datasets.pairing import pair

__all__ = ["NAMES_FILE", "find"]

NAMES_FILE = "labels.json"
_IMAGES = ("images", "image", "imagestr")
_LABELS = ("labels", "label", "labelstr", "masks", "segmentations")


def find(folder: Path, description: Description) -> Found | None:
    """The cases, or None where this is another layout.

    Raises
    ------
    InputError
        If the folder of images holds none that can be read, or ``labels.json`` cannot be understood.
    """
    inside = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    images = next((inside[name] for name in _IMAGES if name in inside), None)
    labels = next((inside[name] for name in _LABELS if name in inside), None)
    if images is None or labels is None:
        return None
    cases, notes = pair(images, labels)
    names = folder / NAMES_FILE
    meaning = read_meaning(read_json(names), NAMES_FILE) if names.is_file() else description.meaning
    return Found(cases, meaning, description.channels, notes)
