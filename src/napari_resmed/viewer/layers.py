"""Volumes to napari layers and back, exactly.

napari cannot slice rotated or permuted data, so what it gets is permuted and flipped until its axes run towards
Superior, Posterior and Left, never resampled. The true affine travels in the layer's metadata, and everything that
is computed from the layer or written out has it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.viewer.contrast import contrast_limits
from napari_resmed.viewer.label_look import label_look, names_of
from napari_resmed.viewer.layer_place import spatial, world_matrix
from napari_resmed.volume import Volume

__all__ = [
    "KEY",
    "LayerData",
    "is_in_place",
    "is_result",
    "layer_to_volume",
    "result_to_layer",
    "tilt_note",
    "volume_to_layer",
]

KEY = "resmed"
LayerData = tuple[NDArray[Any], dict[str, Any], str]

# Angles below this are a scanner's alignment noise; a note about them would only distract.
TILT_WORTH_A_NOTE_DEGREES = 0.5
# A layer moved by less than this, at its far corner, still lies where the file put it.
MOVED_MM = 1e-4
# napari's world is (z, y, x), the patient's (x, y, z); its own inverse.
_SWAP = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])


def volume_to_layer(volume: Volume) -> LayerData:
    """What napari needs to show a volume.

    Parameters
    ----------
    volume:
        Any axes; a :class:`LabelMap` becomes a Labels layer.

    Returns
    -------
    data, attributes, kind
        As napari's readers return it. Axes in the layer: time, channel, then z towards Superior, y towards
        Posterior, x towards Left; scale and translate in mm, LPS. Colour images are ``rgb``, red, green and blue last.
    """
    affine = geometry.snap(volume.affine)
    order = geometry.canonical_order(affine)
    shown = order.apply_to_affine(affine, volume.shape)
    scale = geometry.spacing(shown)
    # Along its own axes the middle of the volume is put where it truly is; for an aligned volume that is its
    # true place throughout.
    middle = (np.array(order.apply(volume.data).shape[-3:]) - 1) / 2
    centre = shown[:3, :3] @ middle + shown[:3, 3]
    translate = centre[::-1] - middle * scale
    # napari takes colour last, and counts no axis for it.
    colour = _is_colour(volume)
    axes = volume.axes.replace("c", "") if colour else volume.axes
    lead = len(axes) - 3
    attributes: dict[str, Any] = {
        "name": volume.name or "image",
        "scale": (1.0,) * lead + scale,
        "translate": (0.0,) * lead + tuple(float(value) for value in translate),
        "units": ("pixel",) * lead + ("mm",) * 3,
        "axis_labels": tuple(axes),
        "metadata": {
            KEY: {
                "affine": volume.affine.tolist(),
                "axes": volume.axes,
                "order": {"axes": list(order.axes), "flipped": list(order.flipped)},
                "shown": {
                    "shape": list(order.apply(volume.data).shape[-3:]),
                    "scale": list(scale),
                    "translate": [float(value) for value in translate],
                },
                "modality": volume.modality,
                "name": volume.name,
                "meta": dict(volume.meta),
            }
        },
    }
    data = order.apply(volume.data)
    if isinstance(volume, LabelMap):
        # napari paints into the array it is given: it must be writable and belong to the layer alone.
        data = np.array(data, order="C")
        attributes |= label_look(volume.labels)
        attributes["metadata"][KEY]["labels"] = volume.labels.to_json()
        return data, attributes, "labels"
    # Said plainly: napari takes a last axis of 3 or 4 for colour, and a thin sagittal series has one.
    attributes["rgb"] = colour
    if colour:
        return np.moveaxis(data, -4, -1), attributes, "image"
    attributes |= {"contrast_limits": contrast_limits(data, volume.meta), "colormap": _grey(volume)}
    return data, attributes, "image"


def _grey(volume: Volume) -> str:
    """Napari's colormap: the other way round where the file says that low values are bright."""
    return "gray_r" if volume.meta.get("photometric") == "MONOCHROME1" else "gray"


