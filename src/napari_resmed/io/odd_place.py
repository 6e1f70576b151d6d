"""A place that can be, but that no scanner gives: said, for it is most likely a damaged header."""

from __future__ import annotations

import numpy as np

from napari_resmed import geometry

__all__ = ["odd_place"]

# A table moves 3 m, a gantry measures 1 m.
_FAR_MM = 10_000.0
# Thicker than any slice, and thicker than a localiser's or a projection's.
_THICK_MM = 500.0
# Gantries lean by 30 degrees; rows and columns never do.
_SHEAR_COSINE = 0.8


def odd_place(affine: geometry.Affine, shape: tuple[int, ...]) -> list[str]:
    """What is odd about a volume's place, a sentence each."""
    notes = []
    away = float(np.abs(geometry.corners(affine, shape)).max())
    if away > _FAR_MM:
        notes.append(f"the header puts the image {away / 1000:.0f} m away from the scanner; it may be damaged")
    thickest = max(geometry.spacing(affine))
    if thickest > _THICK_MM:
        notes.append(f"the header says voxels of {thickest:.0f} mm; it, or its unit, may be wrong")
    if geometry.shear_cosine(affine) > _SHEAR_COSINE:
        notes.append("the header leans the axes far over each other; it may be damaged")
    return notes
