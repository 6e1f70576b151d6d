"""Segment an image file from a file of strokes: reading, the work, writing."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress
from napari_resmed.io.files import read, write
from napari_resmed.io.provenance import write_provenance
from napari_resmed.jobs.scribble import scribble
from napari_resmed.review.as_labels import as_labels
from napari_resmed.scribble.channels import join_channels

__all__ = ["scribble_file"]


def scribble_file(
    path: Path,
    strokes: Path,
    target: Path,
    *,
    channels: Sequence[Path] = (),
    background: int | None = None,
    unsure: Path | None = None,
    series: str = "",
    check: bool = True,
    smooth: bool = True,
) -> Generator[Event, None, dict[str, Any]]:
    """Segment one file.

    Parameters
    ----------
    path, strokes:
        The image and the strokes on its grid, files or a DICOM folder.
    target:
        Where the labels go; a note of how they were made goes beside it.
    channels:
        Further images of the patient on the same grid, which are looked at together with the first.
    unsure:
        Where the map of doubt goes, if it is wanted.
    series:
        Which series of a folder that holds several.
    background, check, smooth:
        Of :func:`napari_resmed.jobs.scribble.scribble`.

    Returns
    -------
    dict
        What ``scribble --json`` prints.

    Raises
    ------
    ResMedError
        If the input, a place or the work is at fault; nothing half-written is left.
    """
    begin = time.perf_counter()
    yield Progress(f"Reading {path.name}", 0.0)
    image = join_channels([read(path, series), *(read(channel) for channel in channels)])
    painted = as_labels(read(strokes), strokes, used="strokes")
    was_read = time.perf_counter()
    done = yield from scribble(
        image, painted, background=background, unsure=unsure is not None, check=check, smooth=smooth
    )
    was_done = time.perf_counter()
    if unsure is not None and done.unsure is None:
        raise InputError("there is no map of doubt to write")
    write(done.labels, target, like=path, series=series)
    write_provenance(target, done.labels, path)
    if unsure is not None and done.unsure is not None:
        write(done.unsure, unsure)
    end = time.perf_counter()
    return {
        "output": str(target),
        "labels": done.table,
        "background": done.background,
        "strokes": done.strokes,
        "sure": done.sure,
        "held_out": done.held_out,
        "suggestion": done.suggestion,
        "seconds": {
            "read": round(was_read - begin, 3),
            "look": done.seconds["look"],
            "segment": round(done.seconds["total"] - done.seconds["look"], 3),
            "write": round(end - was_done, 3),
            "total": round(end - begin, 3),
        },
    }
