"""One case opened: a volume for every channel that is there, each on its own grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_resmed.case import Case, Dataset
from napari_resmed.io.archives import is_in_archive, read_from_archive
from napari_resmed.io.datasets.load import ChannelsError, open_volume
from napari_resmed.io.pictures import is_picture, read_picture
from napari_resmed.volume import Volume

__all__ = ["COLOURS", "is_colour", "load_channels", "open_image"]

COLOURS = ("red", "green", "blue")
# As models of other programs call them, too.
_COLOURS = (COLOURS, ("r", "g", "b"))
# Of red, green and blue in grey (ITU-R BT.601, section 2.5.1).
_LUMA = (0.299, 0.587, 0.114)


def load_channels(case: Case, dataset: Dataset) -> list[Volume | None]:
    """A volume for every channel of the data set, None for those that the case does not have.

    Axes ``zyx``, or ``tzyx`` of a series: a cine loop of single slices, volumes that follow each other in time.

    Raises
    ------
    ChannelsError
        If a file has another number of channels than the data set.
    InputError
        If a file is missing or cannot be read.
    """
    wanted = len(dataset.channels)
    if len(case.images) == 1 and not case.channels:
        return list(_split(open_image(case.images[0]), dataset.channels, case.images[0]))
    found: list[Volume | None] = [None] * wanted
    for place, image in zip(case.channels or range(len(case.images)), case.images, strict=True):
        if place >= wanted:
            raise ChannelsError(f"it has {len(case.images)} images, expected {wanted} ({', '.join(dataset.channels)})")
        found[place] = _split(open_image(image), dataset.channels[place : place + 1], image)[0]
    return found


def open_image(source: Path | Volume) -> Volume:
    """A file of any kind, or the value at hand; axes ``zyx`` or ``czyx``, with ``t`` before them where there is time.

    Raises
    ------
    InputError
        If it is missing or cannot be read.
    """
    if isinstance(source, Path) and is_in_archive(source):
        return read_from_archive(source)
    volume = read_picture(source) if isinstance(source, Path) and is_picture(source) else open_volume(source)
    if "t" in volume.axes and volume.frames == 1:
        return volume.with_data(volume.data[0], volume.axes[1:])
    return volume


def _split(volume: Volume, channels: Sequence[str], source: Path | Volume) -> tuple[Volume, ...]:
    """A volume for each of the channels; a colour picture is also grey, and a grey one is also in colour.

    Nothing else is taken for what it is not: three modalities in a file are no colours, and one is not all three.
    """
    alone = volume.axes.replace("c", "")
    wanted = len(channels)
    if volume.channels == wanted:
        if volume.axes == alone:
            return (volume,)
        return tuple(volume.with_data(channel, alone) for channel in np.moveaxis(volume.data, -4, 0))
    if volume.channels == len(COLOURS) and wanted == 1 and is_colour(volume, source):
        grey = np.tensordot(np.asarray(_LUMA, np.float32), volume.data.astype(np.float32), (0, volume.data.ndim - 4))
        return (volume.with_data(grey, alone),)
    if volume.channels == 1 and tuple(name.casefold() for name in channels) in _COLOURS:
        return _split(volume, COLOURS[:1], source) * wanted
    has = "1 channel" if volume.channels == 1 else f"{volume.channels} channels"
    raise ChannelsError(f"it has {has}, expected {wanted} ({', '.join(channels)})")


def is_colour(volume: Volume, source: Path | Volume) -> bool:
    """Whether its three channels are red, green and blue: bytes, as in photographs, or a picture's file."""
    said = volume.data.dtype == np.uint8 or bool(volume.meta.get("colour"))
    return said or (isinstance(source, Path) and is_picture(source))
