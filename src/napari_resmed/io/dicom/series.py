"""DICOM series: which are there, and reading one.

Classic single-image files and enhanced multi-frame CT, MR and PET. Positions decide order and distances,
never file names or slice thickness. What is irregular is listed with its ``problem`` and not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from napari_resmed import geometry
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.dicom.headers import read_slices
from napari_resmed.io.dicom.pixels import decode, value_type
from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.stack import Stack, make_stacks
from napari_resmed.volume import Volume

__all__ = ["Series", "find_series", "read_series"]


@dataclass(frozen=True, eq=False)
class Series:
    """A stack of images that can be read as one volume, or the reason why it cannot.

    Parameters
    ----------
    id:
        SeriesInstanceUID, with ``-1``, ``-2``, ... where a series falls into several stacks.
    description:
        What the scanner's operator called it; may be empty.
    modality:
        DICOM's two letters.
    shape:
        Size of every axis of ``axes``; empty where there is a problem.
    spacing_mm:
        Voxel edges ``(z, y, x)``; zeros where there is a problem.
    affine:
        4x4, array index ``(z, y, x)`` to patient coordinates in mm, LPS; the identity where there is a
        problem.
    axes:
        ``"zyx"``, ``"czyx"``, ``"tzyx"`` or ``"tczyx"``; empty where there is a problem.
    dtype:
        Type of the values as read, after rescaling.
    files:
        Along the slice normal, times one after the other; every file once.
    warnings:
        What a person should know, a sentence each.
    problem:
        Why it cannot be read: found, expected, what to do. Empty when it can.
    kind:
        ``"image"``; ``"labels"`` for segmentations and contours (SEG, RTSTRUCT); ``"other"`` for reports,
        plans and all else that is no picture.
    remedies:
        What :func:`read_series` can do about the problem when asked: ``"largest_block"``, ``"resample"``.
    sop_class:
        UID of the storage class of its first file (PS3.4 B.5); empty where the file does not say.
    """

    id: str
    description: str
    modality: str
    shape: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    affine: geometry.Affine
    axes: str
    dtype: str
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()
    problem: str = ""
    slices: tuple[Slice, ...] = field(default=(), repr=False)
    kind: str = "image"
    remedies: tuple[str, ...] = ()
    sop_class: str = ""
    keep: object = field(default=None, repr=False)  # what must live as long as the files: an unpacked archive


def find_series(
    path: Path | str | Sequence[Path | str], progress: Callable[[int, int], object] | None = None
) -> list[Series]:
    """List the series in a folder and all folders below it, around one file, or among files.

    Only headers are read. For a single file the answer is what its folder holds of the series it belongs to.

    Returns
    -------
    list of Series
        At least one, in order of files; those that cannot be read have a ``problem``.

    Raises
    ------
    InputError
        If nothing is there, or nothing of it is DICOM.
    """
    if not isinstance(path, Path | str):
        files = [Path(one) for one in path]
        for file in files:
            if not file.is_file():
                raise InputError(f"found no file {file.name}, expected DICOM files; check the list")
        return _list_series(files, "the list")
    place = Path(path)
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.is_file() and not file.name.startswith("."))
        return _list_series(files, "the folder")
    if not place.is_file():
        raise InputError(f"found neither a file nor a folder {place.name}; check the path")
    own = read_slices(place)
    if not own:
        raise InputError(f"{place.name} is not a DICOM file; choose a DICOM file or the folder that holds a series")
    uids = {image.series_uid for image in own}
    beside = (file for file in sorted(place.parent.iterdir()) if file.is_file() and file.name != place.name)
    others = (image for file in beside for image in read_slices(file) if image.series_uid in uids)
    return [series for series in _describe_all([*own, *others]) if place in series.files]


def read_series(series: Series, remedy: str = "", progress: Callable[[int, int], object] | None = None) -> Volume:
    """Read a series: voxels rescaled as the headers say, never resampled.

    Returns
    -------
    Volume
        Axes ``zyx``; ``czyx`` for colour (red, green, blue), ``tzyx`` and ``tczyx`` for a series in time.
        Integers stay integers where the rescaling is whole; the type is the smallest that holds every value
        exactly.

    Raises
    ------
    InputError
        If the series has a problem, or a file is cut off, damaged or not what its header says.
    WorkError
        If there is not enough memory.
    """
    if series.kind == "labels":
        return _read_object(series)
    if series.problem:
        raise InputError(series.problem)
    first = series.slices[0]
    colour = "c" in series.axes
    shape = (len(series.slices), first.rows, first.columns, *((3,) if colour else ()))
    by_file: defaultdict[Path, list[int]] = defaultdict(list)
    for index, image in enumerate(series.slices):
        by_file[image.path].append(index)
    try:
        data = np.empty(shape, dtype=series.dtype)
        for indices in by_file.values():
            pixels = decode([series.slices[index] for index in indices])
            if pixels.shape[1:] != shape[1:]:
                found = "colour" if pixels.ndim > 3 else "grey"
                raise InputError(
                    f"{series.slices[indices[0]].path.name} holds {found} pixels, its header says otherwise; "
                    "export it again"
                )
            if not np.can_cast(pixels.dtype, data.dtype) and not _fits(pixels, data.dtype):
                # Values beyond the stored bits that the header admits to: keep them, in a larger type.
                data = data.astype(np.promote_types(pixels.dtype, data.dtype))
            data[indices] = pixels
    except MemoryError as problem:
        size = np.prod(shape, dtype=float) * np.dtype(series.dtype).itemsize / 2**30
        raise WorkError(f"not enough memory for {size:.1f} GB of voxels; close other programs") from problem
    if colour:
        data = np.moveaxis(data, -1, 0)
    frames = series.shape[0] if "t" in series.axes else 1
    if frames > 1:
        positions = len(series.slices) // frames
        lead = (3,) if colour else ()
        data = data.reshape(*lead, frames, positions, first.rows, first.columns)
        data = np.moveaxis(data, 1, 0) if colour else data
    return Volume(
        np.ascontiguousarray(data),
        series.affine,
        series.axes,
        modality=series.modality,
        name=series.description or series.modality or "DICOM",
        meta=_meta(series),
    )


def _read_object(series: Series) -> Volume:
    """Hand segmentations and contours to who reads them, which needs more libraries than images do."""
    try:
        objects = import_module("napari_resmed.io.dicom.objects")
    except ModuleNotFoundError:
        raise InputError(series.problem) from None
    volume: Volume = objects.read_object(series)
    return volume


def _fits(pixels: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> bool:
    """Whether every value survives the cast."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if pixels.min() < info.min or pixels.max() > info.max:
            return False
    return bool((pixels.astype(dtype) == pixels).all())


