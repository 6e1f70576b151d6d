"""Siemens mosaics: all slices of a volume tiled in one picture, with the place of the picture as a whole.

The tiles' number and the side on which the next slice lies stand in a private header (0029,1010), which
nibabel reads. The picture's position is that of a slice as large as all tiles together, around the same
centre; so the first voxel of a tile lies farther in.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_resmed.io.dicom.classic import order, place
from napari_resmed.io.dicom.header import Header
from napari_resmed.io.dicom.slice import B_VALUE, Slice
from napari_resmed.io.dicom.values import Malformed, number, text

__all__ = ["is_mosaic", "tiles"]

# The normal that the private header states, and rows x columns: printed digits apart, one or its reverse.
PARALLEL = 0.999


def is_mosaic(header: Header) -> bool:
    """Whether the picture is tiles of slices."""
    return "MOSAIC" in text(header, "ImageType").split("\\") and "PerFrameFunctionalGroupsSequence" not in header


def tiles(path: Path, header: Header, common: dict[str, Any]) -> Iterator[Slice]:
    """Give the slices, in the order of the tiles.

    Raises
    ------
    Malformed
        If the header does not say how many there are, or where they lie.
    """
    count, normal, b_value = _private_facts(header)
    placed, ordered = place(header), order(header)
    if b_value is not None and ordered["times"][B_VALUE] is None:
        ordered["times"] = (*ordered["times"][:B_VALUE], b_value, *ordered["times"][B_VALUE + 1 :])
    step = placed["slice_gap_mm"] or placed["thickness_mm"]
    if not (count and step and placed["position"] and "row" in placed and placed["spacing_mm"]):
        raise Malformed(
            "found a Siemens mosaic (all slices tiled in one picture) without the number of tiles or their place, "
            "expected both; export the series again, with its private tags"
        )
    if normal is None:
        raise Malformed(
            "found a Siemens mosaic (all slices tiled in one picture) without its private header, which says in "
            "which direction the slices follow each other; export the series again, with its private tags"
        )
    across = math.ceil(math.sqrt(count))
    rows, columns = common["rows"] // across, common["columns"] // across
    if rows * across != common["rows"] or columns * across != common["columns"]:
        raise Malformed(
            f"found a mosaic of {common['rows']} x {common['columns']} pixels for {count} tiles, expected {across} "
            "equal tiles a side; export the series again"
        )
    row, column = np.array(placed["row"]), np.array(placed["column"])
    own = np.cross(row, column)
    if abs(float(own @ normal)) < PARALLEL:
        raise Malformed("found a mosaic whose slices do not follow each other along the normal; export it again")
    up = own * (math.copysign(1, float(own @ normal)) * abs(step))
    dy, dx = placed["spacing_mm"]
    first = (
        np.array(placed["position"])
        + row * (dx * (common["columns"] - columns) / 2)
        + column * (dy * (common["rows"] - rows) / 2)
    )
    shared = common | placed | ordered | {"rows": rows, "columns": columns, "slice_gap_mm": abs(step)}
    for index in range(count):
        yield Slice(
            path,
            **shared
            | {
                "position": tuple((first + index * up).tolist()),
                "picture": (common["rows"], common["columns"]),
                "corner": (index // across * rows, index % across * columns),
            },
        )


def _private_facts(header: Header) -> tuple[int, Any, float | None]:
    """Number of tiles, direction from one slice to the next, b-value; 0 and None where it is not said."""
    count, normal, b_value = int(number(header, "NumberOfImagesInMosaic") or 0), None, None
    raw = header.get("CSAImageHeaderInfo")
    if isinstance(raw, bytes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nibabel calls its own reader experimental
            from nibabel.nicom import csareader
        try:
            tags = csareader.read(raw)["tags"]
            count = int((tags["NumberOfImagesInMosaic"]["items"] or [count])[0])
            items = tags["SliceNormalVector"]["items"]
            b_value = number({"b": tags["B_value"]["items"]}, "b") if "B_value" in tags else None
        except Exception as problem:  # a private format, met with whatever goes wrong in it
            raise Malformed("found a damaged private header (0029,1010) in a mosaic; export it again") from problem
        normal = np.array(items, dtype=float) if len(items) == 3 else None
    return count, normal, b_value
