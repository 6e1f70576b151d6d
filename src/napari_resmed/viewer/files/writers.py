"""Layers saved from napari's File menu, with their place in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import show_warning

from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.io.files import ENDINGS, FILE_ENDINGS
from napari_resmed.io.provenance import renew_provenance, write_provenance
from napari_resmed.labels import LabelMap, smallest_integer_type
from napari_resmed.viewer.files.drawn_over import drawn_over
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, layer_to_volume
from napari_resmed.viewer.parts.grids import nothing
from napari_resmed.viewer.parts.shown_volume import Origin

__all__ = ["write_dicom_segmentation", "write_dicom_series", "write_image", "write_labels", "write_segments"]

Attributes = dict[str, Any]
# Endings that a person may ask for and that we do not write: what they name would be another format than they say.
_OTHERS = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".svg", ".pdf", ".npy", ".npz", ".zarr", ".h5"),
    *(".hdf5", ".mat", ".mnc", ".vtk", ".vti", ".stl", ".obj", ".csv", ".txt", ".json", ".xml", ".zip", ".gz"),
)


def write_image(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write an Image layer; the file's ending chooses the format."""
    target = _ending_in(path, FILE_ENDINGS)
    write(layer_to_volume(data, attributes), target)
    return [str(target)]


def write_dicom_series(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write an Image layer as a DICOM series in a new folder."""
    target = Path(path)
    if target.suffix:
        # The name of a layer may hold a point; only what looks like another format is a mistake.
        if target.name.lower().endswith((*ENDINGS, *_OTHERS)):
            raise InputError(f"found the ending {target.suffix!r}, expected a folder's name: a series is many files")
        target = target.with_name(target.name.replace(".", "_"))
    write(layer_to_volume(data, attributes), target)
    return [str(target)]


def write_labels(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write a Labels layer, and beside it the note that says how it was made.

    Labels drawn by hand over an image of ours get that image's geometry.
    """
    return _write(_ending_in(path, FILE_ENDINGS), data, attributes)


def write_segments(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write a Labels layer as 3D Slicer's segmentation."""
    return _write(_ending_in(path, (".seg.nrrd",)), data, attributes)


def write_dicom_segmentation(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write a Labels layer as a DICOM segmentation of the DICOM series of this window on whose grid it lies."""
    from napari_resmed.io.dicom.objects import write_segmentation

    target = _ending_in(path, (".dcm",))
    labels = _label_map(data, attributes)
    for layer in _layers():
        origin = (layer.metadata.get(KEY) or {}).get("origin")
        series = origin.series if isinstance(origin, Origin) else None
        if series is not None and series.kind == "image" and _lies_on(labels, layer):
            write_segmentation(labels, target, _whole(series))
            renew_provenance(target)
            return [str(target)]
    raise InputError(
        f"cannot write {target.name}: a DICOM segmentation is written over the DICOM series that was segmented, and "
        "none of this window has the grid of the labels; open the series, or choose .nii.gz or .seg.nrrd"
    )


def _write(target: Path, data: Any, attributes: Attributes) -> list[str]:
    labels = _label_map(data, attributes)
    write(labels, target)
    if labels.meta.get("made_by") or len(labels.labels):
        write_provenance(target, labels)
    return [str(target)]


def _label_map(data: Any, attributes: Attributes) -> LabelMap:
    """The labels in their place, in the smallest type that holds them, never a narrower one (no wrapping)."""
    drawn = drawn_over(data, attributes, _layers())
    if drawn.note:
        show_warning(drawn.note)
    labels = layer_to_volume(data, drawn.attributes, labels=True)
    if not isinstance(labels, LabelMap):
        raise InputError("found an image, expected labels")
    return labels.with_data(labels.data.astype(smallest_integer_type(int(labels.data.max()))))


def _layers() -> Sequence[Any]:
    viewer = napari.current_viewer()
    return [] if viewer is None else list(viewer.layers)


def _lies_on(labels: LabelMap, layer: Any) -> bool:
    """Whether labels have the grid of a layer in the patient."""
    data = layer.data[0] if layer.multiscale else layer.data
    image = layer_to_volume(nothing(tuple(np.shape(data))), attributes_of(layer))
    return labels.grid_shape == image.grid_shape and bool(
        labels.same_grid(image.with_data(nothing(labels.shape), labels.axes))
    )


def _whole(series: Any) -> Any:
    """The series with all its images again: a layer keeps but one of them."""
    from napari_resmed.io.dicom import find_series

    for found in find_series(list(series.files)):
        if found.id == series.id or len(found.files) == len(series.files):
            return found
    raise InputError("the files of the series are not there any more; open it again")


def _ending_in(path: str, endings: tuple[str, ...]) -> Path:
    """The path with the first of these endings, unless it has one of them: a layer's name may hold a point.

    Raises
    ------
    InputError
        If it has the ending of another format.
    """
    target = Path(path)
    name = target.name.lower()
    if name.endswith(endings):
        return target
    if name.endswith((*ENDINGS, *_OTHERS)):
        raise InputError(
            f"cannot write {target.name}: found the ending {target.suffix!r}, expected {', '.join(endings)}"
        )
    return target.with_name(target.name + endings[0])