def _is_colour(volume: Volume) -> bool:
    """Whether the channels are red, green, blue (and opacity) of one picture, and not images of their own."""
    said = str(volume.meta.get("colour") or volume.meta.get("photometric") or "")
    return (
        "c" in volume.axes
        and volume.channels in (3, 4)
        and volume.data.dtype.kind == "u"  # of floats napari would expect 0..1
        and bool(said)
        and not said.startswith("MONOCHROME")
    )


def tilt_note(volume: Volume) -> str:
    """What to tell a person about an oblique volume; empty for an aligned one."""
    degrees = geometry.tilt_degrees(geometry.snap(volume.affine))
    if degrees < TILT_WORTH_A_NOTE_DEGREES:
        return ""
    return (
        f"{volume.name or 'The image'} is oblique by {degrees:.0f}°: it is shown along its own axes, and saved "
        "with its true geometry."
    )


def is_result(layer: Any) -> bool:
    """Whether a model made this layer."""
    return bool(layer.metadata.get(KEY, {}).get("meta", {}).get("made_by"))


def layer_to_volume(data: Any, attributes: Mapping[str, Any], *, labels: bool = False) -> Volume:
    """The volume that a layer shows, in the geometry it was read with.

    Parameters
    ----------
    data:
        The layer's data; of a multiscale layer the finest level is taken, lazy arrays are computed.
    attributes:
        As napari hands them to writers, or :func:`attributes_of`.
    labels:
        Give a :class:`LabelMap`.

    Returns
    -------
    Volume
        Read by us and untouched since: with the file's own axis order and affine. Read by us and then cropped or
        moved: in the order it is shown, its true affine moved along. Otherwise from the layer's own place in
        napari, its world axes taken for Superior, Posterior, Left in its units (pixels as mm).

    Raises
    ------
    InputError
        If the layer's dimensions cannot be a medical image.
    """
    if isinstance(data, list | tuple) or type(data).__name__ == "MultiScaleData":
        data = data[0]
    array = np.asarray(data)
    ours = (attributes.get("metadata") or {}).get(KEY) or {}
    shape = array.shape
    if attributes.get("rgb"):
        array = np.moveaxis(array, -1, max(-4, -array.ndim))
    if "order" in ours and 3 <= array.ndim <= len(ours["axes"]):
        common = _ours(array, shape, attributes, ours)
    else:
        common = _foreign(array, attributes)
    meta = dict(ours.get("meta", {}))
    if attributes.get("rgb"):
        meta.setdefault("colour", "RGBA" if shape[-1] == 4 else "RGB")  # as files say it
    common |= {
        "modality": ours.get("modality", ""),
        "name": str(attributes.get("name") or ours.get("name", "")),
        "meta": meta,
    }
    if labels:
        return LabelMap(
            **common, labels=names_of(LabelSet.from_json(ours.get("labels", ())), attributes.get("features"))
        )
    return Volume(**common)


def result_to_layer(result: Volume, source: Mapping[str, Any], shape: tuple[int, ...]) -> LayerData:
    """What napari needs to show a result exactly over the layer it was made from.

    Parameters
    ----------
    result:
        On the grid that :func:`layer_to_volume` gave for the source.
    source, shape:
        The source layer's attributes, and the size of its data.
    """
    data, attributes, kind = volume_to_layer(result)
    if is_in_place(source, shape):
        return data, attributes, kind
    # Shown the way its source is shown, however that was turned; its own metadata would claim another place.
    data = np.array(result.data, order="C")
    if len(source["scale"]) == 2:
        data = data.reshape(data.shape[-2:])  # a picture has no axis of slices in the window
    ndim = data.ndim
    for name in ("scale", "translate", "units"):
        attributes[name] = tuple(source[name])[-ndim:]
    attributes |= {
        "rotate": np.asarray(source["rotate"])[-ndim:, -ndim:],
        "shear": source["shear"] if len(source["scale"]) == ndim else None,
        "affine": np.asarray(source["affine"])[-ndim - 1 :, -ndim - 1 :],
        "axis_labels": tuple("tzyx"[-ndim:]),
    }
    facts = attributes["metadata"][KEY]
    attributes["metadata"] = {
        KEY: {name: facts[name] for name in ("modality", "name", "meta", "labels") if name in facts}
    }
    return data, attributes, kind


