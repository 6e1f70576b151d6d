"""Several images of one patient as the channels of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_resmed.errors import InputError
from napari_resmed.review.same_grid import difference, turn_onto
from napari_resmed.volume import Volume

__all__ = ["join_channels"]


def join_channels(images: Sequence[Volume]) -> Volume:
    """One image with the channels of all, on the grid and by the name of the first.

    Parameters
    ----------
    images:
        Axes ``zyx`` or ``czyx``, on one grid in the patient; their axes may be stored in another order.

    Returns
    -------
    Volume
        ``czyx``; the first image itself where it is the only one.

    Raises
    ------
    InputError
        If one has a time axis or lies on another grid.
    """
    first = images[0]
    if len(images) == 1:
        return first
    parts = []
    for number, image in enumerate(images, 1):
        name = image.name or f"image {number}"
        if "t" in image.axes:
            raise InputError(f"{name} has {image.frames} time points, expected one: it cannot be a channel")
        order = turn_onto(image, first)
        if order is None:
            raise InputError(
                f"{name} lies on another grid than {first.name or 'the first image'} ({difference(image, first)}); "
                "channels need the same voxels: resample it first"
            )
        parts.append(order.apply(image.data if image.axes == "czyx" else image.data[None]))
    # Wider numbers are brought to one range when an image is prepared, where one channel would cost another's digits.
    if len({part.dtype for part in parts}) > 1 or parts[0].dtype.itemsize > 2:
        parts = [part.astype(np.float32) for part in parts]
    return Volume(np.concatenate(parts), first.affine, "czyx", first.modality, first.name, first.meta)
