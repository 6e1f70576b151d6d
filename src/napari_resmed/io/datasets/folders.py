"""Two folders beside each other, ``images`` and ``labels``, paired by name."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.description import Description
from napari_resmed.io.datasets.found import Found
from napari_resmed.io.datasets.meaning import Meaning, read_json, read_meaning
from napari_resmed.io.datasets.pairing import pair

__all__ = ["NAMES_FILE", "find", "label_folder", "said_of"]

NAMES_FILE = "labels.json"
_IMAGES = ("images", "image", "imagestr")
_LABELS = ("labels", "label", "labelstr", "masks", "segmentations")


def find(folder: Path, description: Description, labels_alone: bool = False) -> Found | None:
    """The cases, or None where this is another layout.

    Parameters
    ----------
    folder, description:
        Where to look, and what is said there.
    labels_alone:
        Whether label maps will do: an empty folder of images is none then.

    Raises
    ------
    InputError
        If the folder of images holds none that can be read, or ``labels.json`` cannot be understood.
    """
    images, labels = _inside(folder, _IMAGES), label_folder(folder)
    if images is None or labels is None:
        return None
    if all(path.name.startswith(".") for path in images.iterdir()):
        if labels_alone:
            return None
        raise InputError(
            f"the folder {images.name} is empty; put images there, or have them painted from the labels (--synthetic "
            "1; in the Train dock More, Images)"
        )
    cases, notes = pair(images, labels)
    return Found(cases, said_of(folder, description), description.channels, notes)


def label_folder(folder: Path) -> Path | None:
    """The one among its folders that holds labels."""
    return _inside(folder, _LABELS)


def said_of(folder: Path, description: Description) -> Meaning | None:
    """What the numbers in the labels mean, where ``labels.json`` or the description says so."""
    names = folder / NAMES_FILE
    return read_meaning(read_json(names), NAMES_FILE) if names.is_file() else description.meaning


def _inside(folder: Path, wanted: tuple[str, ...]) -> Path | None:
    inside = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    return next((inside[name] for name in wanted if name in inside), None)
