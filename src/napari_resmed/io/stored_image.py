"""An image as its header describes it: where its voxels lie in which file, and what they are.

NRRD, MetaImage and MGH differ in how they say this; from here on they are one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.kind import surely_image
from napari_resmed.io.odd_place import odd_place
from napari_resmed.io.peek import Peek, first_planes
from napari_resmed.io.source import Source, open_source
from napari_resmed.io.text_numbers import read_numbers
from napari_resmed.volume import Volume

__all__ = ["StoredImage", "check_shape"]

_HOUSE = "tczyx"


@dataclass(frozen=True)
class StoredImage:
    """Where the voxels are and what they mean.

    Parameters
    ----------
    path, encoding, start, length:
        Their file, and there what :func:`~napari_resmed.io.source.open_source` needs; ``"text"`` is numbers
        written out.
    skip:
        Bytes to leave out after inflating; -1 where the voxels are the last of the file.
    shape, axes:
        In C order, with a letter of ``tczyx`` for each.
    stored:
        Type in the file, in its byte order.
    footer:
        Whether bytes are what the format puts behind the voxels; None where it puts nothing.
    """

    path: Path
    shape: tuple[int, ...]
    axes: str
    stored: np.dtype[Any]
    affine: geometry.Affine
    encoding: str = "raw"
    start: int = 0
    length: int | None = None
    skip: int = 0
    footer: Callable[[bytes], bool] | None = None
    modality: str = ""
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def with_missing_axes(self) -> StoredImage:
        """The same with an axis of 1 for each of space that the file has none of."""
        missing = [letter for letter in "zyx" if letter not in self.axes]
        return replace(self, shape=(*(1 for _ in missing), *self.shape), axes="".join(missing) + self.axes)

    def read(self) -> Volume:
        """All of it; never resampled.

        Raises
        ------
        InputError
            If the file is cut off, damaged, or holds more than its header says.
        """
        notes: list[str] = []
        with self._open() as source:
            if self.encoding == "text":
                data = read_numbers(source, self.shape, self.stored)
            else:
                data = source.array(self.shape, self.stored)
                notes = source.finish(data.nbytes, max(self.shape), self.footer)
        view, axes = self._arrange(data)
        meta = {**self.meta, "warnings": [*self._notes(), *notes]}
        return Volume(view, self.affine, axes, self.modality, self.name, meta)

    def peek(self) -> Peek:
        """What it holds, without reading more voxels than tells an image from labels.

        Raises
        ------
        InputError
            As :meth:`read`, as far as it shows up to there.
        """
        sizes = dict(zip(self.axes, self.shape, strict=True))
        axes = self._kept_axes()
        shape = tuple(sizes[letter] for letter in axes)
        certain = False
        if self.encoding != "text":
            size = math.prod(self.shape) * self.stored.itemsize
            with self._open() as source:
                if source.looks_whole(size, max(self.shape), self.footer is not None):
                    certain = axes != "zyx" or surely_image(first_planes(source, self._planes(), self.stored))
        dtype = self.stored.newbyteorder("=")
        meta = {**self.meta, "warnings": self._notes()}
        return Peek(shape, axes, self.affine, dtype, certain, self.modality, meta)

    def _notes(self) -> list[str]:
        return [*self.meta.get("warnings", ()), *odd_place(self.affine, self._planes())]

    @contextmanager
    def _open(self) -> Iterator[Source]:
        size = math.prod(self.shape) * self.stored.itemsize
        start = self.start
        if self.skip < 0:
            start = max(start, self.path.stat().st_size - size)
        with open_source(self.path, "raw" if self.encoding == "text" else self.encoding, start, self.length) as source:
            source.skip(max(0, self.skip))
            if self.encoding != "text":
                source.expect(size)
            yield source

    def _planes(self) -> tuple[int, int, int]:
        """Of a volume without time and channels, ``(z, y, x)``."""
        z, y, x = (self.shape[self.axes.index(letter)] for letter in "zyx")
        return z, y, x

    def _kept_axes(self) -> str:
        """Without time or channels of one."""
        sizes = dict(zip(self.axes, self.shape, strict=True))
        return "".join(letter for letter in _HOUSE if letter in "zyx" or sizes.get(letter, 1) > 1)

    def _arrange(self, data: NDArray[Any]) -> tuple[NDArray[Any], str]:
        """A view in the house's order."""
        order = [self.axes.index(letter) for letter in _HOUSE if letter in self.axes]
        view = data.transpose(order)
        present = [letter for letter in _HOUSE if letter in self.axes]
        kept = self._kept_axes()
        return view[tuple(slice(None) if letter in kept else 0 for letter in present)], kept


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """Refuse sizes that are none.

    Raises
    ------
    InputError
        If one of them is below 1.
    """
    if not shape or min(shape) < 1:
        raise InputError(f"{name} holds no voxels: its size is {shape}")
