"""Run-length encoded pixels hold as many values as the header says (PS3.5 G): decoders stop when they have enough."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from rle.rle import decode_segment

from napari_resmed.errors import InputError
from napari_resmed.io.dicom.slice import Slice

__all__ = ["check_runs"]

_HEAD_BYTES, _MOST_SEGMENTS = 64, 15
# A segment is padded to an even length, and a decoder may take the padding for a run of one.
_PADDING = 1


def check_runs(image: Slice, items: Sequence[tuple[int, int]]) -> None:
    """Refuse a file whose runs hold more than its rows and columns: it would be shown sheared, in silence.

    Parameters
    ----------
    image:
        Any of the file.
    items:
        Where the items of its pixel data lie, their heads of 8 bytes included; the table of offsets first.

    Raises
    ------
    InputError
        If a segment holds more values than a frame has pixels.
    """
    rows, columns = image.picture or (image.rows, image.columns)
    with image.path.open("rb") as file:
        for at, length in items[1:]:
            file.seek(at + 8)
            frame = file.read(length - 8)
            for segment in _segments(frame):
                found = len(decode_segment(segment))
                if found > rows * columns + _PADDING:
                    raise InputError(
                        f"{image.path.name} holds {found} pixels a frame, its header says {rows} x {columns}; export "
                        "it again"
                    )


def _segments(frame: bytes) -> list[bytes]:
    if len(frame) < _HEAD_BYTES:
        return []  # the decoder refuses it
    count, *starts = struct.unpack("<16L", frame[:_HEAD_BYTES])
    if not 0 < count <= _MOST_SEGMENTS:
        return []
    ends = [*starts[1:count], len(frame)]
    return [frame[start:end] for start, end in zip(starts[:count], ends, strict=True)]
