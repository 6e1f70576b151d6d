"""AFNI's pairs of ``.HEAD`` and ``.BRIK``, through nibabel."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from nibabel import brikhead

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io.source import encoding_of, open_source
from napari_resmed.volume import Volume

__all__ = ["SUFFIXES", "read_afni"]

SUFFIXES = (".head", ".brik", ".brik.gz")
# The text of a header with a long history takes some hundred kB.
_MOST_HEADER = 1 << 24


def read_afni(path: Path) -> Volume:
    """Read a dataset by either of its files; sub-bricks become time.

    Raises
    ------
    InputError
        If one of the two files is missing, damaged, or holds something else.
    """
    name = path.name
    stem = name[: -len(next(suffix for suffix in reversed(SUFFIXES) if name.lower().endswith(suffix)))]
    head = path.with_name(f"{stem}.HEAD")
    brick = next(
        (path.with_name(stem + end) for end in (".BRIK", ".BRIK.gz") if path.with_name(stem + end).is_file()), None
    )
    if not head.is_file() or brick is None:
        raise InputError(
            f"{name} is half of a pair: found no {stem}.HEAD with a {stem}.BRIK beside it; copy both files"
        )
    if head.stat().st_size > _MOST_HEADER:
        raise InputError(f"{head.name} is damaged: it is no text header; copy it again from its source")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = brikhead.AFNIImage.from_filename(head).header
            shape = tuple(int(size) for size in header.get_data_shape())
            stored = np.dtype(header.get_data_dtype())
            affine = geometry.check_affine(geometry.ras_to_lps(header.get_affine()))
            slopes = header.get_data_scaling()
    except InputError as problem:
        raise InputError(f"{name}: {problem}") from problem
    except Exception as problem:  # nibabel meets a broken header with any of a dozen kinds
        raise InputError(f"{head.name} is damaged: it is no AFNI header; copy it again from its source") from problem
    if not 3 <= len(shape) <= 4 or min(shape) < 1 or stored.kind not in "iuf":
        raise InputError(f"{name} holds {stored} of size {shape}, expected numbers in three or four dimensions")
    with open_source(brick, encoding_of(brick)) as source:
        data = source.array(shape[::-1], stored)
        notes = source.finish(math.prod(shape) * stored.itemsize, max(shape))
    if slopes is not None:
        # One factor a sub-brick; float32, as AFNI computes.
        factors = np.asarray(slopes, np.float32).reshape(-1, *(1,) * 3)
        data = (data.reshape(-1, *shape[2::-1]) * factors).reshape(data.shape)
    if data.ndim == 4 and len(data) == 1:
        data = data[0]
    meta: dict[str, Any] = {"format": "AFNI", "warnings": notes}
    return Volume(data, affine, "tzyx" if data.ndim == 4 else "zyx", name=stem.partition("+")[0], meta=meta)
