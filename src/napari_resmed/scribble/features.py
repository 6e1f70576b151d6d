"""What every voxel looks like: computed once for an image, kept for every stroke after."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_resmed.errors import InputError
from napari_resmed.geometry import canonical_order
from napari_resmed.nets.contrast import HU_WINDOW, curved, no_curve, tissue_curve
from napari_resmed.nets.filter_bank import FilterBank
from napari_resmed.nets.voxel_net import standardized
from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.scribble.edges import Level, make_levels
from napari_resmed.volume import Volume

__all__ = [
    "CONTEXT",
    "SCALES",
    "Features",
    "check_image",
    "compute_features",
    "curves_for",
    "filter_bank",
    "made_ready",
    "preparation_for",
]

# In units of the finest voxel edge: from the voxel's neighbours to what a third of an organ looks like.
SCALES = (1.0, 2.0, 4.0, 8.0)
CONTEXT = (16.0,)
# Voxels of the grid that is worked on; larger images are looked at more coarsely, their finest axes first.
MOST_VOXELS = 6_000_000
# Voxels that are looked at to tell whether an image is a CT: some of air and some of soft tissue, in Hounsfield units,
# and no numbers that no scanner gives.
SAMPLE = 100_000
AIR, SOFT, TISSUE_SHARE, LARGEST = -700, (-200, 300), 0.05, 40_000
# Below air there is nothing but what the corners are filled with.
BELOW_AIR, BELOW_SHARE = -1200, 0.02
# Responses are computed for so many voxels of a block at a time.
BLOCK_VOXELS = 3_000_000


@dataclass(frozen=True, eq=False)
class Features:
    """An image on the grid that is worked on, and its filter responses there.

    Parameters
    ----------
    image:
        float32 ``(c, z, y, x)``, 0..1, axes turned to Superior, Posterior, Left; after its curve of contrast.
    curves:
        That curve of every channel, ``(c, BINS + 1)``: see :mod:`napari_resmed.nets.contrast`.
    responses:
        float16 ``(features, z, y, x)``, as the filters give them.
    mean, scale:
        ``(features,)`` float32, over the image.
    grid:
        What leads back to the image's own grid.
    spacing_mm:
        Voxel edges ``(z, y, x)`` of the grid that is worked on.
    """

    image: Tensor
    curves: Tensor
    responses: Tensor
    mean: Tensor
    scale: Tensor
    grid: Grid
    spacing_mm: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(z, y, x)``."""
        return self.grid.shape

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """What holds a walker back: the image's edges, and those of the same a little smoothed."""
        smoothed = self.responses.reshape(len(self.image), -1, *self.shape)[:, 1]
        return make_levels(torch.cat([self.image, smoothed.float()]), self.spacing_mm)

    @cached_property
    def coarsely(self) -> Tensor:
        """Responses of every second voxel, as :attr:`levels` are made coarser, in deviations from the mean.

        float16 ``(n, features)``.
        """
        z, y, x = self.levels[min(1, len(self.levels) - 1)].factors
        return standardized(self.responses[:, ::z, ::y, ::x].flatten(1).T.float(), self.mean, self.scale).half()


def check_image(image: Volume) -> None:
    """Refuse what cannot be painted on.

    Raises
    ------
    InputError
        If the image has a time axis.
    """
    if "t" in image.axes:
        raise InputError(
            f"the image has {image.frames} time points, expected one: save the one you want as an image of its own"
        )