def is_in_place(attributes: Mapping[str, Any], shape: tuple[int, ...]) -> bool:
    """Whether a layer was read by us and is neither cropped nor moved since."""
    ours = (attributes.get("metadata") or {}).get(KEY) or {}
    shape = _without_colour(shape, attributes)
    if "order" not in ours or list(shape[-3:]) != list(ours["shown"]["shape"]):
        return False
    away = np.abs(spatial(world_matrix(len(shape), attributes)) - _shown(ours))
    # A step along an axis adds up over its length; the last column counts once.
    return bool((away[:3] @ np.array([*shape[-3:], 1.0])).max() < MOVED_MM)


def _ours(
    array: NDArray[Any], shape: tuple[int, ...], attributes: Mapping[str, Any], ours: Mapping[str, Any]
) -> dict[str, Any]:
    """The parts of a volume for a layer of our readers'; ``shape`` is that of the layer, colour last."""
    order = AxisOrder(tuple(ours["order"]["axes"]), tuple(ours["order"]["flipped"]))
    true = np.array(ours["affine"])
    axes = ours["axes"][-array.ndim :]
    if is_in_place(attributes, shape):
        return {"data": order.undo(array), "affine": true, "axes": axes}
    # Where the voxels truly lie in the order they are shown, moved as the layer was moved in napari's world; that
    # world is (z, y, x), the patient (x, y, z). Cropping is no move: the voxels that are left stay where they are.
    full = tuple(int(ours["shown"]["shape"][place]) for place in np.argsort(order.axes))
    laid = order.apply_to_affine(true, full)
    now = spatial(world_matrix(len(_without_colour(shape, attributes)), attributes))
    cut = np.linalg.inv(_shown(ours)) @ now
    if _lies_inside(cut, _without_colour(shape, attributes)[-3:], tuple(ours["shown"]["shape"])):
        return {"data": array, "affine": laid @ cut, "axes": axes}
    moved = now @ np.linalg.inv(_shown(ours))
    return {"data": array, "affine": _SWAP @ moved @ _SWAP @ laid, "axes": axes}


def _lies_inside(cut: NDArray[np.float64], shape: tuple[int, ...], full: tuple[int, ...]) -> bool:
    """Whether indices are a part of the former grid's, perhaps thinned out: those of a layer that was cut.

    In the window an oblique image stands upright, so what was cut from it moves along other axes than the patient's.
    """
    along = np.diag(cut)[:3]
    if tuple(shape) == tuple(full) or np.abs(cut[:3, :3] - np.diag(along)).max() > 1e-6 or along.min() <= 0:
        return False
    first, last = cut[:3, 3], cut[:3, 3] + along * (np.array(shape) - 1)
    return bool((first > -0.5).all() and (last < np.array(full) - 0.5).all())


def _without_colour(shape: tuple[int, ...], attributes: Mapping[str, Any]) -> tuple[int, ...]:
    """The size of a layer's axes as napari counts them."""
    return shape[:-1] if attributes.get("rgb") else shape


def _shown(ours: Mapping[str, Any]) -> NDArray[np.float64]:
    """The 4x4 from index to napari's world that the layer was given."""
    matrix = np.diag([*ours["shown"]["scale"], 1.0])
    matrix[:3, 3] = ours["shown"]["translate"]
    return matrix


def _foreign(array: NDArray[Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a volume for a layer that did not come from our readers; colour before the last three axes."""
    channels = "c" if attributes.get("rgb") else ""
    ndim = array.ndim - len(channels)
    matrix = world_matrix(ndim, attributes)
    if ndim == 2:
        array = array[..., None, :, :]
        flat = np.eye(4)
        flat[1:, 1:] = matrix
        matrix, ndim = flat, 3
    if ndim not in (3, 4):
        raise InputError(f"the layer has {ndim} dimensions, expected a 2D, 3D or 4D (time first) image")
    return {"data": array, "affine": _SWAP @ spatial(matrix), "axes": f"{'t' * (ndim - 3)}{channels}zyx"}
