"""Labels that were drawn over an image by hand get the image's place in the patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, TILT_WORTH_A_NOTE_DEGREES, is_in_place, layer_to_volume
from napari_resmed.viewer.parts.grids import nothing, place_of, spatial_shape

__all__ = ["Drawn", "drawn_over"]

# What the file said of its image that is not true of labels on it.
_OF_THE_IMAGE = (
    "made_by",
    "warnings",
    "colour",
    "photometric",
    "window_centre",
    "window_width",
    "units",
    "description",
)


@dataclass(frozen=True)
class Drawn:
    """A Labels layer's attributes with the place it has in the patient, and what should be said of that."""

    attributes: Mapping[str, Any]
    note: str = ""


def drawn_over(data: Any, attributes: Mapping[str, Any], layers: Sequence[Any]) -> Drawn:
    """Find the image that labels lie on, and take its place in the patient for theirs.

    Parameters
    ----------
    data, attributes:
        Of the Labels layer, as napari hands them to writers.
    layers:
        Of the window.

    Returns
    -------
    Drawn
        With the image's own order of axes and affine. Labels that were read from a file, or lie on none of our
        images, keep what they have.

    Raises
    ------
    InputError
        If their place in the patient is not known: they lie on no image's grid while an image of the window is
        shown along its own oblique axes, or on that of several images which lie differently in the patient.
    """
    if "order" in _ours(attributes):
        return Drawn(attributes)
    images = [layer for layer in layers if isinstance(layer, Image) and "order" in layer.metadata.get(KEY, {})]
    if not images:
        return Drawn(attributes)
    here = _place(data, attributes)
    name = str(attributes.get("name") or "The labels")
    under = [image for image in images if here is not None and _same(here, image)]
    if not under:
        return _on_its_own(name, attributes, images)
    if any(not _true(image).same_grid(_true(under[0])) for image in under[1:]):
        named = [image for image in under if name.startswith(image.name)]
        if len(named) != 1:
            names = " and ".join(image.name for image in under[:2])
            raise InputError(
                f"{name} lies on the grid of {names}, which lie differently in the patient; close the other image, "
                "or give the labels a name that begins with the image's"
            )
        under = named
    return Drawn(_borrowed(np.ndim(data), attributes, under[0]))


def _ours(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    return (attributes.get("metadata") or {}).get(KEY) or {}


def _place(data: Any, attributes: Mapping[str, Any]) -> Any:
    """Where the labels are shown, as a volume without voxels; None for what is no medical image."""
    return place_of(_Stand(data, attributes))


class _Stand:
    """Data and attributes that a writer is handed, looked at like a layer."""

    multiscale = False
    rgb = False

    def __init__(self, data: Any, attributes: Mapping[str, Any]) -> None:
        self.data = data[0] if isinstance(data, list | tuple) else data
        ndim = np.ndim(self.data)
        self.name = attributes.get("name", "")
        self.scale = tuple(attributes.get("scale", (1.0,) * ndim))
        self.translate = tuple(attributes.get("translate", (0.0,) * ndim))
        self.rotate = attributes.get("rotate", np.eye(ndim))
        self.shear = attributes.get("shear")
        self.affine = _Matrix(attributes.get("affine"), ndim)
        self.units = tuple(attributes.get("units") or ("pixel",) * ndim)
        self.metadata: dict[str, Any] = {}


class _Matrix:
    """An affine as a layer has it."""

    def __init__(self, affine: Any, ndim: int) -> None:
        matrix = getattr(affine, "affine_matrix", affine)
        self.affine_matrix = np.eye(ndim + 1) if matrix is None else np.asarray(matrix)


def _same(here: Any, image: Any) -> bool:
    there = place_of(image)
    return there is not None and bool(here.same_grid(there))


def _true(image: Any) -> Any:
    """The image's grid in the patient, in its file's order of axes."""
    shape = spatial_shape(image)
    attributes = attributes_of(image)
    lead = len(attributes["scale"]) - 3
    return layer_to_volume(
        nothing((*(1,) * lead, *shape)), {**attributes, "rgb": False, "metadata": _without_colour(image)}
    )


def _without_colour(image: Any) -> dict[str, Any]:
    ours = dict(image.metadata[KEY])
    if getattr(image, "rgb", False):
        ours["axes"] = ours["axes"].replace("c", "")
    return {KEY: ours}


def _on_its_own(name: str, attributes: Mapping[str, Any], images: Sequence[Any]) -> Drawn:
    """Labels on no image's grid: napari's world is the patient as long as nothing in it is oblique or was moved."""
    for image in images:
        tilt = geometry.tilt_degrees(geometry.snap(np.array(image.metadata[KEY]["affine"])))
        shape = image.data[0].shape if image.multiscale else image.data.shape
        if tilt >= TILT_WORTH_A_NOTE_DEGREES or not is_in_place(attributes_of(image), shape):
            why = "is shown along its own oblique axes" if tilt >= TILT_WORTH_A_NOTE_DEGREES else "was moved or cropped"
            raise InputError(
                f"{name} does not lie on the grid of any image, and {image.name} {why}, so its place in the patient "
                "is not known; resample it onto an image (Train dock), or draw on labels made over that image alone"
            )
    return Drawn(
        attributes,
        f"{name} does not lie on the grid of any image of this window: it is saved on its own grid.",
    )


def _borrowed(ndim: int, attributes: Mapping[str, Any], image: Any) -> dict[str, Any]:
    """The labels' attributes with the order of axes and the affine of an image that lies exactly under them."""
    theirs = _without_colour(image)[KEY]
    kept = {key: value for key, value in theirs.items() if key in ("affine", "order", "shown", "modality")}
    kept["axes"] = theirs["axes"][-ndim:]
    kept["meta"] = {key: value for key, value in theirs.get("meta", {}).items() if key not in _OF_THE_IMAGE}
    place = attributes_of(image)
    metadata = {**(attributes.get("metadata") or {}), KEY: {**_ours(attributes), **kept}}
    return {**attributes, "metadata": metadata, "units": tuple(place["units"])[-ndim:]}
