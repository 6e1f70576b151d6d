"""How large an image will be for a network, before it is read."""

from __future__ import annotations

from collections.abc import Sequence

from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.resample import resampled_size

__all__ = ["expected_size"]


def expected_size(shape: Sequence[int], spacing_mm: Sequence[float], preparation: Preparation) -> tuple[int, int, int]:
    """Voxels along the axes of the network's grid.

    Parameters
    ----------
    shape, spacing_mm:
        Of the image, axes towards Superior, Posterior, Left. Where a model of another program takes them as they are
        stored, or cuts the image, it is an estimate.
    preparation:
        The model's.
    """
    turned = [shape[axis] for axis in preparation.axes]
    if preparation.size:
        z, y, x = (size or old for size, old in zip(preparation.size, turned, strict=True))
    elif preparation.own_spacing:
        z, y, x = turned
    else:
        edges = [spacing_mm[axis] for axis in preparation.axes]
        z, y, x = (resampled_size(*one) for one in zip(turned, edges, preparation.spacing_mm, strict=True))
    return z, y, x
