"""A Labels layer and the image below it, as the volumes that are measured together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.viewer.layer_place import attributes_of, last_three
from napari_resmed.viewer.layers import layer_to_volume
from napari_resmed.viewer.parts.grids import on_one_grid, spatial_shape

__all__ = ["to_measure"]


def to_measure(labels: Any, image: Any | None) -> Callable[[], Mapping[str, Any]]:
    """The parameters of the job ``measure``, as a function that is called off the window's thread.

    Labels that were drawn over an image are measured where the image truly lies: napari shows an oblique image along
    its own axes, and what is drawn over it knows no more than that.

    Raises
    ------
    InputError
        If the two do not lie on each other in the window, or are no 3D image.
    """
    data, own = labels.data, {**attributes_of(labels), "features": labels.features.copy()}
    if len(spatial_shape(labels)) != labels.ndim or labels.ndim > 3:
        raise InputError(f"{labels.name} has {labels.ndim} dimensions, expected labels in 2D or 3D")
    if image is None:
        return lambda: {"labels": layer_to_volume(data, own, labels=True), "image": None}
    if getattr(image, "rgb", False) or image.ndim != labels.ndim:
        raise InputError(
            f"{image.name} is in colour or has another number of dimensions than {labels.name}; choose an image with "
            "one value a voxel, or none"
        )
    if not on_one_grid(labels, image):
        raise InputError(
            f"{image.name} does not lie on the grid of {labels.name}; choose the image that it was made on, or none"
        )
    below, place = image.data, last_three(attributes_of(image))
    names = {"name": own["name"], "features": own["features"], "metadata": _with_labels(place["metadata"], own)}
    return lambda: {
        "labels": layer_to_volume(data, {**place, **names}, labels=True),
        "image": layer_to_volume(below, place),
    }


def _with_labels(metadata: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The image's place, with what the labels' own layer says of their names."""
    place = dict(metadata.get("resmed") or {})
    known = (own["metadata"].get("resmed") or {}).get("labels")
    if known:
        place["labels"] = known
    return {"resmed": place} if place else {}
