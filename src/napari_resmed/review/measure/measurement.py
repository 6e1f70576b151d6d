"""Every structure of a label map, measured."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.labels import LabelMap, smallest_integer_type
from napari_resmed.review.measure.borders import Borders, Corners
from napari_resmed.review.measure.crofton import surface_area_mm2
from napari_resmed.review.measure.diameter import largest_distance, largest_in_planes
from napari_resmed.review.measure.inside import Inside, Intensity
from napari_resmed.review.renumber import renumber

__all__ = ["Measurement", "measure"]

# Voxels looked at together: what is made of them stays in the processor's cache, or nearly.
_SLAB_VOXELS = 2**21
# Of the work, what the slabs are; the rest is looking for diameters.
_SLABS_SHARE = 0.9
# Figures are written with so many digits: no measurement of a voxel image has more, and a table stays readable.
_DIGITS = 7
_NO_INTENSITY = dict.fromkeys(f"intensity_{name}" for name in Intensity.__dataclass_fields__)


@dataclass(frozen=True)
class Measurement:
    """One structure. Where it has no voxel, everything but their number and volume is None.

    Parameters
    ----------
    value, name:
        The label.
    voxels, volume_ml:
        How many, and their volume; right for sheared grids too.
    surface_area_mm2:
        By Crofton's formula: :mod:`napari_resmed.review.measure.crofton`. The edge of the image is surface.
    diameter_3d_mm:
        Largest distance between two voxel centres, ITK's Feret diameter: a single voxel has 0.
    diameter_axial_mm:
        The same between two of one slice; slices are those planes of the grid that lie nearest to axial.
    centroid_mm:
        Mean of the voxel centres in patient coordinates ``(x, y, z)``, LPS.
    box_first, box_size:
        First index ``(z, y, x)`` of the smallest box along the grid that holds it, and its size in voxels.
    intensity:
        The image within it; None where none was given.
    """

    value: int
    name: str
    voxels: int
    volume_ml: float
    surface_area_mm2: float | None = None
    diameter_3d_mm: float | None = None
    diameter_axial_mm: float | None = None
    centroid_mm: tuple[float, float, float] | None = None
    box_first: tuple[int, int, int] | None = None
    box_size: tuple[int, int, int] | None = None
    intensity: Intensity | None = None

    def to_row(self, *, of_image: bool) -> dict[str, Any]:
        """Plain values under the keys of :data:`napari_resmed.review.measure.FIGURES`; intensity where ``of_image``."""
        row: dict[str, Any] = {"value": self.value, "name": self.name, "voxels": self.voxels}
        for key in ("volume_ml", "surface_area_mm2", "diameter_3d_mm", "diameter_axial_mm"):
            row[key] = _rounded(getattr(self, key))
        for number, axis in enumerate("xyz"):
            row[f"centroid_{axis}_mm"] = self.centroid_mm and _rounded(self.centroid_mm[number])
        for key in ("box_first", "box_size"):
            for number, axis in enumerate("zyx"):
                row[f"{key}_{axis}"] = getattr(self, key) and getattr(self, key)[number]
        if of_image and self.intensity:
            row |= {f"intensity_{name}": _rounded(value) for name, value in asdict(self.intensity).items()}
        elif of_image:
            row |= _NO_INTENSITY
        return row


def measure(labels: LabelMap, image: NDArray[Any] | None = None) -> Generator[float, None, list[Measurement]]:
    """Measure every label that is known or present; a generator of the share that is done.

    All of them in one walk through the voxels, so that a hundred cost little more than one. Takes about the memory of
    the image's voxels within the labels.

    Parameters
    ----------
    labels:
        ``(z, y, x)``, any grid.
    image:
        Its voxels on the same grid, ``(z, y, x)``.

    Returns
    -------
    list of Measurement
        By value, ascending.

    Raises
    ------
    ValueError
        If the labels have more than three axes, or the image another shape.
    """
    if labels.axes != "zyx" or (image is not None and image.shape != labels.shape):
        raise ValueError(f"found labels of shape {labels.shape}, image {image is not None and image.shape}")
    counts = labels.counts()
    yield 0.05
    names = labels.labels.completed(counts)
    present = np.array([value for value, voxels in counts.items() if voxels], np.int64)
    inside = Inside(len(present), labels.grid_shape)
    axial = geometry.canonical_order(labels.affine).axes[0]
    borders = Borders(len(present), axial)
    if len(present):
        for start, padded in _slabs(labels.data, present):
            numbers = np.ascontiguousarray(padded[1:-1, 1:-1, 1:-1])
            stop = start + len(numbers)
            inside.add(start, numbers, None if image is None else image[start:stop])
            borders.add(start, padded)
            yield 0.05 + (_SLABS_SHARE - 0.05) * stop / len(labels.data)
    areas = surface_area_mm2(borders.crossings, labels.affine)
    found: dict[int, Measurement] = {}
    corners = borders.corners() if len(present) else None
    for number, value in enumerate(present.tolist(), start=1):
        assert corners is not None
        middle = labels.affine[:3, :3] @ inside.middle(number) + labels.affine[:3, 3]
        first, size = inside.box(number)
        in_space, axially = _diameters(corners, number, axial, labels.affine)
        found[value] = Measurement(
            value,
            names[value].name,
            counts[value],
            counts[value] * labels.voxel_ml,
            float(areas[number - 1]),
            in_space,
            axially,
            tuple(middle.tolist()),
            first,  # type: ignore[arg-type]
            size,  # type: ignore[arg-type]
            None if image is None else inside.intensity(number),
        )
        yield _SLABS_SHARE + (1 - _SLABS_SHARE) * number / len(present)
    return [found.get(value) or Measurement(value, names[value].name, 0, 0.0) for value in counts]


def _slabs(data: NDArray[Any], known: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[Any]]]:
    """The first slice of every slab, and its labels numbered from 1 with one voxel of what lies around them."""
    kind = smallest_integer_type(len(known))
    deep, height, width = data.shape
    depth = max(1, _SLAB_VOXELS // (height * width))
    for start in range(0, deep, depth):
        stop = min(start + depth, deep)
        padded = np.zeros((stop - start + 2, height + 2, width + 2), kind)
        before, after = max(0, start - 1), min(deep, stop + 1)
        place = slice(before - start + 1, after - start + 1)
        padded[place, 1:-1, 1:-1] = renumber(data[before:after], known, kind)
        yield start, padded


def _diameters(corners: Corners, number: int, axial: int, affine: geometry.Affine) -> tuple[float, float]:
    """The largest diameters in space and within a slice, mm."""
    own = slice(*corners.ends[number - 1 : number + 1])
    index, in_space = corners.index[own], corners.in_space[own]
    points = index @ affine[:3, :3].T
    axially = largest_in_planes(points, index[:, axial])
    return largest_distance(points[in_space], axially), axially


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
