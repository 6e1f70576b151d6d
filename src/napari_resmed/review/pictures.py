"""A slice of a case with the outlines of truth and prediction."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from napari_resmed.geometry import Affine, canonical_order, spacing
from napari_resmed.volume import Volume

__all__ = ["PREDICTION_COLOUR", "TRUTH_COLOUR", "Picture", "picture"]

# Okabe and Ito's sky blue and orange: apart for any colour vision, and apart in width too.
TRUTH_COLOUR, PREDICTION_COLOUR = "#56B4E9", "#E69F00"
_TRUTH_WIDTH, _PREDICTION_WIDTH = 3.2, 1.3
# Another plane than axial is shown only where slices are clearly thicker than their voxels are wide.
_THICKER = 1.5
# What is shown around the structures, and the least that is shown of a case, in mm.
_MARGIN_MM, _LEAST_MM = 10.0, 50.0
_INCHES, _DOTS = 3.6, 120
_PLANES = ("axial", "coronal", "sagittal")
# Patient sides at the left, right, top and bottom of each plane, as radiologists hang pictures.
_SIDES = (("R", "L", "A", "P"), ("R", "L", "S", "I"), ("A", "P", "S", "I"))
# Grey values left out at both ends when an image is shown.
_PERCENT = 0.5


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows: plane, slice counted from 1, number of slices."""

    png: bytes
    plane: str
    slice: int
    slices: int


def picture(truth: NDArray[Any], prediction: NDArray[Any], affine: Affine, image: Volume | None = None) -> Picture:
    """Draw the slice with the most wrong voxels.

    Parameters
    ----------
    truth, prediction:
        Whole numbers ``(z, y, x)`` on one grid; only what is to be compared, the rest 0.
    affine:
        4x4, index to patient mm.
    image:
        What was segmented, on any grid: shown below the outlines where it covers them. Its first channel and time.

    Returns
    -------
    Picture
        Along the grid's own axes, the patient's left on the right.
    """
    order = canonical_order(affine)
    true, found = order.apply(truth), order.apply(prediction)
    turned = order.apply_to_affine(affine, truth.shape)
    edges = spacing(turned)
    axis = _axis_across(true.shape, edges)
    index = _worst_slice(true, found, axis)
    rows, columns = (other for other in range(3) if other != axis)
    both = true.take(index, axis), found.take(index, axis)
    window = _window((both[0] > 0) | (both[1] > 0), (edges[rows], edges[columns]))
    both = both[0][window], both[1][window]
    grey = None if image is None else _sample(image, turned, axis, index, window)
    height, width = (size * mm for size, mm in zip(both[0].shape, (edges[rows], edges[columns]), strict=True))
    with mpl.rc_context({"font.family": "sans-serif", "font.size": 9}):
        scale = _INCHES / max(height, width)
        size = [max(edge * scale, 1 / _DOTS) for edge in (width, height)]
        figure = Figure(figsize=(size[0], size[1]), dpi=_DOTS, facecolor="black")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        shown = grey if grey is not None else 0.18 * (both[0] > 0)
        limits = _limits(shown) if grey is not None else (0.0, 1.0)
        axes.imshow(shown, cmap="gray", vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")
        for labels, colour, line in (
            (both[0], TRUTH_COLOUR, _TRUTH_WIDTH),
            (both[1], PREDICTION_COLOUR, _PREDICTION_WIDTH),
        ):
            axes.add_collection(
                LineCollection(list(_outlines(labels)), colors=colour, linewidths=line, capstyle="projecting")
            )
        axes.set_xlim(-0.5, both[0].shape[1] - 0.5)
        # Rows grow downwards to Posterior, but upwards to Superior.
        axes.set_ylim(*((both[0].shape[0] - 0.5, -0.5) if axis == 0 else (-0.5, both[0].shape[0] - 0.5)))
        _letters(axes, _SIDES[axis])
        _ruler(axes, width)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DOTS, facecolor="black", metadata={"Software": None})
    return Picture(buffer.getvalue(), _PLANES[axis], index + 1, true.shape[axis])


