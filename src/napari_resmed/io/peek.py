"""What an image file holds, told from its header and as few voxels as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.io.source import Source

__all__ = ["Peek", "first_planes"]

# A plane of a deformed header may be any size; beyond this, one is not read just to look at it.
_MOST_PLANE = 1 << 26


@dataclass(frozen=True)
class Peek:
    """An image before its voxels are read: what :class:`~napari_resmed.volume.Volume` will say of itself.

    ``surely_image`` is False where only reading the whole file tells whether it holds labels.
    """

    shape: tuple[int, ...]
    axes: str
    affine: geometry.Affine
    dtype: np.dtype[Any]
    surely_image: bool
    modality: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


def first_planes(
    source: Source,
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    result: np.dtype[Any] | None = None,
    convert: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> Iterator[NDArray[Any]]:
    """The planes of a 3D array ``(z, y, x)``, each read when it is asked for.

    Raises
    ------
    InputError
        If the file is cut off or damaged there.
    """
    if shape[-1] * shape[-2] * stored.itemsize > _MOST_PLANE:
        return
    for _ in range(shape[0]):
        yield source.array(shape[1:], stored, result, convert)
