"""How values cross between a face and its worker.

A message is one line of JSON. Arrays never travel in it: they lie in files of a private folder, in memory where
the system offers that, and the message names them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.volume import Volume

__all__ = ["Exchange", "Kept", "Remembered", "pack", "unpack"]

_SHARED_MEMORY = Path("/dev/shm")
_PREFIX = "napari-resmed-"
# A label map of which no larger share is labelled travels as its labelled voxels, which take nine bytes each.
FEW = 1 / 32
# A folder into which another thread writes meanwhile is emptied again, so often at most.
CLEARINGS = 100


@dataclass(frozen=True, eq=False)
class Kept:
    """A job's parameter that the worker keeps for the next jobs: it travels once, and from then on its key alone.

    Parameters
    ----------
    key:
        What it is: another value has another key.
    value:
        What the job gets.
    """

    key: str
    value: Any


class Remembered:
    """The worker's side of :class:`Kept`. The face says with every job what is worth keeping."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def parameters(self, packed: Mapping[str, Any], kept: Iterable[str]) -> dict[str, Any]:
        """A job's parameters, unpacked; everything but ``kept`` is forgotten."""
        for key in set(self._values) - set(kept):
            del self._values[key]
        return {name: self._one(value) for name, value in packed.items()}

    def _one(self, packed: Any) -> Any:
        if not isinstance(packed, dict) or "__kept__" not in packed:
            return unpack(packed)
        key = packed["__kept__"]
        if "value" in packed:
            self._values[key] = unpack(packed["value"])
        return self._values[key]


class Exchange:
    """A private folder for arrays under way; in shared memory while there is room, on disk otherwise.

    Parameters
    ----------
    folders:
        Where to put arrays, the fastest first; made anew where left out. The worker is given its face's.
    """

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self.folders = folders or tuple(_new_folders())
        self._over = False

    def make_sure(self) -> None:
        """Make folders anew that are gone: systems clear away what lay untouched among their temporary files.

        Under the same names, by which face and worker know them; not after :meth:`clear`.

        Raises
        ------
        OSError
            If that cannot be, or somebody else's lies there.
        """
        for folder in self.folders:
            if not self._over and not folder.is_dir():
                folder.mkdir(mode=0o700)

    def put(self, array: NDArray[Any]) -> str:
        """Write an array ``(any shape, any layout)`` and return its path."""
        self.make_sure()
        place = next(
            (folder for folder in self.folders if shutil.disk_usage(folder).free > 2 * array.nbytes + 2**20),
            self.folders[-1],
        )
        path = place / f"{uuid.uuid4().hex}.npy"
        try:
            _write(path, array)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return str(path)

    @staticmethod
    def take(path: str) -> NDArray[Any]:
        """Read an array, writable, and remove its file."""
        array = _read(Path(path))
        Path(path).unlink(missing_ok=True)
        return array

    def sweep(self) -> None:
        """Remove every array that lies there; only while nothing is under way."""
        for folder in self.folders:
            for path in folder.glob("*.npy"):
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the folders and what is in them, also while another thread still puts arrays there."""
        self._over = True
        for folder in self.folders:
            for _ in range(CLEARINGS):
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists():
                    break


# numpy's own save and load hold Python's lock while they work, and with it the face's window: half a second for a
# large CT. Plain reads and writes of the bytes do not.


def _write(path: Path, array: NDArray[Any]) -> None:
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    with path.open("wb", buffering=0) as file:
        np.lib.format.write_array_header_2_0(file, header)
        for part in array if array.ndim > 1 else (array,):
            left = memoryview(np.ascontiguousarray(part).data).cast("B")
            while left:
                left = left[file.write(left) :]


def _read(path: Path) -> NDArray[Any]:
    with path.open("rb", buffering=0) as file:
        version = np.lib.format.read_magic(file)
        if version != (2, 0):
            raise ValueError(f"found an array of version {version}, expected (2, 0)")
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        if dtype.hasobject:
            raise ValueError("found an array of objects, expected numbers")
        array = np.empty(shape, dtype)
        left = memoryview(array.reshape(-1).data).cast("B")
        while left:
            count = file.readinto(left)
            if not count:
                raise EOFError("the array ends early")
            left = left[count:]
    return array


def _new_folders() -> list[Path]:
    places = [_SHARED_MEMORY] if os.access(_SHARED_MEMORY, os.W_OK) else []
    places.append(Path(tempfile.gettempdir()))
    for place in places:
        _sweep_dead(place)
    return [Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)) for place in places]


def _sweep_dead(place: Path) -> None:
    """Remove what faces left behind that were killed together with their workers: it may hold images."""
    for folder in place.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def pack(value: Any, exchange: Exchange) -> Any:
    """A value as JSON can hold it; arrays and volumes go through the exchange.

    Raises
    ------
    TypeError
        If a value has no place in a message.
    """
    if isinstance(value, Volume):
        few = _labelled(value.data) if isinstance(value, LabelMap) else None
        packed = {
            "data": exchange.put(value.data) if few is None else [exchange.put(part) for part in few],
            "shape": value.shape,
            "affine": value.affine.tolist(),
            "axes": value.axes,
            "modality": value.modality,
            "name": value.name,
            "meta": pack(dict(value.meta), exchange),
        }
        if isinstance(value, LabelMap):
            packed["labels"] = value.labels.to_json()
        return {"__volume__": packed}
    if isinstance(value, np.ndarray):
        return {"__array__": exchange.put(value)}
    if isinstance(value, np.generic):
        return value.item()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: pack(getattr(value, field.name), exchange) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): pack(item, exchange) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [pack(item, exchange) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a message cannot hold a {type(value).__name__}")


def unpack(value: Any) -> Any:
    """What :func:`pack` packed; dataclasses come back as dictionaries of their fields."""
    if isinstance(value, dict):
        if "__volume__" in value:
            return _volume(value["__volume__"])
        if "__array__" in value:
            return Exchange.take(value["__array__"])
        return {key: unpack(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unpack(item) for item in value]
    return value


def _labelled(array: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]] | None:
    """Places (of the flat array) and values of what is not 0, where that is little.

    Plane by plane, as it lies in memory: a search of the whole would hold Python's lock, and with it the face's window.
    """
    if array.ndim != 3:
        return None
    left = int(array.size * FEW)
    places, values = [np.zeros(0, np.int64)], [np.zeros(0, array.dtype)]
    axis = int(np.argmax(np.abs(array.strides)))
    for number, plane in enumerate(np.moveaxis(array, axis, 0)):
        if not plane.any():
            continue
        at = np.nonzero(plane)
        left -= len(at[0])
        if left < 0:
            return None
        index = [*at[:axis], np.full(len(at[0]), number), *at[axis:]]
        places.append(np.ravel_multi_index(index, array.shape))
        values.append(plane[at])
    return np.concatenate(places), np.concatenate(values)


def _volume(packed: dict[str, Any]) -> Volume:
    data = packed["data"]
    if isinstance(data, list):
        places, values = (Exchange.take(part) for part in data)
        array = np.zeros(packed["shape"], values.dtype)
        array.reshape(-1)[places] = values
    else:
        array = Exchange.take(data)
    common = {
        "data": array,
        "affine": np.array(packed["affine"]),
        "axes": packed["axes"],
        "modality": packed["modality"],
        "name": packed["name"],
        "meta": unpack(packed["meta"]),
    }
    if "labels" in packed:
        return LabelMap(**common, labels=LabelSet.from_json(packed["labels"]))
    return Volume(**common)