def _meta(series: Series) -> Mapping[str, Any]:
    first = series.slices[0]
    facts: dict[str, Any] = dict(first.facts)
    facts["description"] = series.description
    if first.photometric:
        facts["photometric"] = first.photometric
    if series.warnings:
        facts["warnings"] = list(series.warnings)
    return facts


def _list_series(files: Sequence[Path], where: str) -> list[Series]:
    slices = [image for file in files for image in read_slices(file)]
    if not slices:
        found = f"{len(files)} files, none of them a DICOM image" if files else "no file"
        raise InputError(f"found {found} in {where}, expected DICOM files; choose the folder of a series")
    return _describe_all(slices)


def _describe_all(slices: Sequence[Slice]) -> list[Series]:
    stacks = make_stacks(slices)
    stacks.sort(key=lambda stack: min(image.path for image in stack.slices))
    parts: defaultdict[str, int] = defaultdict(int)
    for stack in stacks:
        parts[stack.slices[0].series_uid] += 1
    seen: defaultdict[str, int] = defaultdict(int)
    result = []
    for stack in stacks:
        uid = stack.slices[0].series_uid
        seen[uid] += 1
        result.append(_describe(stack, f"{uid}-{seen[uid]}" if parts[uid] > 1 else uid))
    return result


def _describe(stack: Stack, identity: str) -> Series:
    first = stack.slices[0]
    series = Series(
        id=identity or first.path.name,
        description=first.description,
        modality=first.modality,
        shape=(),
        spacing_mm=(0.0, 0.0, 0.0),
        affine=np.eye(4),
        axes="",
        dtype="",
        files=tuple(dict.fromkeys(image.path for image in stack.slices)),
        warnings=stack.warnings,
        problem=stack.problem,
        slices=stack.slices,
        kind=first.kind,
        sop_class=first.sop_class,
    )
    if stack.affine is None:
        return series
    stack.affine.setflags(write=False)
    colour = first.samples > 1 or first.photometric == "PALETTE COLOR"
    lead: list[tuple[str, int]] = [("t", stack.frames)] if stack.frames > 1 else []
    lead += [("c", 3)] if colour else []
    return replace(
        series,
        shape=(*(size for _, size in lead), stack.positions, first.rows, first.columns),
        spacing_mm=geometry.spacing(stack.affine),
        affine=stack.affine,
        axes="".join(letter for letter, _ in lead) + "zyx",
        dtype=str(np.result_type(*{value_type(image) for image in stack.slices})),
    )
