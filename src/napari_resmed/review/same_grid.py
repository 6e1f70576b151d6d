"""A prediction on the grid of its truth: turned where that is enough, resampled only when asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder
from napari_resmed.volume import Volume

__all__ = ["difference", "onto_grid", "turn_onto"]

# Headers that were rounded on their way through other programs move a voxel by far less than this share of its edge,
# and a real misplacement that small changes no figure: voxels are compared with voxels.
SAME_VOXEL = 0.01


def onto_grid(prediction: Volume, truth: Volume, *, resample: bool = False) -> tuple[NDArray[Any], bool]:
    """The voxels of ``prediction`` in the order and place of those of ``truth``.

    Axes are permuted and flipped where both have the same voxels in another order, which changes nothing. Only with
    ``resample`` is another grid taken: each voxel of the truth gets the value of the prediction's nearest, 0 beyond
    its field of view.

    Returns
    -------
    NDArray, bool
        ``(z, y, x)`` of the truth, perhaps a view; whether it had to be resampled.

    Raises
    ------
    InputError
        If the grids differ and ``resample`` is not set.
    """
    order = turn_onto(prediction, truth)
    if order is not None:
        return order.apply(prediction.data), False
    if not resample:
        raise InputError(
            f"the prediction lies on another grid than the truth ({difference(prediction, truth)}); "
            "save it on the image's own grid, or resample with --resample"
        )
    index = np.linalg.inv(prediction.affine) @ truth.affine
    return affine_transform(
        prediction.data, index[:3, :3], index[:3, 3], truth.grid_shape, order=0, mode="grid-constant", cval=0
    ), True


def turn_onto(prediction: Volume, truth: Volume) -> AxisOrder | None:
    """The turn that lays the first grid on the second, to a hundredth of a voxel; None where there is none."""
    index = np.linalg.inv(prediction.affine) @ truth.affine  # the truth's index to the prediction's
    turn = np.rint(index[:3, :3])
    if not np.array_equal(np.abs(turn).sum(0), [1, 1, 1]) or not np.array_equal(np.abs(turn).sum(1), [1, 1, 1]):
        return None
    axes = tuple(int(axis) for axis in np.abs(turn).argmax(0))
    flipped = tuple(bool(turn[axis, new] < 0) for new, axis in enumerate(axes))
    order = AxisOrder(axes, flipped)  # type: ignore[arg-type]
    if tuple(prediction.grid_shape[axis] for axis in axes) != truth.grid_shape:
        return None
    turned = order.apply_to_affine(prediction.affine, prediction.grid_shape)
    apart = np.abs(geometry.corners(turned, truth.shape) - geometry.corners(truth.affine, truth.shape)).max()
    within = max(geometry.SAME_PLACE_MM, SAME_VOXEL * min(truth.spacing_mm))
    return order if apart < within else None


def difference(first: Volume, second: Volume) -> str:
    """How two grids differ, for a sentence."""
    return f"{_grid(first)} against {_grid(second)}{_shift(first, second)}"


def _grid(volume: Volume) -> str:
    sizes = "×".join(str(size) for size in volume.grid_shape)
    return f"{sizes} at {'×'.join(f'{mm:.4g}' for mm in volume.spacing_mm)} mm"


def _shift(first: Volume, second: Volume) -> str:
    """How far the middles lie apart, where that is worth a word."""
    middles = [geometry.corners(volume.affine, volume.grid_shape).mean(0) for volume in (first, second)]
    apart = float(np.linalg.norm(middles[0] - middles[1]))
    return f", middles {apart:.3g} mm apart" if apart >= 0.005 else ""
