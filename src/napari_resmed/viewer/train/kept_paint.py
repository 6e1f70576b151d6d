"""What was painted over an image, kept on disk: files, no window.

They lie beside the unfinished trainings, one for each layer, under a digest of the image: no name goes there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.whole_file import reason, whole_file
from napari_resmed.labels import LabelSet
from napari_resmed.models.catalogue import own_models_folder

__all__ = [
    "KeptPaint",
    "find_paint",
    "forget_paint",
    "image_key",
    "keep_paint",
    "layer_of",
    "read_paint",
    "when_painted",
]

# So many layers are kept, of all images and of one; what was not painted on for longest goes.
MOST, MOST_OF_ONE = 50, 5
# Voxels along every axis that tell one image from another.
_LOOKED_AT = 24
_VOXELS, _SAID = "voxels", "said"


@dataclass(frozen=True, eq=False)
class KeptPaint:
    """What was painted.

    Parameters
    ----------
    voxels:
        Whole numbers ``(z, y, x)`` in the window's order of axes.
    labels:
        Names and colours.
    complete_slices:
        ``(axis, index)`` in that order.
    """

    voxels: NDArray[Any]
    labels: LabelSet
    complete_slices: tuple[tuple[int, int], ...] = ()


def image_key(data: NDArray[Any]) -> str:
    """What tells an image from others: its size and some of its voxels.

    Parameters
    ----------
    data:
        Of the layer, three axes or more.
    """
    some = data[tuple(slice(None, None, max(1, size // _LOOKED_AT)) for size in data.shape)]
    digest = hashlib.blake2b(repr(data.shape).encode(), digest_size=12)
    digest.update(np.ascontiguousarray(some, np.float32).data)
    return digest.hexdigest()


def keep_paint(image: str, layer: str, paint: KeptPaint) -> None:
    """Write it in the place of what was kept of this layer; where nothing is painted, nothing is kept.

    Parameters
    ----------
    image:
        Its key.
    layer:
        A word that no other layer over it has.
    paint:
        What is in the layer.

    Raises
    ------
    WorkError
        If it cannot be written; what was there stays.
    """
    if not paint.voxels.any():
        forget_paint([_file(image, layer)])
        return
    said = {"labels": paint.labels.to_json(), "complete_slices": [list(place) for place in paint.complete_slices]}
    arrays: dict[str, Any] = {_VOXELS: paint.voxels, _SAID: np.array(json.dumps(said))}
    try:
        _folder().mkdir(parents=True, exist_ok=True)
        with whole_file(_file(image, layer)) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        forget_paint([*_of(image)[:-MOST_OF_ONE], *_by_time(_folder().glob("*.npz"))[:-MOST]])
    except InputError as problem:  # of the place
        raise WorkError(str(problem)) from problem
    except OSError as problem:
        raise WorkError(f"could not keep what is painted in {_folder()}: {reason(problem)}") from problem


def find_paint(image: str) -> list[Path]:
    """The files with what is kept of an image, the oldest first."""
    return _of(image)


def when_painted(path: Path) -> datetime:
    """When it was written."""
    return datetime.fromtimestamp(path.stat().st_mtime).astimezone()


def layer_of(path: Path) -> str:
    """The word of the layer that a file was made of."""
    return path.stem.partition("-")[2]


def read_paint(path: Path) -> KeptPaint:
    """What a file holds.

    Raises
    ------
    InputError
        If it is not there any more, or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            said = json.loads(str(file[_SAID]))
            slices = tuple((int(axis), int(index)) for axis, index in said["complete_slices"])
            return KeptPaint(file[_VOXELS], LabelSet.from_json(said["labels"]), slices)
    except MemoryError:
        raise
    except Exception as problem:  # damaged bytes make numpy raise anything
        raise InputError("the labels that were kept of this image cannot be read; paint them anew") from problem


def forget_paint(paths: Iterable[Path]) -> None:
    """Keep these no longer.

    Raises
    ------
    WorkError
        If they cannot be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as problem:
            raise WorkError(f"could not remove {path}: {reason(problem)}") from problem


def _folder() -> Path:
    return own_models_folder() / ".painted"


def _file(image: str, layer: str) -> Path:
    return _folder() / f"{image}-{layer}.npz"


def _of(image: str) -> list[Path]:
    return _by_time(_folder().glob(f"{image}-*.npz"))


def _by_time(paths: Iterable[Path]) -> list[Path]:
    times = []
    for path in paths:
        with suppress(OSError):  # another window may be tidying up
            times.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(times)]
