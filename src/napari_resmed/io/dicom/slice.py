"""One image of a DICOM file, as far as its header goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["B_VALUE", "TIMES", "TRIGGER_TIME", "Slice"]

# What orders images of one place, in the order of Slice.times.
TIMES = (
    "temporal position",
    "trigger time",
    "b-value",
    "acquisition number",
    "instance number",
    "acquisition time",
    "content time",
    "frame reference time",
)
TRIGGER_TIME, B_VALUE = TIMES.index("trigger time"), TIMES.index("b-value")


@dataclass(frozen=True)
class Slice:
    """One image of a file: where it lies, how its voxels are stored, when and how it was taken.

    Parameters
    ----------
    path, frame:
        The file, and the frame in it; None where the file holds one image alone.
    position, row, column:
        Patient position of the centre of the first voxel in mm, and unit directions in which the column
        index and the row index grow; LPS ``(x, y, z)``. Empty where the file does not say.
    spacing_mm:
        Between rows, between columns ``(dy, dx)``; empty where the file does not say.
    contrast:
        What makes another image of the same place another image, and not another time: its type, part, units.
    echo_number, echo_time_ms:
        Which echo it is; empty and None are unsaid.
    times:
        By which repeated images of one place are put in order, the most telling first; None is unsaid.
    picture, corner:
        Where the image is one tile of a larger picture: the size of that, and the tile's first row and column.
    frames_in_file:
        How many frames the file says it holds.
    film:
        Whether it is one of several frames of a file of which nothing but the order is known.
    syntax, pixels, pixels_at, pixels_length, element_at, little:
        How the file's pixels are encoded (transfer syntax UID), the keyword of the tag that holds them, where its
        value lies if it is not compressed, and where the element begins.
    problem:
        Why it cannot be read; empty when it can.
    kind:
        ``"image"``, ``"labels"`` or ``"other"``, as of a series.
    """

    path: Path
    frame: int | None = None
    uid: str = ""
    series_uid: str = ""
    frame_of_reference: str = ""
    stack: str = ""
    modality: str = ""
    description: str = ""
    rows: int = 0
    columns: int = 0
    samples: int = 1
    photometric: str = ""
    bits: int = 16
    bits_allocated: int = 16
    high_bit: int = 15
    planar: bool = False
    signed: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    position: tuple[float, ...] = ()
    row: tuple[float, ...] = ()
    column: tuple[float, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    spacing_at_detector: bool = False
    thickness_mm: float | None = None
    slice_gap_mm: float | None = None
    contrast: tuple[str, ...] = ()
    echo_number: str = ""
    echo_time_ms: float | None = None
    times: tuple[float | None, ...] = ()
    picture: tuple[int, ...] = ()
    corner: tuple[int, int] = (0, 0)
    film: bool = False
    frames_in_file: int = 1
    syntax: str = ""
    pixels: str = ""
    pixels_at: int = 0
    element_at: int = 0
    pixels_length: int = 0
    little: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)
    problem: str = ""
    sop_class: str = ""
    kind: str = "image"
