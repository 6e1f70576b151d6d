"""Cases made ready for training: prepared once, kept on disk, in memory as far as the budget goes."""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.datasets import load_case
from napari_resmed.io.whole_file import reason
from napari_resmed.labels import LabelMap
from napari_resmed.prepare.grid import UNKNOWN, prepare, prepare_target
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.case_facts import known_voxels
from napari_resmed.train.kept import Kept
from napari_resmed.train.painting import paint_classes

__all__ = ["ASSUMED", "Prepared", "Store", "classes_of", "hold_out_block"]

# A voxel that nobody painted, and that is background all the same: see :mod:`napari_resmed.train.assumed`.
ASSUMED = -2
# Places of a structure that are remembered for sampling; more would not make patches more varied.
PLACES = 2000
# What Python needs for an array and for a case beside their voxels (measured): of tiny cases it is most of the memory.
ARRAY_BYTES, CASE_BYTES = 200, 1000
# Share of the known slices of an only case that is held out.
BLOCK_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class Prepared:
    """One case on the network's grid.

    Parameters
    ----------
    image:
        ``(c, z, y, x)``, in 0..1 but for models of other programs; float16, or float32 where that is too small.
    target:
        int8 or int16 ``(z, y, x)``: 0 background, 1.. structures, :data:`UNKNOWN`, :data:`ASSUMED`.
    annotated:
        bool ``(class,)``: what was looked for; the first entry stands for background and is True.
    places:
        For every class that occurs, and for :data:`ASSUMED`, up to 2000 of its voxels, int16 ``(n, 3)``.
    has_image:
        Whether the image is one, and not painted from the labels for those who judge by it.
    whole:
        Of a case that was split, the target before: an image that is painted shows all of it. None: it was not.
    """

    image: NDArray[np.floating[Any]]
    target: NDArray[np.signedinteger[Any]]
    annotated: NDArray[np.bool_]
    places: dict[int, NDArray[np.int16]]
    has_image: bool = True
    whole: NDArray[np.signedinteger[Any]] | None = None

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return _nbytes((self,))


class Store:
    """The prepared cases of one training, whole, or each as what is learnt from and what is held out; thread-safe.

    Parameters
    ----------
    dataset:
        What is learnt from.
    preparation:
        The model's.
    folder:
        Where prepared cases are kept; what lies there is used again, unless it is damaged or made for something else.
    memory_mb:
        How much of them may be in memory at a time. At least one case is, however large; one that a thread is at work
        on may come on top.
    """

    def __init__(self, dataset: Dataset, preparation: Preparation, folder: Path, memory_mb: float) -> None:
        self.dataset = dataset
        self.names = tuple(case.name for case in dataset.cases)
        self._preparation = preparation
        self._folder = folder
        self._made_for = json.dumps([preparation.to_json(), dataset.labels.values, dataset.background, dataset.ignored])
        # By number of the case and of its parts: one, or the two of a case that is split.
        self._kept: Kept[tuple[int, int], tuple[Prepared, ...]] = Kept(memory_mb * 2**20)
        self._making = [threading.Lock() for _ in dataset.cases]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def bytes_in_memory(self) -> int:
        """What is kept now."""
        return self._kept.nbytes

    @property
    def in_memory(self) -> set[int]:
        """Numbers of the cases that are kept now."""
        return {number for number, _ in self._kept}

    def __getitem__(self, number: int) -> Prepared:
        found = self._kept.get((number, 1))
        if found is not None:
            return found[0]
        with self._making[number]:  # two threads that want the same new case make it once
            found = self._kept.get((number, 1))
            if found is not None:
                return found[0]
            path = self._folder / f"{number:05d}.npz"
            prepared = _load(path, self._made_for) or self._make(number, path)
            self._keep(number, prepared)
            return prepared

    def halves(self, number: int) -> tuple[Prepared, Prepared]:
        """What is learnt from and what is held out of a case: see :func:`hold_out_block`."""
        found = self._kept.get((number, 2))
        if found is None:
            found = hold_out_block(self[number])
            self._kept.drop((number, 1))  # its image is that of the halves
            self._keep(number, *found)
        training, held_out = found
        return training, held_out

    def let_go(self) -> None:
        """Keep nothing in memory, for others that need it; what is asked for is read from disk again."""
        self._kept.clear()

    def assume_background(self, number: int, where: NDArray[np.bool_]) -> None:
        """Mark the unknown voxels of a case that are background all the same; kept with the case.

        Parameters
        ----------
        number:
            Of the case.
        where:
            ``(z, y, x)`` on the network's grid; known voxels in it stay what they are.
        """
        case = self[number]
        target = np.where(where & (case.target == UNKNOWN), ASSUMED, case.target).astype(case.target.dtype)
        assumed = replace(case, target=target, places=_places(target))
        self._write(assumed, self._folder / f"{number:05d}.npz")
        self._kept.drop((number, 2))
        self._keep(number, assumed)

    def _keep(self, number: int, *parts: Prepared) -> None:
        self._kept.put((number, len(parts)), parts, _nbytes(parts))

    def _make(self, number: int, path: Path) -> Prepared:
        case = self.dataset.cases[number]
        try:
            prepared = prepare_case(case, self.dataset, self._preparation)
        except InputError as problem:
            raise InputError(f"{case.name} can no longer be used: {problem}") from problem
        self._write(prepared, path)
        return prepared

    def _write(self, prepared: Prepared, path: Path) -> None:
        try:
            _save(prepared, path, self._made_for)
        except OSError as problem:
            raise WorkError(
                f"could not keep prepared cases in {self._folder}: {reason(problem)}; make room on the disk"
            ) from problem


