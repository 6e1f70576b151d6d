"""One case opened: its channels in one volume, its labels on the same grid in the same order of axes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.geometry import AxisOrder
from napari_resmed.io.files import read
from napari_resmed.io.kind import settle_kind
from napari_resmed.labels import LabelMap, smallest_integer_type
from napari_resmed.volume import Volume

__all__ = [
    "ChannelsError",
    "GridError",
    "grids_in_words",
    "load_case",
    "load_image",
    "load_labels",
    "on_grid",
    "open_labels",
    "open_volume",
]

# Programs that pass a grid on round its numbers: a corner that moved by less than this share of a voxel is the same
# place. Half a voxel would already be a visible shift.
SAME_GRID_VOXELS = 0.1
# Whole numbers that went through a header's scaling in single precision.
NEARLY_WHOLE = 1e-3

AnyVolume = TypeVar("AnyVolume", bound=Volume)


class GridError(InputError):
    """Two images of a case, or image and labels, do not lie on one grid; resampling is the way out."""


class ChannelsError(InputError):
    """The case has another number of channels, or time points."""


def load_case(case: Case, dataset: Dataset) -> tuple[Volume, LabelMap]:
    """Open a case.

    Parameters
    ----------
    case:
        Files, or values at hand.
    dataset:
        Says which channels there should be.

    Returns
    -------
    image
        Axes ``zyx`` where there is one channel, else ``czyx``; the first image's grid and order of axes.
    labels
        On the image's grid, voxel for voxel; never resampled. Where the case has complete slices,
        ``meta["complete_slices"]`` holds them as ``[axis, index]`` pairs in the order of *these* axes.

    Raises
    ------
    GridError
        If the images, or image and labels, do not lie on one grid.
    ChannelsError
        If the case has another number of channels than the data set.
    InputError
        If a file is missing or cannot be read, there are no labels, or they are no whole numbers of 0 or more.
    """
    image = load_image(case, dataset)
    return image, load_labels(case, image)


def load_image(case: Case, dataset: Dataset) -> Volume:
    """The images of a case in one volume; see :func:`load_case`."""
    wanted = len(dataset.channels)
    images = case.images if case.has_image else case.images * wanted
    volumes = [_as_channels(open_volume(image), wanted if len(images) == 1 else 1) for image in images]
    first = volumes[0]
    count = first.channels if len(volumes) == 1 else len(volumes)
    if count != wanted:
        raise ChannelsError(
            f"it has {count} channel{'s' * (count > 1)}, expected {wanted} ({', '.join(dataset.channels)})"
        )
    if len(volumes) == 1:
        return first
    placed = [first]
    for number, volume in enumerate(volumes[1:], 1):
        moved = on_grid(volume, first)
        if moved is None:
            raise GridError(
                f"its channels {dataset.channels[0]} and {dataset.channels[number]} lie on different grids "
                f"({grids_in_words(first, volume)}); resample one onto the other"
            )
        placed.append(moved[0])
    return first.with_data(np.stack([volume.data for volume in placed]), "czyx")


def load_labels(case: Case, image: Volume) -> LabelMap:
    """The labels of a case on the grid of its image; see :func:`load_case`."""
    labels = open_labels(case)
    moved = on_grid(labels, image)
    if moved is None:
        raise GridError(
            f"its labels lie on another grid than its image ({grids_in_words(image, labels)}); resample the labels "
            "onto the image, or take the labels that belong to it"
        )
    placed, order = moved
    if not case.complete_slices:
        return placed
    for axis, index in case.complete_slices:
        if not (0 <= axis < 3 and 0 <= index < labels.grid_shape[axis]):
            raise InputError(
                f"its slice {index} along axis {axis} is said to be complete, but its labels are "
                f"{_by(labels.grid_shape)} voxels; mark its complete slices anew"
            )
    slices = [list(order.apply_to_slice(axis, index, labels.grid_shape)) for axis, index in case.complete_slices]
    return replace(placed, meta={**placed.meta, "complete_slices": slices})


def open_volume(source: Path | Volume) -> Volume:
    """A file read, or the value at hand; label maps are taken for what they are as images.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.
    """
    volume = source if isinstance(source, Volume) else _read(source)
    if isinstance(volume, LabelMap):
        return Volume(volume.data, volume.affine, volume.axes, volume.modality, volume.name, volume.meta)
    return volume


def open_labels(case: Case) -> LabelMap:
    """The labels of a case on their own grid, whether or not they look like labels.

    Raises
    ------
    InputError
        If there are none, the file is missing or cannot be read, or it holds no whole numbers of 0 or more.
    """
    if case.labels is None:
        raise InputError("it has no labels; paint some, or leave it for prediction")
    if isinstance(case.labels, LabelMap):
        return case.labels
    path = case.labels
    volume = _read(path)
    if isinstance(volume, LabelMap):
        return volume
    if volume.channels == 1 and volume.frames == 1 and volume.axes != "zyx":
        volume = volume.with_data(volume.data.reshape(volume.grid_shape), "zyx")
    if volume.axes != "zyx":
        raise InputError(
            f"its label file {path.name} holds {volume.channels * volume.frames} layers, expected one; give every "
            "structure its own value in a single layer"
        )
    settled = settle_kind(replace(volume, data=_whole(volume.data, path)), path, says_labels=True)
    if not isinstance(settled, LabelMap):
        raise InputError(f"its label file {path.name} holds values such as {volume.data.min():g}, expected 0 or more")
    return settled


def _whole(data: NDArray[Any], path: Path) -> NDArray[Any]:
    """Whole numbers as such, though a format stored them as real ones."""
    if data.dtype.kind != "f":
        return data
    if not np.isfinite(data).all():
        raise InputError(f"its label file {path.name} holds NaN or infinity, expected whole numbers")
    whole: NDArray[Any] = np.rint(data)
    off = np.abs(data - whole)
    if off.max() > NEARLY_WHOLE:
        example = data.reshape(-1)[int(off.argmax())]
        raise InputError(f"its label file {path.name} holds values such as {example:.4g}, expected whole numbers")
    if whole.min() < 0:
        raise InputError(f"its label file {path.name} holds values such as {whole.min():g}, expected 0 or more")
    return np.asarray(whole, dtype=smallest_integer_type(int(whole.max())))


def _read(path: Path) -> Volume:
    if not path.exists():
        raise InputError(f"its file {path.name} is missing")
    try:
        return read(path)
    except OSError as problem:
        raise InputError(f"{path.name} cannot be read: {(problem.strerror or 'unknown reason').lower()}") from problem
    except MemoryError as problem:
        raise InputError(f"{path.name} is larger than this machine's memory") from problem


def _as_channels(volume: Volume, wanted: int) -> Volume:
    """Axes ``zyx`` or ``czyx``; frames become channels where their number is the wanted one."""
    if volume.frames == 1 and volume.channels == 1:
        return volume if volume.axes == "zyx" else volume.with_data(volume.data.reshape(volume.grid_shape), "zyx")
    if volume.axes == "tzyx" and (volume.frames == wanted or wanted > 1):
        volume = volume.with_data(volume.data, "czyx")
    elif "t" in volume.axes:
        raise ChannelsError(f"it has {volume.frames} time points, expected one image; choose one of them")
    if wanted == 1:
        raise ChannelsError(f"one of its images has {volume.channels} channels, expected one; e.g. save it in grey")
    return volume


def on_grid(volume: AnyVolume, target: Volume) -> tuple[AnyVolume, AxisOrder] | None:
    """The volume in the target's order of axes, and what was turned; None where it is another grid."""
    between = np.linalg.inv(target.affine) @ volume.affine  # an index of one grid in the other's
    turn = np.rint(between[:3, :3])
    if (np.abs(turn).sum(0) != 1).any() or (np.abs(turn).sum(1) != 1).any():
        return None
    z, y, x = (int(row.argmax()) for row in np.abs(turn))
    flips = turn.sum(1) < 0
    order = AxisOrder((z, y, x), (bool(flips[0]), bool(flips[1]), bool(flips[2])))
    data = order.apply(volume.data)
    if data.shape[-3:] != target.grid_shape:
        return None
    affine = order.apply_to_affine(volume.affine, volume.shape)
    index = np.linalg.inv(target.affine) @ affine
    apart = geometry.corners(index, target.shape) - geometry.corners(np.eye(4), target.shape)
    if np.abs(apart).max() > SAME_GRID_VOXELS:
        return None
    return replace(volume, data=data, affine=target.affine), order


def grids_in_words(first: Volume, second: Volume) -> str:
    """Both grids in words: what differs of size, voxels and place."""
    if first.grid_shape != second.grid_shape:
        return f"{_by(first.grid_shape)} voxels and {_by(second.grid_shape)}"
    if not np.allclose(first.spacing_mm, second.spacing_mm, rtol=1e-3):
        return f"voxels of {_by(first.spacing_mm)} mm and {_by(second.spacing_mm)} mm"
    if first.orientation != second.orientation:
        return f"axes towards {first.orientation} and {second.orientation}"
    apart = np.abs(geometry.corners(first.affine, first.shape) - geometry.corners(second.affine, second.shape)).max()
    return f"{_by(first.grid_shape)} voxels both, but up to {apart:.3g} mm apart"


def _by(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)
