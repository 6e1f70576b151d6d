"""Labels where a file alone would not be taken for them."""

from __future__ import annotations

from pathlib import Path

from napari_resmed.errors import InputError
from napari_resmed.io.kind import GREY_LEVELS, settle_kind
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume

__all__ = ["as_labels"]


def as_labels(volume: Volume, path: Path, other: Volume | None = None, used: str = "evaluated so far") -> LabelMap:
    """The volume as the label map that the caller says it is, unless it plainly is none.

    More is taken than a reader would take for labels by itself: a map may be empty, or nothing but noise.

    Parameters
    ----------
    volume, path:
        What was read, and from where.
    other:
        A label map whose values tell that these are labels too.
    used:
        What label maps alone can be, for the sentence that refuses others.

    Raises
    ------
    InputError
        If it is an image.
    """
    if volume.axes != "zyx":
        raise InputError(
            f"{path.name} has {volume.channels} channels and {volume.frames} time points, expected a label map: one "
            "whole number a voxel"
        )
    if isinstance(volume, LabelMap):
        return volume
    labels = settle_kind(volume, path, says_labels=True)
    if isinstance(labels, LabelMap):
        shared = set(other.labels.values) if isinstance(other, LabelMap) else set()
        if len(labels.labels) <= GREY_LEVELS or set(labels.labels.values) <= shared:
            return labels
    raise InputError(f"{path.name} is an image, and only label maps can be {used}; expected whole numbers, few")
