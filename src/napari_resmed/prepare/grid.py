"""From an image's own grid to the network's; the way back is in :mod:`napari_resmed.prepare.restore`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder, canonical_order
from napari_resmed.prepare.intensity import apply_intensities
from napari_resmed.prepare.normalization import normalize
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.prepare.resample import along, resampled_size, weights
from napari_resmed.volume import Volume

__all__ = ["UNKNOWN", "Grid", "prepare", "prepare_target"]

# In a training target: the voxel says nothing.
UNKNOWN = -1
# Share of a voxel's neighbourhood that must be known for it to count, over the voxel's width in slices of the image: a
# single painted slice midway between two of the network's is seen by each with half a slice's weight, and must not be
# lost.
KNOWN_SHARE = 0.3
# Slices more than so many times as thick as wide are not interpolated across (nnU-Net's threshold).
THICK = 3

Shape = tuple[int, int, int]
Kinds = tuple[str, str, str]

_BETWEEN: Kinds = ("between",) * 3
_CORNER: Kinds = ("corner",) * 3


@dataclass(frozen=True)
class Grid:
    """How the network's grid lies on the image's.

    Parameters
    ----------
    order:
        Permutation and flips from the image's axes to the network's: Superior, Posterior, Left but for models of other
        programs.
    source_shape:
        The image's size after ``order``, and after it was cut.
    shape:
        The network grid's size ``(z, y, x)``.
    step:
        Network spacing in units of the image's, per axis of the network.
    whole_shape:
        The image's size after ``order``, where it was cut; None where it was not.
    corner:
        Where in it the cut begins.
    kinds, kinds_back:
        How each axis is interpolated, of images and of scores: see :func:`napari_resmed.prepare.resample.weights`.
    """

    order: AxisOrder
    source_shape: Shape
    shape: Shape
    step: tuple[float, float, float]
    whole_shape: Shape | None = None
    corner: Shape = (0, 0, 0)
    kinds: Kinds = ("linear",) * 3
    kinds_back: Kinds = ("linear",) * 3

    @property
    def is_source(self) -> bool:
        """Whether it is the image's own, but for the order of axes."""
        return self.shape == self.source_shape and all(step == 1 for step in self.step)

    @property
    def weights(self) -> list[Tensor]:
        """For each axis the weights ``(network, image)`` that bring an image to the network's grid."""
        sizes = zip(self.kinds, self.source_shape, self.shape, self.step, strict=True)
        return [weights(kind, source, size, step) for kind, source, size, step in sizes]

    @property
    def weights_back(self) -> list[Tensor]:
        """For each axis the weights ``(image, network)`` that bring scores to the image's grid."""
        sizes = zip(self.kinds_back, self.source_shape, self.shape, self.step, strict=True)
        return [weights(kind, size, source, 1 / step) for kind, source, size, step in sizes]

    @property
    def box(self) -> tuple[slice, ...]:
        """What it covers of the image, after ``order``."""
        return tuple(slice(start, start + size) for start, size in zip(self.corner, self.source_shape, strict=True))

    def take(self, data: NDArray[Any]) -> NDArray[Any]:
        """A view of ``(..., z, y, x)`` on the image's grid, turned and cut."""
        place: tuple[Any, ...] = (..., *self.box)
        taken: NDArray[Any] = self.order.apply(data)[place]
        return taken

    def put_back(self, data: NDArray[Any]) -> NDArray[Any]:
        """What :meth:`take` gives, back in the image's axes; 0 around what was cut out."""
        if self.whole_shape is not None:
            whole = np.zeros(self.whole_shape, data.dtype)
            whole[self.box] = data
            data = whole
        return np.ascontiguousarray(self.order.undo(data))

    def within(self, box: tuple[slice, slice, slice]) -> Grid:
        """The part of it, interpolated linearly, over a box of the image; ``(z, y, x)`` as :meth:`take` gives it."""
        begins, sizes = [along.start for along in box], [along.stop - along.start for along in box]
        return replace(
            self,
            source_shape=_shape(sizes),
            shape=_shape(resampled_size(size, 1.0, step) for size, step in zip(sizes, self.step, strict=True)),
            whole_shape=self.whole_shape or self.source_shape,
            corner=_shape(corner + begin for corner, begin in zip(self.corner, begins, strict=True)),
        )

    @classmethod
    def of(cls, volume: Volume, preparation: Preparation) -> Grid:
        """The grid for an image: its own axes, nearest to the network's, at the network's spacing."""
        order = _order(volume, preparation)
        source = _shape(volume.grid_shape[axis] for axis in order.axes)
        whole, corner = None, (0, 0, 0)
        if preparation.crop_nonzero or preparation.crop_above is not None:
            whole, (corner, source) = source, _box(volume, order, preparation.crop_above)
        spacing = [volume.spacing_mm[axis] for axis in order.axes]
        wanted = spacing if preparation.own_spacing else preparation.spacing_mm
        pairs = list(zip(source, spacing, wanted, strict=True))
        if preparation.size:
            shape = _shape(size or old for size, old in zip(preparation.size, source, strict=True))
            a, b, c = (old / new for old, new in zip(source, shape, strict=True))
            return cls(order, source, shape, (a, b, c), whole, corner, _BETWEEN, _BETWEEN)
        if preparation.interpolation == "corner":
            shape = _shape(max(1, round((size - 1) * mm / target + 1)) for size, mm, target in pairs)
            a, b, c = (target / mm for _, mm, target in pairs)
            return cls(order, source, shape, (a, b, c), whole, corner, _CORNER, _CORNER)
        if preparation.interpolation == "cubic":
            shape = _shape(max(1, round(mm / target * size)) for size, mm, target in pairs)
            a, b, c = (old / new for old, new in zip(source, shape, strict=True))
            kinds = _kinds("cubic", spacing, preparation.spacing_mm)
            back = _kinds("between", preparation.spacing_mm, spacing)
            return cls(order, source, shape, (a, b, c), whole, corner, kinds, back)
        a, b, c = (target / mm for _, mm, target in pairs)
        return cls(order, source, _shape(resampled_size(*pair) for pair in pairs), (a, b, c), whole, corner)


