"""Labels layers that lie exactly over an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_resmed.labels import Label
from napari_resmed.viewer.label_look import label_colours
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.parts.grids import spatial_shape

__all__ = ["COLOURS", "attributes_on", "empty_labels"]

# Values that have colours of their own; nobody paints more by hand.
COLOURS = 60


def empty_labels(image: Image, name: str = "", labels: Iterable[Label] = ()) -> Labels:
    """An empty Labels layer over an image; called after it, and with colours for what ``labels`` says."""
    place = attributes_on(attributes_of(image), name or f"{image.name} labels")
    return Labels(np.zeros(spatial_shape(image), np.uint8), colormap=label_colours(labels, COLOURS), **place)


def attributes_on(image: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What napari needs to show labels exactly over an image layer; ``image`` as ``attributes_of`` gives it."""
    ndim = len(image["scale"])
    return {
        "name": name,
        "scale": tuple(image["scale"])[-3:],
        "translate": tuple(image["translate"])[-3:],
        "rotate": np.asarray(image["rotate"])[-3:, -3:],
        "shear": image["shear"] if ndim <= 3 else None,
        "affine": np.asarray(image["affine"])[-4:, -4:],
        "units": tuple(image["units"])[-3:],
    }
