"""Where something that was found lies, but for strays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Box", "box_of_pieces"]

Box = tuple[slice, slice, slice]

# Share of the largest piece from which on a piece belongs to what was found; smaller ones are strays.
PIECE = 0.2


def box_of_pieces(where: NDArray[np.bool_], least: float = 1.0) -> Box | None:
    """The box ``(z, y, x)`` around the pieces that are no strays; None where these have fewer voxels than the least."""
    numbered, _ = ndimage.label(where, np.ones((3, 3, 3)))
    sizes = np.bincount(numbered.ravel())
    sizes[0] = 0
    kept = sizes >= PIECE * sizes.max()
    kept[0] = False
    if sizes[kept].sum() < least:
        return None
    z, y, x = ndimage.find_objects(kept[numbered].astype(np.uint8))[0]
    return z, y, x