def prepare_case(case: Case, dataset: Dataset, preparation: Preparation) -> Prepared:
    """Bring one case to the network's grid.

    Raises
    ------
    InputError
        If it cannot be read or used.
    """
    volume, labels = load_case(case, dataset)
    image, grid = prepare(volume, preparation)
    classes = classes_of(case, dataset, labels)
    count = 1 + len(dataset.labels)
    target: NDArray[np.signedinteger[Any]] = prepare_target(classes, grid, count)
    if count < 127:
        target = target.astype(np.int8)
    annotated = np.array([True, *(case.annotated is None or v in case.annotated for v in dataset.labels.values)])
    if not case.has_image:
        # Always the same: how good a network is must not hang on what is drawn.
        generator = torch.Generator().manual_seed(zlib.crc32(np.ascontiguousarray(target).data))
        patch = torch.from_numpy(target.astype(np.int16))
        image = paint_classes(patch, len(image), preparation.spacing_mm, generator)
    voxels = image.numpy()
    half = np.abs(voxels).max() < np.finfo(np.float16).max
    dtype = np.float16 if half else np.float32
    return Prepared(voxels.astype(dtype), target, annotated, _places(target), case.has_image)


def classes_of(case: Case, dataset: Dataset, labels: LabelMap) -> NDArray[np.int16]:
    """What every voxel of a case's labels teaches: 0 background, 1.. structures, :data:`UNKNOWN`.

    Returns
    -------
    NDArray
        int16, of the labels' shape ``(z, y, x)``.
    """
    known = known_voxels(labels, case, dataset)
    classes = np.where(known, 0, UNKNOWN).astype(np.int16)
    for number, value in enumerate(dataset.labels.values, 1):
        classes[known & (labels.data == value)] = number
    return classes


