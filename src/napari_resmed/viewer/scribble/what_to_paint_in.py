"""The Labels layer that strokes are painted in: a new one, or one that lies on the image's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from napari.layers import Image, Labels

from napari_resmed.labels import Label, LabelSet, default_colour
from napari_resmed.viewer.label_look import label_names
from napari_resmed.viewer.layers import KEY, is_result
from napari_resmed.viewer.parts.grids import on_one_grid, spatial_shape
from napari_resmed.viewer.parts.image_choice import labels_of
from napari_resmed.viewer.parts.label_meanings import labels_in
from napari_resmed.viewer.parts.over_image import empty_labels

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["FIRST_CLASSES", "classes_of", "new_strokes", "trouble_with", "where_to_paint"]

FIRST_CLASSES = LabelSet((Label(1, "background", default_colour(1)), Label(2, "structure", default_colour(2))))
# napari's own brush, and the share of a slice that is too large for one.
BRUSH, BRUSH_SHARE = 10, 40


def where_to_paint(viewer: ViewerModel, image: Any) -> list[Labels]:
    """The Labels layers on an image's grid that no model made."""
    if image is None:
        return []
    return [
        layer
        for layer in labels_of(viewer)
        if not is_result(layer) and not layer.multiscale and layer.ndim <= 3 and on_one_grid(layer, image)
    ]


def new_strokes(image: Image, labels: LabelSet) -> Labels:
    """An empty layer over an image, with classes and a brush that fits."""
    layer = empty_labels(image, f"{image.name} strokes", labels)
    layer.features = label_names(labels)
    layer.brush_size = max(1, min(BRUSH, min(spatial_shape(image)[-2:]) // BRUSH_SHARE))
    return layer


def classes_of(layer: Labels) -> LabelSet:
    """The classes that are named in a layer."""
    if "index" not in layer.features or "structure" not in layer.features:
        return LabelSet()
    return LabelSet(labels_in(layer, sorted({int(value) for value in layer.features["index"] if not pd.isna(value)})))


def trouble_with(image: Any) -> str:
    """Why an image cannot be scribbled on, in one sentence; empty where it can."""
    if image is None:
        return "Open an image first: drop a file or a DICOM folder on the window."
    axes = (image.metadata.get(KEY) or {}).get("axes", "")
    if image.ndim < 4 or (image.ndim == 4 and axes.endswith("czyx")):
        return ""
    return (
        f"{image.name} has a time axis: choose Split Stack in its menu in the layer list, and one of its time points."
    )
