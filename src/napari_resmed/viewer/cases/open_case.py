"""The case that is open: read from its project, shown as layers, written back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.io.project import Project, Written, read_images, read_label_set, read_labels, write_labels
from napari_resmed.labels import LabelMap, LabelSet, smallest_integer_type
from napari_resmed.viewer.label_look import label_look
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import LayerData, layer_to_volume, tilt_note, volume_to_layer
from napari_resmed.viewer.parts.complete_slices import MARKS, complete_slices, in_own_axes, in_the_window
from napari_resmed.viewer.parts.paint_watch import PaintWatch
from napari_resmed.volume import Volume

__all__ = ["LoadedCase", "OpenCase", "load_case", "project_look", "save_case"]

# Labels beyond those that have a name get colours too, so that a new one can be painted before it is named.
COLOURS_AHEAD = 12


@dataclass(frozen=True, eq=False)
class LoadedCase:
    """A case ready to be shown: all that takes time is done.

    Parameters
    ----------
    name:
        Of the case.
    images, labels:
        For napari; labels are empty where there were none.
    token, digest:
        What its label file held, and what the layer holds.
    grid:
        The first image, for its place; its voxels are not kept.
    middle_mm:
        Where to look first along napari's first axis.
    complete_slices:
        ``(axis, index)`` of the slices that are marked as complete, in the window's order of axes.
    notes:
        What a person should know, a sentence each.
    """

    name: str
    images: tuple[LayerData, ...]
    labels: LayerData
    token: str
    digest: str
    grid: Volume
    middle_mm: float
    complete_slices: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class OpenCase:
    """The case that is open; the token changes whenever it is written.

    Only the thread that writes reads and changes ``token``, ``digest`` and ``written_slices``, which say what was
    written last.
    """

    project: Project
    name: str
    token: str
    digest: str
    grid: Volume
    images: list[Any]
    labels: Any
    written_slices: tuple[tuple[int, int], ...] = ()
    touched: bool = False  # since it was opened: a stroke, or its undoing, may have changed something
    unsaved: bool = False  # since it was last handed over for writing
    told_of_conflict: bool = False
    watch: PaintWatch | None = None
    on_marked: Callable[..., None] | None = None

    @property
    def layers(self) -> list[Any]:
        """Its layers, images first."""
        return [*self.images, self.labels]

    def snapshot(self) -> tuple[NDArray[Any], dict[str, Any], tuple[tuple[int, int], ...]]:
        """What the labels layer holds now, and its complete slices; a copy, since painting goes on meanwhile."""
        return np.array(self.labels.data), attributes_of(self.labels), tuple(complete_slices(self.labels))


def load_case(project: Project, name: str) -> LoadedCase:
    """Read a case and make ready what its layers need; for a thread beside the window's.

    Raises
    ------
    InputError
        If it cannot be read, or its labels do not lie on its image.
    """
    images = read_images(project, name)
    labels, token = read_labels(project, name)
    named = read_label_set(project)
    first = images[0]
    if labels is None:
        values = np.zeros(first.grid_shape, smallest_integer_type(max(named.values, default=1)))
        labels = LabelMap(values, first.affine, "zyx", first.modality, name, _header(first), named)
    elif not labels.same_grid(first):
        raise InputError(
            f"the labels of {name} ({_size(labels)} voxels) do not lie on its image ({_size(first)}); put right or "
            f"remove {name} in the project's labels"
        )
    labels = replace(labels, name=f"{name} labels", labels=named.completed(labels.labels.values))
    data, attributes, kind = volume_to_layer(labels)
    attributes |= {**project_look(labels.labels), "opacity": 0.5}
    slices = tuple(sorted(in_the_window(labels.meta.get("complete_slices", ()), attributes)))
    attributes["metadata"][MARKS] = slices
    shown = [volume_to_layer(image) for image in images]
    for _, look, _ in shown[1:]:
        look["visible"] = False  # one channel at a time; the eye in the layer list shows the others
    row = _middle(data)
    notes = [f"{name}: {note}" for image in images for note in image.meta.get("warnings", ())]
    return LoadedCase(
        name,
        tuple(shown),
        (data, attributes, kind),
        token,
        _digest(data),
        first.with_data(np.broadcast_to(np.uint8(0), first.shape)),
        attributes["translate"][0] + row * attributes["scale"][0],
        slices,
        (*notes, *((tilt_note(first),) if tilt_note(first) else ())),
    )


def save_case(
    case: OpenCase, data: NDArray[Any], attributes: Mapping[str, Any], slices: tuple[tuple[int, int], ...]
) -> Written | None:
    """Write what a snapshot holds, if it is not what was written last; for a thread beside the window's.

    Raises
    ------
    InputError
        If the layer was moved or resized so that it lies on its image no more.
    WorkError
        If it cannot be written; what was there stays.
    """
    digest = _digest(data)
    if digest == case.digest and slices == case.written_slices:
        return None
    labels = layer_to_volume(data, attributes, labels=True)
    if not isinstance(labels, LabelMap) or not labels.same_grid(case.grid):
        raise InputError(
            f"the labels of {case.name} do not lie on its image any more, so they were not saved; put the layer back "
            "where it was, or save it with File › Save selected layers"
        )
    own = [list(place) for place in in_own_axes(slices, attributes, data.shape)]
    labels = replace(labels, meta={**labels.meta, "complete_slices": own})
    written = write_labels(case.project, case.name, labels, case.token)
    case.digest, case.written_slices = digest, slices
    if written.conflict is None:
        case.token = written.token
    return written


def project_look(labels: LabelSet) -> dict[str, Any]:
    """Colours and names of a project's labels, and colours for some more that may be painted before they are named."""
    return label_look(labels, up_to=max(labels.values, default=0) + COLOURS_AHEAD)


def _middle(data: NDArray[Any]) -> int:
    """The slice with the most labels, or the middle one."""
    per_slice = np.count_nonzero(data, axis=(1, 2))
    return int(per_slice.argmax()) if per_slice.any() else data.shape[0] // 2


def _digest(data: NDArray[Any]) -> str:
    """What tells one content of an array from another; undoing a stroke brings the old one back."""
    return hashlib.blake2b(np.ascontiguousarray(data).data, digest_size=16).hexdigest()


def _header(image: Volume) -> dict[str, Any]:
    """What a NIfTI header says of its coordinate system; labels share it."""
    return {key: image.meta[key] for key in ("qform_code", "sform_code") if key in image.meta}


def _size(volume: Volume) -> str:
    return "×".join(str(size) for size in volume.grid_shape)
