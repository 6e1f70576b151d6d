"""Images in one NumPy archive, as MedMNIST has them (Yang et al., Scientific Data 2023, arXiv 2110.14795).

The path of such an image is the archive's, followed by the part and the number: ``adrenalmnist3d.npz/train/12``.
"""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError
from napari_resmed.volume import Volume

__all__ = ["SUFFIX", "array_names", "forget_archives", "is_in_archive", "read_array", "read_from_archive"]

SUFFIX = ".npz"
_COLOURS = 3


def is_in_archive(path: Path) -> bool:
    """Whether a path is that of an image in an archive."""
    return path.parent.parent.suffix.lower() == SUFFIX


def read_from_archive(path: Path) -> Volume:
    """One image; a pixel counts as 1 mm, as nothing says how large it is.

    Returns
    -------
    Volume
        Axes ``zyx``, or ``czyx`` of red, green and blue.

    Raises
    ------
    InputError
        If the archive is missing or damaged, or has no such image.
    """
    archive, part = path.parent.parent, path.parent.name
    images = read_array(archive, f"{part}_images")
    if not path.name.isdecimal() or int(path.name) >= len(images):
        raise InputError(f"{archive.name} has {len(images)} images in {part}, found the number {path.name!r}")
    image = images[int(path.name)]
    if image.ndim == 3 and image.shape[-1] == _COLOURS:
        return Volume(np.moveaxis(image, -1, 0)[:, None], np.eye(4), "czyx")
    if image.ndim not in (2, 3):
        raise InputError(f"{archive.name} has images of shape {image.shape}, expected 2D, 2D in colour, or 3D")
    return Volume(image if image.ndim == 3 else image[None], np.eye(4), "zyx")


# Two parts, so that going through them in turn reads each once.
@lru_cache(maxsize=2)
def read_array(archive: Path, name: str) -> NDArray[Any]:
    """An array of an archive, kept in memory until :func:`forget_archives`.

    Raises
    ------
    InputError
        If the archive is missing or damaged, holds code, or has no such array.
    """
    try:
        with np.load(archive, allow_pickle=False) as content:
            if name not in content:
                raise InputError(f"{archive.name} holds {', '.join(content) or 'nothing'}, expected {name}")
            array: NDArray[Any] = content[name]
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as problem:
        raise InputError(f"{archive.name} is missing, damaged, or holds more than arrays; get it anew") from problem
    array.setflags(write=False)
    return array


def array_names(archive: Path) -> list[str]:
    """Names of the arrays in an archive.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    try:
        with np.load(archive, allow_pickle=False) as content:
            return list(content)
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as problem:
        raise InputError(f"{archive.name} is missing or damaged; get it anew") from problem


def forget_archives() -> None:
    """Give the memory back."""
    read_array.cache_clear()