def _shape(sizes: Iterable[int]) -> Shape:
    z, y, x = sizes
    return z, y, x


def _order(volume: Volume, preparation: Preparation) -> AxisOrder:
    if preparation.orientation == STORED:
        order = AxisOrder((0, 1, 2), (False, False, False))
    else:
        order = canonical_order(volume.affine)
        turned = [one != other for one, other in zip(preparation.orientation, "SPL", strict=True)]
        flips = [one != other for one, other in zip(order.flipped, turned, strict=True)]
        order = AxisOrder(order.axes, (flips[0], flips[1], flips[2]))
    a, b, c = preparation.axes
    return AxisOrder(
        (order.axes[a], order.axes[b], order.axes[c]), (order.flipped[a], order.flipped[b], order.flipped[c])
    )


def _box(volume: Volume, order: AxisOrder, above: float | None) -> tuple[Shape, Shape]:
    """Corner and size, in the network's axes, of the box of what is not zero, or above a value, anywhere and ever."""
    there = np.zeros(volume.grid_shape, bool)
    for one in volume.data.reshape(-1, *volume.grid_shape):
        there |= one != 0 if above is None else one > above
    there = order.apply(there)
    corner, size = [], []
    for axis in range(3):
        used = np.flatnonzero(there.any(tuple(other for other in range(3) if other != axis)))
        first, last = (int(used[0]), int(used[-1])) if len(used) else (0, there.shape[axis] - 1)
        corner.append(first)
        size.append(last - first + 1)
    return _shape(corner), _shape(size)


def _kinds(kind: str, spacing: Sequence[float], other: Sequence[float]) -> Kinds:
    """The same along every axis, but nearest along the one of thick slices, of the first grid or else the second."""
    kinds = [kind] * 3
    for edges in (spacing, other):
        if max(edges) / min(edges) > THICK:
            thick = [axis for axis in range(3) if edges[axis] == max(edges)]
            if len(thick) == 1:
                kinds[thick[0]] = "nearest"
            break
    return kinds[0], kinds[1], kinds[2]


def prepare(volume: Volume, preparation: Preparation, grid: Grid | None = None) -> tuple[Tensor, Grid]:
    """Turn, resample and rescale an image for the network.

    Parameters
    ----------
    volume:
        Axes ``zyx`` or ``czyx``.
    preparation:
        The model's description.
    grid:
        Where it is known already, as that of all frames of a series is; else :meth:`Grid.of` both.

    Returns
    -------
    image
        float32 ``(c, z, y, x)`` on the network's grid, in 0..1 but for a model with intensities of its own.
    grid
        What leads back.

    Raises
    ------
    InputError
        If the image holds NaN or infinity, or one value only.
    """
    grid = grid or Grid.of(volume, preparation)
    data = volume.data if volume.axes == "czyx" else volume.data[None]
    _check_voxels(data)
    if preparation.normalization:
        return _prepare_before_resampling(grid.take(data), preparation, grid), grid
    if preparation.intensity:
        return _prepare_in_steps(grid.take(data), preparation, grid), grid
    image = torch.from_numpy(_float32(grid.take(data), fixed=any(preparation.windows)))
    image = _resampled(image, grid)
    channels = [_to_unit(channel, preparation, number) for number, channel in enumerate(image)]
    return torch.stack(channels).contiguous(), grid


def _resampled(image: Tensor, grid: Grid, axes: Sequence[int] = (0, 1, 2)) -> Tensor:
    every = grid.weights
    for axis in axes:
        if grid.step[axis] != 1 or grid.shape[axis] != grid.source_shape[axis]:
            image = along(image, axis + 1, every[axis])
    return image