def preparation_for(image: Volume) -> Preparation:
    """The grid to work on: the image's own, or where that is too large one that is coarser along its finest axes.

    Channels of a CT get a fixed window.
    """
    order = canonical_order(image.affine)
    spacing = [image.spacing_mm[axis] for axis in order.axes]
    sizes = [image.grid_shape[axis] for axis in order.axes]
    low, high = min(spacing), max(edge * size for edge, size in zip(spacing, sizes, strict=True))

    def voxels(finest: float) -> float:
        return float(
            torch.tensor([max(1.0, s * e / max(e, finest)) for s, e in zip(sizes, spacing, strict=True)]).prod()
        )

    if voxels(low) > MOST_VOXELS:
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if voxels(middle) > MOST_VOXELS else (low, middle)
        spacing = [max(edge, high) for edge in spacing]
    z, y, x = spacing
    channels = image.data if image.axes == "czyx" else image.data[None]
    windows = tuple(HU_WINDOW if _is_ct(channel) else None for channel in channels)
    return Preparation((z, y, x), windows=windows if any(windows) else ())


def _is_ct(channel: NDArray[Any]) -> bool:
    """Whether the numbers are Hounsfield units, by those alone: files seldom say what they hold."""
    if channel.dtype.kind not in "if":
        return False
    sample = channel.reshape(-1)[:: max(1, channel.size // SAMPLE)] if channel.flags.c_contiguous else channel
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        return False
    low, high = sample.min(), sample.max()
    if not (-LARGEST < low < AIR and high < LARGEST):
        return False
    tissue = np.mean((sample > SOFT[0]) & (sample < SOFT[1]))
    strange = np.mean((sample > low) & (sample < BELOW_AIR))
    return bool(tissue > TISSUE_SHARE and strange < BELOW_SHARE)


def filter_bank(spacing_mm: tuple[float, float, float], finest_mm: float) -> FilterBank:
    """The filters for a grid; ``finest_mm`` is the unit of the scales."""
    return FilterBank(spacing_mm, [scale * finest_mm for scale in SCALES], [scale * finest_mm for scale in CONTEXT])


def compute_features(image: Volume) -> Features:
    """Look at an image.

    Parameters
    ----------
    image:
        Axes ``zyx`` or ``czyx``, any number of channels; 2D is one slice.

    Raises
    ------
    InputError
        If the image has a time axis, holds NaN or infinity, or one value only.
    """
    check_image(image)
    ready, curves, grid = made_ready(image)
    spacing = preparation_for(image).spacing_mm
    responses = _in_blocks(ready, filter_bank(spacing, min(spacing)))
    flat = responses.flatten(1)
    # Of a part of them: the mean of a million voxels is as good as that of ten.
    sample = flat[:, :: max(1, flat.shape[1] // 1_000_000)].float()
    mean, scale = sample.mean(1), sample.std(1, unbiased=False).clamp_min(1e-4)
    return Features(ready, curves, responses, mean, scale, grid, spacing)


def made_ready(image: Volume) -> tuple[Tensor, Tensor, Grid]:
    """The image on the grid that is worked on, after its curves of contrast; these; the grid."""
    preparation = preparation_for(image)
    ready, grid = prepare(image, preparation)
    curves = curves_for(preparation, len(ready))
    return (curved(ready, curves) if preparation.windows else ready), curves, grid


def curves_for(preparation: Preparation, channels: int) -> Tensor:
    """The curve of contrast of every channel: those in Hounsfield units have one."""
    return torch.stack([tissue_curve() if preparation.window(n) else no_curve() for n in range(channels)])


def _in_blocks(image: Tensor, bank: FilterBank) -> Tensor:
    """All responses as float16, slab by slab with as much around as the filters reach."""
    channels, depth, *plane = image.shape
    found = torch.empty((channels * bank.responses, depth, *plane), dtype=torch.float16)
    halo = bank.halo[0]
    # Slabs begin where the coarsest filter's voxels begin, so that they see the same grid as the whole would.
    step = 16
    rows = max(step, BLOCK_VOXELS // (plane[0] * plane[1] * channels) // step * step)
    for start in range(0, depth, rows):
        stop = min(depth, start + rows)
        low, high = max(0, (start - halo) // step * step), min(depth, stop + halo)
        part = bank(image[None, :, low:high])[0]
        found[:, start:stop] = part[:, start - low : stop - low]
    return found
