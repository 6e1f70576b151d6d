"""Which labels were painted over which images, and a case for training made from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelMap, LabelSet, smallest_integer_type
from napari_resmed.viewer.layer_place import last_three
from napari_resmed.viewer.layers import KEY, layer_to_volume
from napari_resmed.viewer.parts.grids import spatial_shape
from napari_resmed.volume import Volume

__all__ = [
    "Pair",
    "case_of",
    "channels_of",
    "is_flat",
]


@dataclass(frozen=True, eq=False)
class Pair:
    """A Labels layer and the image layers it was painted over, one a channel.

    Parameters
    ----------
    labels, images:
        The layers.
    patient:
        Whose images they are, as a person typed it; empty: unknown, and no other's; None: as their files say it.
    only_painted:
        Whether what is not painted is unknown rather than background.
    unsought:
        Values of structures that nobody looked for here; they count where they are not painted.
    """

    labels: Labels
    images: tuple[Image, ...]
    patient: str | None = None
    only_painted: bool = False
    unsought: frozenset[int] = frozenset()


def is_flat(layer: Any) -> bool:
    """Whether it is a single slice."""
    shape = spatial_shape(layer)
    return len(shape) < 3 or min(shape) == 1


def channels_of(image: Any) -> int:
    """How many channels an image layer has."""
    if getattr(image, "rgb", False):
        return int(image.data.shape[-1])
    axes = image.metadata.get(KEY, {}).get("axes", "")
    return int(image.data.shape[-4]) if axes.endswith("czyx") and image.ndim >= 4 else 1


def case_of(
    name: str,
    images: Sequence[tuple[Any, Mapping[str, Any]]],
    labels: Any,
    label_set: LabelSet,
    *,
    only_painted: bool,
    complete_slices: Sequence[tuple[int, int]],
    group: str = "",
    annotated: Sequence[int] | None = None,
) -> dict[str, Any]:
    """A case as :func:`napari_resmed.jobs.train.train` takes it; meant for a thread beside the window's.

    Labels lie where their image lies: napari's own new layers are shown on its grid and know nothing of the file's.

    Parameters
    ----------
    name:
        Of the case.
    images:
        Data and :func:`attributes_of` of each image layer.
    labels:
        Whole numbers on the images' grid, in the window's order of axes.
    label_set:
        What they mean.
    only_painted, complete_slices:
        As in :class:`napari_resmed.case.Case`, the slices in the file's own order of axes.
    group:
        The patient; empty where nobody says.
    annotated:
        Values that were looked for; None: all.

    Raises
    ------
    InputError
        If a layer can be no medical image.
    """
    data, place = images[0]
    volumes = [layer_to_volume(data, place)]
    for other, attributes in images[1:]:
        volume = layer_to_volume(other, attributes)
        if not volume.same_grid(volumes[0]) and np.ndim(other) == 3:
            volume = replace(layer_to_volume(other, last_three(place)), modality=volume.modality, name=volume.name)
        volumes.append(volume)
    array = np.asarray(labels[0] if isinstance(labels, list | tuple) else labels)
    if array.ndim > 3 and array.shape[:-3] == (1,) * (array.ndim - 3):
        array = array.reshape(array.shape[-3:])
    if array.ndim != 3:
        raise InputError(f"the labels have {array.ndim} dimensions, expected 3")
    if array.dtype.itemsize > 2 and array.size and array.min() >= 0:
        array = array.astype(smallest_integer_type(int(array.max())))  # napari's labels may be wide
    placed = layer_to_volume(array, {**last_three(place), "rgb": False}, labels=True)
    return {
        "name": name,
        "images": [_plain(volume) for volume in volumes],
        "labels": LabelMap(placed.data, placed.affine, "zyx", name=name, labels=label_set),
        "only_painted": only_painted,
        "complete_slices": [list(place) for place in complete_slices],
        "group": group,
        "annotated": None if annotated is None else list(annotated),
    }


def _plain(volume: Volume) -> Volume:
    """Without what the file said, which training has no use for."""
    return replace(volume, meta={})