def _axis_across(shape: tuple[int, ...], edges: tuple[float, float, float]) -> int:
    """The axis across which slices are shown: of a single slice its own, else the one of thick slices, else z."""
    if shape.count(1) == 1:
        return shape.index(1)
    thickest = int(np.argmax(edges))
    return thickest if edges[thickest] > _THICKER * sorted(edges)[1] else 0


def _worst_slice(truth: NDArray[Any], prediction: NDArray[Any], axis: int) -> int:
    """Where most voxels are wrong; where none is, where most of the truth lies."""
    others = tuple(other for other in range(3) if other != axis)
    wrong = np.count_nonzero(truth != prediction, axis=others)
    return int(np.argmax(wrong if wrong.any() else np.count_nonzero(truth, axis=others)))


def _window(mask: NDArray[np.bool_], edges: tuple[float, float]) -> tuple[slice, slice]:
    """The part of a slice that holds every structure, with a margin."""
    parts = []
    for axis, (size, mm) in enumerate(zip(mask.shape, edges, strict=True)):
        there = np.flatnonzero(mask.any(1 - axis))
        low, high = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, size)
        more = max(_MARGIN_MM / mm, (_LEAST_MM / mm - (high - low)) / 2)
        parts.append(slice(max(0, int(low - more)), min(size, int(np.ceil(high + more)))))
    return parts[0], parts[1]


def _sample(
    image: Volume, affine: Affine, axis: int, index: int, window: tuple[slice, slice]
) -> NDArray[np.float32] | None:
    """The image where the window lies; None where it shows nothing of it."""
    data = image.data[(0,) * (image.data.ndim - 3)]
    spans = [np.arange(part.start, part.stop, dtype=np.float64) for part in window]
    spans.insert(axis, np.array([float(index)]))
    grid = np.stack(np.meshgrid(*spans, indexing="ij"), -1).reshape(-1, 3)
    matrix = np.linalg.inv(image.affine) @ affine
    places = grid @ matrix[:3, :3].T + matrix[:3, 3]
    shape = tuple(part.stop - part.start for part in window)
    # Only the part that is asked for, so that a large image is not turned into another type as a whole.
    low = np.clip(np.floor(places.min(0)).astype(int) - 1, 0, np.array(data.shape) - 1)
    high = np.clip(np.ceil(places.max(0)).astype(int) + 2, 1, np.array(data.shape))
    if (high <= low).any() or (places.max(0) < -0.5).any() or (places.min(0) > np.array(data.shape) - 0.5).any():
        return None
    part = np.nan_to_num(data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.float32))
    return np.asarray(map_coordinates(part, (places - low).T, order=1, mode="nearest").reshape(shape))


def _limits(grey: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(grey, (_PERCENT, 100 - _PERCENT))
    return float(low), float(high if high > low else low + 1)


def _outlines(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Every edge between two voxels of different labels, ``(n, 2, 2)`` as ``(x, y)``; the outer edge too."""
    padded = np.pad(labels, 1)
    rows, columns = np.nonzero(padded[1:] != padded[:-1])
    across = np.stack([columns - 1.5, rows - 0.5, columns - 0.5, rows - 0.5], -1)
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    down = np.stack([columns - 0.5, rows - 1.5, columns - 0.5, rows - 0.5], -1)
    return np.concatenate([across, down]).reshape(-1, 2, 2).astype(np.float64)


def _letters(axes: Axes, sides: tuple[str, str, str, str]) -> None:
    left, right, top, bottom = sides
    for letter, x, y, across, along in (
        (left, 0.02, 0.5, "left", "center"),
        (right, 0.98, 0.5, "right", "center"),
        (top, 0.5, 0.98, "center", "top"),
        (bottom, 0.5, 0.02, "center", "bottom"),
    ):
        axes.text(x, y, letter, color="white", ha=across, va=along, transform=axes.transAxes)  # type: ignore[arg-type]


def _ruler(axes: Axes, width_mm: float) -> None:
    """A bar of a round length, about a fifth of the width."""
    length = max((mm for mm in (1, 2, 5, 10, 20, 50, 100) if mm <= width_mm / 4), default=1)
    share = length / width_mm
    axes.plot([0.04, 0.04 + share], [0.05, 0.05], color="white", linewidth=2, transform=axes.transAxes)
    axes.text(0.04, 0.065, f"{length} mm", color="white", ha="left", va="bottom", transform=axes.transAxes)
