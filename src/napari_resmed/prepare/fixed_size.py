"""A whole image at one size, for networks that tell what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.prepare.resample import along
from napari_resmed.volume import Volume

__all__ = ["Shape", "around_the_middle", "back_to_source", "fitted", "fixed_size", "fixed_spacing", "restore_fixed"]

Shape = tuple[int, int, int]
Three = tuple[float, float, float]


def fixed_size(volume: Volume, preparation: Preparation, shape: Shape, fit: str) -> Tensor:
    """Turn, resample and rescale an image, and cut or fill it up around its middle.

    Parameters
    ----------
    volume:
        Axes ``zyx`` or ``czyx``.
    preparation:
        The model's description.
    shape:
        Size ``(z, y, x)`` of what comes out.
    fit:
        ``"whole"``: the image is made larger or smaller until all of it just fits, the proportions of its edges in mm
        kept; ``"middle"``: it is taken at the network's spacing.

    Returns
    -------
    Tensor
        float32 ``(c, *shape)``, zero where the image does not reach.

    Raises
    ------
    InputError
        If the image holds NaN or infinity, or one value only.
    """
    image, _ = prepare(volume, fitted(volume, preparation, shape, fit))
    return around_the_middle(image, shape)


def restore_fixed(
    found: NDArray[np.float32], volume: Volume, preparation: Preparation, fit: str
) -> NDArray[np.float32]:
    """Bring what was found in an image of fixed size back to the image's own grid, linearly.

    Parameters
    ----------
    found:
        float32 ``(z, y, x)`` of the size that :func:`fixed_size` made.
    volume, preparation, fit:
        As they were given to it.

    Returns
    -------
    NDArray
        float32 ``(z, y, x)`` on the image's grid; zero where nothing was seen.
    """
    shape = (found.shape[0], found.shape[1], found.shape[2])
    return back_to_source(found, Grid.of(volume, fitted(volume, preparation, shape, fit)))


def fitted(volume: Volume, preparation: Preparation, shape: Shape, fit: str) -> Preparation:
    """The preparation at the spacing that this image is taken at; for what is cut to its middle, the network's."""
    if fit == "middle":
        return preparation
    return replace(preparation, spacing_mm=fixed_spacing(volume, preparation, shape))


def fixed_spacing(volume: Volume, preparation: Preparation, shape: Shape) -> Three:
    """Voxel edges ``(z, y, x)`` in mm at which the whole image just fits, in the proportions of the preparation's."""
    grid = Grid.of(volume, preparation)
    edges = [volume.spacing_mm[axis] for axis in grid.order.axes]
    pairs = zip(grid.source_shape, edges, shape, preparation.spacing_mm, strict=True)
    # A single slice stays one, however thick.
    most = max((size * mm / (room * target) for size, mm, room, target in pairs if size > 1), default=1.0)
    spacing = [
        mm if size == 1 else most * target
        for size, mm, target in zip(grid.source_shape, edges, preparation.spacing_mm, strict=True)
    ]
    return spacing[0], spacing[1], spacing[2]


def back_to_source(found: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """What was found in an image of fixed size, on the image's own grid, that the other was made of by ``grid``."""
    whole = around_the_middle(torch.from_numpy(found)[None], grid.shape)
    back = grid.weights_back
    for axis in range(3):
        if grid.step[axis] != 1 or grid.shape[axis] != grid.source_shape[axis]:
            whole = along(whole, axis + 1, back[axis])
    restored: NDArray[np.float32] = grid.put_back(whole[0].numpy())
    return restored


def around_the_middle(image: Tensor, shape: Shape) -> Tensor:
    """Cut or filled up with zeros, as much on both sides; ``(c, z, y, x)``."""
    padding: list[int] = []
    for axis, room in enumerate(shape, 1):
        over = image.shape[axis] - room
        if over > 0:
            # An odd voxel too many goes where one too few is added, so that the way back is the same.
            image = image.narrow(axis, over // 2, room)
        before = max(0, -over) // 2
        padding = [before, max(0, -over) - before, *padding]
    return pad(image, padding).contiguous() if any(padding) else torch.clone(image)
