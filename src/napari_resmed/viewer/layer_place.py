"""Where a layer lies in napari's world, in mm."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["attributes_of", "last_three", "spatial", "world_matrix"]


def attributes_of(layer: Any) -> dict[str, Any]:
    """What :func:`layer_to_volume` needs of a live layer; taken at once, so the layer may change later."""
    return {
        "name": layer.name,
        "scale": tuple(layer.scale),
        "translate": tuple(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "metadata": dict(layer.metadata),
        "rgb": bool(getattr(layer, "rgb", False)),
    }


def last_three(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The place of a layer of any number of dimensions, as that of its last three."""
    ndim = len(attributes["scale"])
    if ndim <= 3:
        return dict(attributes)
    return {
        **attributes,
        "scale": tuple(attributes["scale"])[-3:],
        "translate": tuple(attributes["translate"])[-3:],
        "rotate": np.asarray(attributes["rotate"])[-3:, -3:],
        "shear": None,
        "affine": np.asarray(attributes["affine"])[-4:, -4:],
        "units": tuple(attributes["units"])[-3:],
    }


def spatial(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last three axes of a transform of any number."""
    return np.asarray(matrix[-4:, -4:])


def world_matrix(ndim: int, attributes: Mapping[str, Any]) -> NDArray[np.float64]:
    """Data index to napari's world, ``(ndim + 1, ndim + 1)``, spatial axes in mm."""
    from napari.utils.transforms import Affine

    own = Affine(
        scale=attributes.get("scale", np.ones(ndim)),
        translate=attributes.get("translate", np.zeros(ndim)),
        rotate=attributes.get("rotate"),
        shear=attributes.get("shear"),
        ndim=ndim,
    ).affine_matrix
    extra = attributes.get("affine")
    matrix = own if extra is None else np.asarray(getattr(extra, "affine_matrix", extra)) @ own
    units = attributes.get("units") or ("pixel",) * ndim
    lengths = np.array([_mm(str(unit)) for unit in units[-ndim:]])
    matrix = np.array(matrix, dtype=np.float64)
    matrix[:-1] *= lengths[:, None]
    return matrix


@cache
def _mm(unit: str) -> float:
    """Length of a unit in mm; pixels, and what is no length, count as they are."""
    import pint

    try:
        registry = pint.get_application_registry()
        return float(registry.Quantity(1, unit).to("mm").magnitude)
    except (pint.errors.PintError, ValueError, AttributeError):
        return 1.0
