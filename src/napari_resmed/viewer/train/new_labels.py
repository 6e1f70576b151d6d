"""Labels layers that are made for a training: those on another grid, brought onto their image's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Labels

from napari_resmed.errors import ResMedError
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.parts.grids import place_of
from napari_resmed.viewer.parts.over_image import attributes_on
from napari_resmed.viewer.train.resample_labels import resample_labels

__all__ = ["resampled_labels"]


def resampled_labels(labels: Labels, image: Image) -> tuple[Callable[[], Any], dict[str, Any]] | None:
    """These labels on the grid of this image; None where one of them is no medical image.

    Returns
    -------
    work, attributes
        A function for a thread beside the window's, which gives the new voxels or says in a sentence why there are
        none; and how they are shown.
    """
    place, onto = place_of(labels), place_of(image)
    if place is None or onto is None:
        return None
    data = labels.data[0] if labels.multiscale else labels.data
    attributes = attributes_on(attributes_of(image), f"{labels.name} on {image.name}")
    attributes |= {"colormap": labels.colormap, "features": labels.features.copy(), "opacity": labels.opacity}

    def work() -> Any:
        try:
            return resample_labels(data, place, onto)
        except (ResMedError, MemoryError) as problem:
            return str(problem) or "out of memory"

    return work, attributes
