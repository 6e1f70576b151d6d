"""Reading a DICOM series: voxels as the headers say, in their place."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.dicom.irregular import EvenGrid, even_grid, largest_block
from napari_resmed.io.dicom.parameters import PARAMETERS
from napari_resmed.io.dicom.pixels import TooNarrow, decode_into
from napari_resmed.io.dicom.series import Series, on_grid
from napari_resmed.volume import Volume

__all__ = ["read_series"]

# Reading and decoding wait for memory more than for the processor: more threads than this gain nothing.
_MOST_THREADS = 8
# Files that one thread reads before it says so: handing over costs as much as reading a slice.
_AT_ONCE = 4
# No encoding of images packs more; a header that claims more voxels than that for its file is damaged.
_MOST_RATIO = 2000
_RATIO_FROM_BYTES = 64 * 2**20

# A fact of one time, by the list of all.
_OF_ONE = {parameter.key: parameter.key_of_one for parameter in PARAMETERS}

Progress = Callable[[int, int], object]


def read_series(series: Series, remedy: str = "", progress: Progress | None = None) -> Volume:
    """Read a series: voxels rescaled as the headers say, never resampled unless asked for.

    Parameters
    ----------
    series:
        What :func:`~napari_resmed.io.dicom.find_series` found.
    remedy:
        What to do about an irregular series, one of its ``remedies``: ``"largest_block"`` reads the largest evenly
        spaced part, ``"resample"`` puts all slices on even distances. Empty reads regular series only.
    progress:
        Called now and then with the number of files done and of all; what it raises stops the reading.

    Returns
    -------
    Volume
        Axes ``zyx``; ``czyx`` for colour (red, green, blue), ``tzyx`` and ``tczyx`` for a series in time, or of
        several echoes, b-values and the like, whose values stand in ``meta`` (``Series.parameters``). Integers
        stay integers where the rescaling is whole; the type is the smallest that holds every value exactly. What a
        remedy did is the first of ``meta["warnings"]``. A ``LabelMap`` for a series of the kind ``"labels"``.

    Raises
    ------
    InputError
        If the series has a problem, or a file is cut off, damaged or not what its header says.
    WorkError
        If there is not enough memory.
    """
    if series.kind == "labels":
        return _read_object(series)
    series, grid = _remedied(series, remedy)
    data = _read_voxels(series, progress)
    if grid is not None:
        data = _interpolate(data, grid)
    return Volume(
        data,
        series.affine,
        series.axes,
        modality=series.modality,
        name=series.description or series.modality or "DICOM",
        meta=_meta(series),
    )


def _remedied(series: Series, remedy: str) -> tuple[Series, EvenGrid | None]:
    if not series.problem:
        return series, None
    if remedy == "largest_block" and remedy in series.remedies:
        block = largest_block(series.slices)
        if block is not None:
            return on_grid(series, block), None
    if remedy == "resample" and remedy in series.remedies:
        grid = even_grid(series.slices)
        if grid is not None:
            return on_grid(series, grid.stack), grid
    if remedy:
        offered = " or ".join(series.remedies) or "none"
        raise InputError(f"{series.problem} ({remedy} does not help here; what would: {offered})")
    raise InputError(series.problem)


def _read_voxels(series: Series, progress: Progress | None) -> NDArray[Any]:
    """Read all images into one array with the axes of the series."""
    first = series.slices[0]
    colour = (3,) if "c" in series.axes else ()
    shape = (len(series.slices), first.rows, first.columns, *colour)
    by_file: defaultdict[Path, list[int]] = defaultdict(list)
    for index, image in enumerate(series.slices):
        by_file[image.path].append(index)
    _check_size(shape, series)
    dtype = np.dtype(series.dtype)
    try:
        while True:
            data = np.empty(shape, dtype)
            try:
                _fill(data, series, list(by_file.values()), progress)
                break
            except TooNarrow as wider:
                dtype = np.promote_types(wider.dtype, dtype)
    except MemoryError as problem:
        size = np.prod(shape, dtype=float) * dtype.itemsize / 2**30
        raise WorkError(f"not enough memory for {size:.1f} GB of voxels; close other programs") from problem
    frames = series.shape[0] if "t" in series.axes else 1
    if frames > 1:
        data = data.reshape(frames, len(series.slices) // frames, *shape[1:])
    if colour:
        data = np.ascontiguousarray(np.moveaxis(data, -1, -4))
    return data


def _fill(data: NDArray[Any], series: Series, groups: list[list[int]], progress: Progress | None) -> None:
    """Read file by file, several at a time: GDCM and reading let other threads run."""

    def read(some: list[list[int]]) -> None:
        for indices in some:
            decode_into([series.slices[index] for index in indices], [data[index] for index in indices])

    threads = min(_MOST_THREADS, os.cpu_count() or 1, len(groups))
    parts = [groups[start : start + _AT_ONCE] for start in range(0, len(groups), _AT_ONCE)]
    if threads == 1 or len(parts) == 1:
        for number, part in enumerate(parts):
            read(part)
            if progress is not None:
                progress(min((number + 1) * _AT_ONCE, len(groups)), len(groups))
        return
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(read, part) for part in parts]
        try:
            for number, future in enumerate(futures):
                future.result()
                if progress is not None:
                    progress(min((number + 1) * _AT_ONCE, len(groups)), len(groups))
        finally:
            for future in futures:
                future.cancel()


def _check_size(shape: tuple[int, ...], series: Series) -> None:
    """Refuse what claims far more voxels than its files can hold, before memory is asked for."""
    claimed = float(np.prod(shape, dtype=float)) * series.slices[0].bits_allocated / 8
    try:
        held = sum(file.stat().st_size for file in series.files)
    except OSError as problem:
        raise InputError(
            "found files of the series missing, expected all that were listed; list them again"
        ) from problem
    if claimed > max(_RATIO_FROM_BYTES, _MOST_RATIO * held):
        raise InputError(
            f"{series.files[0].name} claims {claimed / 2**30:.1f} GB of voxels in {held / 2**20:.1f} MB of files; "
            "it is damaged, copy it again from its source"
        )


def _interpolate(data: NDArray[Any], grid: EvenGrid) -> NDArray[Any]:
    """Put slices on even distances, linearly between the two around; whole numbers stay whole."""
    axis = data.ndim - 3
    shape = (*data.shape[:axis], len(grid.below), *data.shape[axis + 1 :])
    result = np.empty(shape, data.dtype)
    for index, (below, share) in enumerate(zip(grid.below, grid.share, strict=True)):
        low, high = (data[..., at, :, :] for at in (below, below + 1))
        values = low * (1.0 - share) + high * share if share else low
        result[..., index, :, :] = np.rint(values) if data.dtype.kind in "iu" else values
    return result


def _read_object(series: Series) -> Volume:
    """Hand segmentations and contours to who reads them, which needs more libraries than images do."""
    try:
        objects = import_module("napari_resmed.io.dicom.objects")
    except ModuleNotFoundError:
        raise InputError(series.problem) from None
    volume: Volume = objects.read_object(series)
    return volume


def _meta(series: Series) -> Mapping[str, Any]:
    first = series.slices[0]
    facts: dict[str, Any] = dict(first.facts)
    facts |= {"format": "DICOM", "description": series.description}
    if first.photometric:
        facts["photometric"] = first.photometric
    if "c" in series.axes:
        facts["colour"] = "RGB"
    if series.ordered_by:
        facts["ordered_by"] = series.ordered_by
    step_ms = facts.pop("temporal_resolution_ms", None)
    if "t" in series.axes and isinstance(step_ms, int | float) and step_ms > 0:
        facts["time_step_s"] = step_ms / 1000
    for key, values in series.parameters.items():
        facts[key] = list(values)
        facts.pop(_OF_ONE[key], None)  # that of the first time is not that of all
    if series.warnings:
        facts["warnings"] = list(series.warnings)
    return facts
