"""An image with its place in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_resmed import geometry
from napari_resmed.errors import InputError

__all__ = ["AXES", "Volume"]

AXES = ("zyx", "czyx", "tzyx", "tczyx")


@dataclass(frozen=True, eq=False)
class Volume:
    """An image: array, affine, axes, and what the file said. Immutable.

    Parameters
    ----------
    data:
        Array whose axes are ``axes``, kept as a read-only view. A 2D image has one z.
    affine:
        4x4, array index ``(z, y, x)`` to patient coordinates ``(x, y, z)`` in mm, LPS.
    axes:
        ``"zyx"``, ``"czyx"``, ``"tzyx"`` or ``"tczyx"``; derived from the number of dimensions where empty
        (four dimensions are time, as in NIfTI).
    modality:
        DICOM's two letters (``"MR"``, ``"CT"``), or empty where the file does not say.
    name:
        A short name for lists; never a patient's.
    meta:
        What else the file said, plain values only, no patient identity.

    Raises
    ------
    InputError
        If array, axes and affine do not fit together.
    """

    data: NDArray[Any]
    affine: geometry.Affine
    axes: str = ""
    modality: str = ""
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = np.asarray(self.data)
        axes = self.axes or {3: "zyx", 4: "tzyx", 5: "tczyx"}.get(data.ndim, "")
        if axes not in AXES or len(axes) != data.ndim:
            raise InputError(
                f"found an array of shape {data.shape} with axes {self.axes or 'unsaid'!r}, "
                f"expected one of {', '.join(AXES)}"
            )
        if 0 in data.shape:
            raise InputError(f"found an empty image of shape {data.shape}, expected at least one voxel")
        if data.dtype.kind not in "biuf":
            raise InputError(f"found voxels of type {data.dtype}, expected whole or real numbers")
        data = data.view()
        data.setflags(write=False)
        affine = geometry.check_affine(self.affine)
        affine.setflags(write=False)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis, in the order of ``axes``."""
        return tuple(self.data.shape)

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """Size of the three spatial axes ``(z, y, x)``."""
        z, y, x = self.data.shape[-3:]
        return int(z), int(y), int(x)

    @property
    def channels(self) -> int:
        """Number of channels; 1 where there is no channel axis."""
        return int(self.data.shape[self.axes.index("c")]) if "c" in self.axes else 1

    @property
    def frames(self) -> int:
        """Number of time points; 1 where there is no time axis."""
        return int(self.data.shape[0]) if "t" in self.axes else 1

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel edges ``(z, y, x)``."""
        return geometry.spacing(self.affine)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres; right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) / 1000)

    @property
    def orientation(self) -> str:
        """Patient side each array axis ``(z, y, x)`` grows towards, e.g. ``"SPL"``."""
        return geometry.orientation(self.affine)

    def same_grid(self, other: Volume) -> bool:
        """Whether both have the same voxels at the same places."""
        return geometry.same_place(self.affine, self.shape, other.affine, other.shape)

    def cut(self, box: tuple[slice, slice, slice]) -> Self:
        """A part of it, at its own place; ``box`` is of ``(z, y, x)``, from a first voxel to one after the last."""
        affine = np.array(self.affine)
        affine[:3, 3] += affine[:3, :3] @ [along.start for along in box]
        return replace(self, data=self.data[(..., *box)], affine=affine)

    def with_data(self, data: ArrayLike, axes: str = "") -> Self:
        """The same place and description with other voxels."""
        return replace(self, data=np.asarray(data), axes=axes or self.axes)