def hold_out_block(prepared: Prepared) -> tuple[Prepared, Prepared]:
    """Split an only case into what is learnt from and what is held out: a block of its slices.

    Slices are counted along the axis on which the fewest know anything (painted slices), along z where everything is
    known. About a fifth of those with structures is held out, beyond the middle: not the end, where structures are
    unlike the rest, nor the very middle, which training needs the most. Elsewhere where a structure would be held out
    altogether, or would be missing in what is held out.

    Returns
    -------
    training, held_out
        The same image; in each target the other's voxels are unknown, but for what is assumed to be background: that
        is asked for in both, outside of the block.

    Raises
    ------
    InputError
        If so little is painted that nothing can be held out.
    """
    target = prepared.target
    axis, slices, counts = _slices_to_split(target)
    many = max(1, round(BLOCK_SHARE * len(slices)))
    wish = min(len(slices) - many, round(0.6 * len(slices)))
    whole = counts.sum(1)

    def flaws(start: int) -> tuple[int, int, int]:
        inside = counts[:, slices[start] : slices[start + many - 1] + 1].sum(1)
        return int((inside == whole).sum()), int((inside == 0).sum()), abs(start - wish)

    start = min(range(len(slices) - many + 1), key=flaws)
    inside = np.zeros(target.shape, bool)
    inside[(slice(None),) * axis + (slice(slices[start], slices[start + many - 1] + 1),)] = True
    parts = []
    for keep in (~inside, inside | (target == ASSUMED)):
        part = np.where(keep, target, UNKNOWN).astype(target.dtype)
        parts.append(replace(prepared, target=part, places=_places(part), whole=target))
    return parts[0], parts[1]


def _slices_to_split(target: NDArray[Any]) -> tuple[int, NDArray[np.intp], NDArray[np.intp]]:
    """Axis, the slices with structures on it, and voxels by structure and slice."""
    known = target >= 0
    knowing = [int(known.any(axis=tuple(k for k in range(3) if k != axis)).sum()) for axis in range(3)]
    axes = [0, 1, 2] if known.all() else sorted(range(3), key=lambda axis: knowing[axis])
    for axis in axes:
        size, classes = target.shape[axis], int(target.max()) + 1
        place = np.arange(size).reshape([-1 if k == axis else 1 for k in range(3)])
        index = (place * classes + target)[known]
        counts = np.bincount(index, minlength=size * classes).reshape(size, classes).T
        if counts[1:].any():
            counts = counts[1:]
        counts = counts[counts.any(1)]
        slices = np.flatnonzero(counts.any(0))
        if len(slices) > 1:
            return axis, slices, counts
    raise InputError("too little is painted to hold a part of it out; paint structures on at least two slices")


def _nbytes(parts: Sequence[Prepared]) -> int:
    """Memory that they take together, with what Python itself needs for them; what they share counts once."""
    arrays = {
        id(array): array.nbytes
        for part in parts
        for array in (part.image, part.target, part.annotated, part.whole, *part.places.values())
        if array is not None
    }
    return sum(arrays.values()) + ARRAY_BYTES * len(arrays) + CASE_BYTES * len(parts)


def _places(target: NDArray[Any]) -> dict[int, NDArray[np.int16]]:
    found = {}
    flat = target.reshape(-1)
    partly = bool((flat == UNKNOWN).any())
    for number in np.unique(flat).tolist():
        # Background is everywhere, so any place will do, unless most of the case is unknown.
        if number == UNKNOWN or (number == 0 and not partly):
            continue
        here = np.flatnonzero(flat == number)
        if len(here) > PLACES:
            here = np.random.default_rng(number - ASSUMED).choice(here, PLACES, replace=False)
        found[int(number)] = np.stack(np.unravel_index(here, target.shape), 1).astype(np.int16)
    return found


def _save(prepared: Prepared, path: Path, made_for: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    arrays: dict[str, Any] = {f"places_{number}": array for number, array in prepared.places.items()}
    arrays |= {"image": prepared.image, "target": prepared.target, "annotated": prepared.annotated}
    arrays["has_image"] = np.array(prepared.has_image)
    try:
        with part.open("wb") as file:
            np.savez(file, made_for=np.array(made_for), **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _load(path: Path, made_for: str) -> Prepared | None:
    """A kept case; None where there is none that can be used."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["made_for"]) != made_for:
                return None
            kept = [name for name in file.files if name.startswith("places_")]
            places = {int(name.removeprefix("places_")): file[name] for name in kept}
            return Prepared(file["image"], file["target"], file["annotated"], places, bool(file["has_image"]))
    except MemoryError:
        raise
    except Exception:  # a power cut leaves any bytes, and those make numpy raise anything
        return None