def _prepare_before_resampling(data: NDArray[Any], preparation: Preparation, grid: Grid) -> Tensor:
    """Normalize every channel, then resample it; splines overshoot no further than the values there were."""
    image = _float32(data, fixed=True)
    inside = None
    if any(one.masked for one in preparation.normalization):
        inside = ndimage.binary_fill_holes((image != 0).any(0))
    for channel, how in zip(image, preparation.normalization, strict=True):
        normalize(channel, how, inside)
    ready = torch.from_numpy(image)
    if grid.is_source:
        return ready
    # Across thick slices nothing is interpolated: each slice has bounds of its own, and is cut to them.
    across = [axis for axis in range(3) if grid.kinds[axis] != "nearest"]
    bounds = [axis + 1 for axis in across]
    low, high = ready.amin(bounds, keepdim=True), ready.amax(bounds, keepdim=True)
    ready = _resampled(ready, grid, across).clamp_(low, high)
    return _resampled(ready, grid, [axis for axis in range(3) if axis not in across]).contiguous()


def _prepare_in_steps(data: NDArray[Any], preparation: Preparation, grid: Grid) -> Tensor:
    image = _float32(data, fixed=True)
    if preparation.intensity_first:
        apply_intensities(image, preparation.intensity)
        return _resampled(torch.from_numpy(image), grid).contiguous()
    ready = _resampled(torch.from_numpy(image), grid).contiguous()
    apply_intensities(ready.numpy(), preparation.intensity)
    return ready


def _check_voxels(data: NDArray[Any]) -> None:
    if data.dtype.kind == "f":
        # A sum is finite only if every term is: one pass, no mask, unless something is wrong.
        with np.errstate(over="ignore", invalid="ignore"):
            fine = np.isfinite(data.sum(dtype=np.float64)) or np.isfinite(data).all()
        if not fine:
            bad = int((~np.isfinite(data)).sum())
            raise InputError(
                f"the image has {bad} voxels that are NaN or infinite (of {data.size}); a model needs "
                "finite numbers: replace them, e.g. by 0, and try again"
            )
    for number, channel in enumerate(data):
        low = channel.min()
        if low == channel.max():
            which = f"channel {number} of the image" if len(data) > 1 else "the image"
            raise InputError(f"{which} has the value {float(low):g} everywhere; there is nothing to see in it")


def _float32(data: NDArray[Any], fixed: bool) -> NDArray[np.float32]:
    """A copy in float32; where that may not tell values apart they are moved to 0..1 first, which changes no more.

    Not where they are ``fixed``, that is mean something by themselves.
    """
    if fixed or data.dtype.itemsize <= 2 or data.dtype == np.float32:
        return np.array(data, dtype=np.float32, order="C")
    wide = np.array(data, dtype=np.float64, order="C")
    low, high = wide.min() / 2, wide.max() / 2  # halved, for the difference of two large numbers may overflow
    if low == high:  # an image's part may have one value, such as what is not zero in a mask
        return np.zeros(data.shape, np.float32)
    unit: NDArray[np.float32] = ((wide / 2 - low) / (high - low)).astype(np.float32)
    return unit


def _to_unit(channel: Tensor, preparation: Preparation, number: int) -> Tensor:
    window = preparation.window(number)
    if window is None:
        return _rescale(channel, *preparation.percentiles)
    return (channel - window[0]).div_(window[1] - window[0]).clamp_(0, 1)


def _rescale(channel: Tensor, low: float, high: float) -> Tensor:
    flat = channel.reshape(-1)
    count = flat.numel()
    bottom = flat.kthvalue(1 + round((count - 1) * low / 100)).values
    top = flat.kthvalue(1 + round((count - 1) * high / 100)).values
    if top <= bottom:  # nearly all voxels are alike, e.g. a small object in a large empty field
        bottom, top = torch.aminmax(channel)
    if top <= bottom:  # of one value, e.g. a single voxel of the network's
        return torch.zeros_like(channel)
    return (channel - bottom).div_(top - bottom).clamp_(0, 1)


def prepare_target(classes: NDArray[np.signedinteger[Any]], grid: Grid, count: int) -> NDArray[np.int16]:
    """Turn and resample a map of classes to the network's grid, the largest share of a voxel winning.

    Parameters
    ----------
    classes:
        ``(z, y, x)`` on the image's grid: 0 background, 1.. structures, :data:`UNKNOWN`.
    grid:
        From :func:`prepare`, of the image.
    count:
        Number of classes, background included.

    Returns
    -------
    NDArray
        int16 ``(z, y, x)`` on the network's grid.
    """
    turned = grid.take(classes)
    if grid.is_source:
        return np.array(turned, dtype=np.int16, order="C")
    along_axes = grid.weights
    source = torch.from_numpy(np.array(turned, dtype=np.int16, order="C"))
    known, best = torch.zeros(grid.shape), torch.zeros(grid.shape)
    target = torch.full(grid.shape, UNKNOWN, dtype=torch.int16)
    for number in range(count):
        share = (source == number).float()
        for axis in range(3):
            share = along(share, axis, along_axes[axis])
        known += share
        target[share > best] = number
        best = torch.maximum(best, share)
    target[known < KNOWN_SHARE / max(1.0, *grid.step)] = UNKNOWN
    return target.numpy()
