"""Segment an image file into a label file: reading, the work, writing."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_resmed.events import Event, Progress, Warning
from napari_resmed.io import read, write
from napari_resmed.io.files import LEFT_OUT
from napari_resmed.io.provenance import write_provenance
from napari_resmed.io.tables import write_table
from napari_resmed.jobs.segment import segment
from napari_resmed.labels import LabelMap

__all__ = ["segment_file"]


def segment_file(
    path: Path,
    target: Path,
    model: str,
    *,
    uncertainty: Path | None = None,
    table: Path | None = None,
    series: str = "",
    **options: Any,
) -> Generator[Event, None, dict[str, Any]]:
    """Segment one file.

    Parameters
    ----------
    path:
        An image file or a DICOM folder.
    target:
        Where the labels go; a note of how they were made goes beside it. ``.dcm`` over a DICOM series.
    model:
        A name from the catalogue, or a model folder.
    uncertainty, table:
        Where the uncertainty map and the table of volumes (CSV) go, if they are wanted; with the one, the other has a
        column of it.
    series:
        Which series of a folder that holds several.
    options:
        ``device, precision, overlap, tta, uncertainty_kind, quick`` of :func:`napari_resmed.jobs.segment.segment`.

    Returns
    -------
    dict
        What ``segment --json`` prints: ``output, model, labels, seconds, tiles, device, precision,
        peak_memory_mb``.

    Raises
    ------
    ResMedError
        If the input, a place or the work is at fault; nothing half-written is left.
    """
    begin = time.perf_counter()
    yield Progress(f"Reading {path.name}", 0.0)
    image = read(path, series)
    of_file = list(image.meta.get("warnings", ()))
    yield from map(Warning, of_file)
    was_read = time.perf_counter()
    done = yield from segment(image, model, uncertainty=uncertainty is not None, **options)
    was_done = time.perf_counter()
    labels = _with_warnings(done.labels, of_file)
    write(labels, target, like=path, series=series)
    write_provenance(target, labels, path)
    if uncertainty is not None and done.uncertainty is not None:
        write(done.uncertainty, uncertainty)
    if table is not None:
        write_table(done.table, table)
    end = time.perf_counter()
    seconds = {
        "read": was_read - begin,
        "prepare": done.seconds["load"] + done.seconds["prepare"],
        "network": done.seconds["network"],
        "restore": done.seconds["restore"],
        "write": end - was_done,
        "total": end - begin,
    }
    return {
        "output": str(target),
        "model": done.model,
        "labels": done.table,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "tiles": done.tiles,
        "device": done.device,
        "precision": done.precision,
        "peak_memory_mb": done.peak_memory_mb,
    }


def _with_warnings(labels: LabelMap, of_file: Sequence[str]) -> LabelMap:
    """Noting, too, what was odd about the file; else as they are.

    What was left out of a folder is told by file names, which are often those of patients: that it was is noted alone.
    """
    if not of_file:
        return labels
    made_by = labels.meta["made_by"]
    nameless = (f"{LEFT_OUT}files or series" if told.startswith(LEFT_OUT) else told for told in of_file)
    noted = {**made_by, "warnings": [*dict.fromkeys(nameless), *made_by.get("warnings", ())]}
    return replace(labels, meta={**labels.meta, "made_by": noted})
