"""What is painted, and whether it is the same as before; fast enough to be asked after every stroke."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Painted", "what_is_painted"]


@dataclass(frozen=True)
class Painted:
    """What is painted.

    Parameters
    ----------
    digest:
        A checksum of the painted slices and of where they lie: two that are alike were painted alike.
    values:
        Every value but 0, ascending.
    """

    digest: int
    values: tuple[int, ...]


def what_is_painted(data: Any) -> Painted:
    """Look through the slices that hold paint; meant for a thread beside the window's.

    Parameters
    ----------
    data:
        Whole numbers ``(z, y, x)`` or ``(y, x)``. They may be painted on meanwhile: whoever does so asks again.
    """
    digest, values = 0, set[int]()
    for number, part in enumerate(data if data.ndim == 3 else (data,)):
        plane = np.asarray(part)
        if not plane.any():
            continue
        digest = zlib.crc32(np.ascontiguousarray(plane).data, zlib.crc32(number.to_bytes(4, "little"), digest))
        values.update(np.unique(plane).tolist())
    return Painted(digest, tuple(sorted(values - {0})))
