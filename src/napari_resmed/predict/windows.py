"""Where the windows of a network lie in an image."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations, product

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.errors import InputError

__all__ = ["Place", "Shape", "Windows", "pad_to_window", "whole_window", "window_places"]

# A network that sees less than this along an axis knows too little of what is around.
LEAST_EDGE = 32
# A window that holds a whole image is no larger: a head in 256 mm of a quick look at 2 mm.
MOST_WHOLE_VOXELS = 128**3

Shape = tuple[int, int, int]
Place = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Windows:
    """How an image is gone through.

    Parameters
    ----------
    patch:
        Window ``(z, y, x)``.
    overlap:
        Share of a window that its neighbour repeats, 0 <= overlap < 1.
    mirror_axes:
        Spatial axes (0 z, 1 y, 2 x) along which each window is also run mirrored, and the answers averaged.
    batch:
        Windows that go through the network at a time.
    sums:
        Type in which scores are summed.
    multiples:
        What the window's edges have to be divisible by, so that it can be made smaller; None where it cannot.
    even:
        As nnU-Net does it: windows spread evenly over the image and weighted by its bell, mirrored along all
        combinations of axes.
    of_features:
        Whether what the network's last layer is given is summed instead of scores, and that layer is applied to the
        sums: see :mod:`napari_resmed.nets.split`. The same result, but for rounding.
    mirrored_classes:
        Pairs of the network's classes, left and right, exchanged in its answer to what is mirrored along x.
    """

    patch: Shape
    overlap: float = 0.5
    mirror_axes: tuple[int, ...] = ()
    batch: int = 1
    sums: torch.dtype = torch.float32
    multiples: Shape | None = None
    even: bool = False
    of_features: bool = False
    mirrored_classes: tuple[tuple[int, int], ...] = ()

    @property
    def mirrors(self) -> list[tuple[int, ...]]:
        """The axes along which each pass is mirrored, the plain pass first."""
        if not self.even:
            return [(), *((axis,) for axis in self.mirror_axes)]
        axes = self.mirror_axes
        return [chosen for count in range(len(axes) + 1) for chosen in combinations(axes, count)]

    def smaller(self) -> Windows | None:
        """Half as many at a time, then half as long along the longest edge; None where it can be no smaller."""
        if self.batch > 1:
            return replace(self, batch=self.batch // 2)
        if self.multiples is None:
            return None
        longest = max(range(3), key=lambda axis: self.patch[axis])
        multiple = self.multiples[longest]
        edge = -(-self.patch[longest] // 2 // multiple) * multiple
        if edge >= self.patch[longest] or edge < LEAST_EDGE:
            return None
        patch = list(self.patch)
        patch[longest] = edge
        return replace(self, patch=(patch[0], patch[1], patch[2]))


def window_places(shape: Shape, patch: Shape, overlap: float, even: bool = False) -> list[Place]:
    """Where the windows lie: MONAI's own grid of overlapping patches, or an ``even`` one, lowest z first.

    Raises
    ------
    InputError
        If the overlap is not in 0 <= overlap < 1.
    """
    if not 0 <= overlap < 1:
        raise InputError(f"the overlap is {overlap}, expected 0 or more and less than 1")
    if even:
        starts = [_spread(size, window, overlap) for size, window in zip(shape, patch, strict=True)]
        z, y, x = patch
        return [(slice(a, a + z), slice(b, b + y), slice(c, c + x)) for a, b, c in product(*starts)]
    # Only here: MONAI takes a quarter of a gigabyte and two seconds, and nnU-Net's models do without.
    from monai.data.utils import dense_patch_slices

    step = tuple(
        size if size <= window else max(1, int(window * (1 - overlap)))
        for size, window in zip(shape, patch, strict=True)
    )
    return [tuple(place) for place in dense_patch_slices(shape, patch, step)]


def whole_window(shape: Shape, patch: Shape, multiples: Shape, most: int | None = None) -> Shape:
    """A window ``(z, y, x)`` that holds a whole image, or the patch where that is too much.

    Parameters
    ----------
    shape:
        Of the image.
    patch:
        The network's own window; no edge becomes shorter.
    multiples:
        What a window's edges have to be divisible by.
    most:
        Voxels that it may have; None: :data:`MOST_WHOLE_VOXELS`.
    """
    z, y, x = (
        max(edge, -(-size // multiple) * multiple) for size, edge, multiple in zip(shape, patch, multiples, strict=True)
    )
    return (z, y, x) if z * y * x <= (most or MOST_WHOLE_VOXELS) else patch


def _spread(size: int, window: int, overlap: float) -> list[int]:
    """Starts of as few windows as overlap so much or more, at equal distances."""
    gaps = math.ceil((size - window) / (window * (1 - overlap)))
    return [round((size - window) / gaps * number) if gaps else 0 for number in range(gaps + 1)]


def pad_to_window(image: Tensor, patch: Shape) -> tuple[Tensor, list[tuple[int, int]]]:
    """Surround ``(c, z, y, x)`` by zeros until it is no smaller than one window; also the margins added per axis."""
    short = [max(0, window - size) for size, window in zip(image.shape[1:], patch, strict=True)]
    margins = [(n // 2, n - n // 2) for n in short]
    return F.pad(image, [side for pair in reversed(margins) for side in pair]), margins
