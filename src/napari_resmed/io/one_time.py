"""One time of an image in time, as an image of its own."""

from __future__ import annotations

from dataclasses import replace

from napari_resmed.errors import InputError
from napari_resmed.volume import Volume

__all__ = ["one_time"]


def one_time(volume: Volume, number: int) -> Volume:
    """Take one time, or echo, b-value and so on, with its own value of what changes from time to time.

    Parameters
    ----------
    volume:
        An image in time.
    number:
        Which time, 1 is the first.

    Raises
    ------
    InputError
        If there is no such time.
    """
    if "t" not in volume.axes:
        raise InputError("the image has one time only; leave --time out")
    if not 1 <= number <= volume.frames:
        raise InputError(f"found --time {number}, expected 1 to {volume.frames}: the image has that many times")
    meta = dict(volume.meta)
    for of_all in ("ordered_by", "time_step_s"):
        meta.pop(of_all, None)
    from napari_resmed.io.dicom.parameters import PARAMETERS  # only here: it brings DICOM's libraries

    for parameter in PARAMETERS:
        values = meta.pop(parameter.key, None)
        if values:
            meta[parameter.key_of_one] = values[number - 1]
    return replace(volume, data=volume.data[number - 1], axes=volume.axes.replace("t", ""), meta=meta)
