"""Stray pieces and holes of what a network answered, taken away as the model says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from napari_resmed.models.cleanup import Cleanup

__all__ = ["clean_up"]

_BY_CORNER = np.ones((3, 3, 3), bool)


def clean_up(labels: NDArray[Any], wishes: Mapping[int, Cleanup], voxel_mm3: float) -> tuple[int, int]:
    """Clean up labels where they are, each inside the box that holds it.

    First pieces go, of every label; then holes are filled. Pieces are connected by faces, edges or corners, holes by
    faces alone. A hole is background that touches nothing but the label, not another one and not the edge of the
    image. So no label takes a voxel that another keeps, the order of the labels does not matter, and doing it again
    changes nothing.

    Parameters
    ----------
    labels:
        Whole numbers ``(z, y, x)``, changed.
    wishes:
        What is done to each label value; others are left alone.
    voxel_mm3:
        Volume of a voxel.

    Returns
    -------
    removed, filled
        How many voxels became background, and how many were background.
    """
    wishes = {value: wish for value, wish in wishes.items() if wish}
    if not wishes:
        return 0, 0
    # Gaps between values cost nothing, and values beyond those that are asked for are not looked for.
    boxes = find_objects(labels, max(wishes))
    removed = filled = 0
    for value, wish in wishes.items():
        if boxes[value - 1] is not None and (wish.largest_component or wish.minimum_mm3 > 0):
            removed += _remove_pieces(labels[boxes[value - 1]], value, wish, voxel_mm3)
    for value, wish in wishes.items():
        if boxes[value - 1] is not None and wish.fill_holes:
            filled += _fill_holes(labels[boxes[value - 1]], value)
    return removed, filled


def _remove_pieces(box: NDArray[Any], value: int, wish: Cleanup, voxel_mm3: float) -> int:
    pieces, count = label(box == value, _BY_CORNER)
    sizes = np.bincount(pieces.reshape(-1), minlength=count + 1)
    sizes[0] = 0
    goes = sizes * voxel_mm3 < wish.minimum_mm3
    if wish.largest_component:
        goes |= np.arange(count + 1) != sizes.argmax()  # the first of several that are equal
    goes[0] = False
    gone = goes[pieces]
    box[gone] = 0
    return int(np.count_nonzero(gone))


def _fill_holes(box: NDArray[Any], value: int) -> int:
    """Within the box around a label, whose rim no hole can touch: what lies beyond it is not the label."""
    empty, count = label(box == 0)
    open_ = np.zeros(count + 1, bool)
    open_[0] = True
    for axis in range(3):
        rooms, around = np.moveaxis(empty, axis, 0), np.moveaxis(box, axis, 0)
        for rim in (rooms[0], rooms[-1]):
            open_[rim] = True
        foreign = (around != 0) & (around != value)
        open_[rooms[1:][foreign[:-1]]] = True
        open_[rooms[:-1][foreign[1:]]] = True
    holes = ~open_[empty]
    box[holes] = value
    return int(np.count_nonzero(holes))
