"""Pictures without a place in the patient: PNG, JPEG, TIFF, BMP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from napari_resmed.errors import InputError
from napari_resmed.volume import Volume

__all__ = ["ENDINGS", "is_picture", "read_picture"]

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
# What a fourth channel says of a picture, how opaque it is, is nothing of what it shows.
_COLOURS = 3


def is_picture(path: Path) -> bool:
    """Whether the name is that of a picture that can be read."""
    return path.name.lower().endswith(ENDINGS)


def read_picture(path: Path) -> Volume:
    """Read a picture; several pages are slices. A pixel counts as 1 mm, as nothing says how large it is.

    Returns
    -------
    Volume
        Axes ``zyx`` where it is grey, else ``czyx`` with red, green and blue.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"found no file {path.name}; check the path")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as problem:
        raise InputError(f"{path.name} is damaged or no picture; save it again as PNG") from problem
    data = sitk.GetArrayFromImage(image)
    count = image.GetNumberOfComponentsPerPixel()
    if count > 1:
        data = np.moveaxis(data, -1, 0)
        data = data[:_COLOURS] if count > _COLOURS else data[: 1 if count == 2 else count]
    channels = data.shape[0] if count > 1 else 1
    data = data.reshape(channels, -1, *data.shape[-2:])
    return Volume(data if channels > 1 else data[0], np.eye(4), "czyx" if channels > 1 else "zyx", name=path.name)
