"""One case opened: a volume for every channel that is there, each on its own grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io.archives import is_in_archive, read_from_archive
from napari_resmed.io.datasets.load import ChannelsError, open_volume
from napari_resmed.io.pictures import is_picture, read_picture
from napari_resmed.volume import Volume

__all__ = ["AS_SLICES", "COLOURS", "load_channels", "open_image"]

COLOURS = ("red", "green", "blue")
# In a volume's ``meta`` where its slices are the frames of a cine loop.
AS_SLICES = "frames_as_slices"
# Of red, green and blue in grey (ITU-R BT.601, section 2.5.1).
_LUMA = (0.299, 0.587, 0.114)


def load_channels(case: Case, dataset: Dataset) -> list[Volume | None]:
    """A volume ``zyx`` for every channel of the data set, None for those that the case does not have.

    Raises
    ------
    ChannelsError
        If a file has another number of channels than the data set.
    InputError
        If a file is missing or cannot be read.
    """
    wanted = len(dataset.channels)
    if len(case.images) == 1 and not case.channels:
        return list(_split(open_image(case.images[0]), wanted))
    found: list[Volume | None] = [None] * wanted
    for place, image in zip(case.channels or range(len(case.images)), case.images, strict=True):
        if place >= wanted:
            raise ChannelsError(f"it has {len(case.images)} images, expected {wanted} ({', '.join(dataset.channels)})")
        found[place] = _split(open_image(image), 1)[0]
    return found


def open_image(source: Path | Volume) -> Volume:
    """A file of any kind, or the value at hand; axes ``zyx`` or ``czyx``. Frames of a single slice are slices.

    Raises
    ------
    InputError
        If it is missing or cannot be read, or is a series of volumes.
    """
    if isinstance(source, Path) and is_in_archive(source):
        return read_from_archive(source)
    volume = read_picture(source) if isinstance(source, Path) and is_picture(source) else open_volume(source)
    if "t" not in volume.axes:
        return volume
    if volume.frames == 1:
        return volume.with_data(volume.data[0], volume.axes[1:])
    if volume.grid_shape[0] == 1:  # a cine loop
        data = np.moveaxis(volume.data, 0, -3).reshape(*volume.shape[1:-3], volume.frames, *volume.shape[-2:])
        return replace(volume, data=data, axes=volume.axes[1:], meta={**volume.meta, AS_SLICES: True})
    raise InputError(f"it has {volume.frames} time points of {volume.grid_shape[0]} slices, expected one of the two")


def _split(volume: Volume, wanted: int) -> tuple[Volume, ...]:
    if volume.channels == wanted:
        if volume.axes == "zyx":
            return (volume,)
        return tuple(volume.with_data(channel, "zyx") for channel in volume.data)
    if volume.channels == len(COLOURS) and wanted == 1:
        grey = np.tensordot(np.asarray(_LUMA, np.float32), volume.data.astype(np.float32), 1)
        return (volume.with_data(grey, "zyx"),)
    if volume.channels == 1 and wanted == len(COLOURS):
        return _split(volume, 1) * wanted
    raise ChannelsError(f"it has {volume.channels} channels, expected {wanted}")
