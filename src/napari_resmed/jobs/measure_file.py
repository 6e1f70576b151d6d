"""Measure a label file into a table: reading, the work, writing."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Warning
from napari_resmed.io.files import read, read_all
from napari_resmed.io.tables import write_table
from napari_resmed.jobs.measure import check_fits, measure
from napari_resmed.labels import LabelMap
from napari_resmed.review.as_labels import as_labels
from napari_resmed.review.measure import Measurement

__all__ = ["measure_file"]


def measure_file(
    labels: Path, image: Path | None, target: Path, *, series: str = ""
) -> Generator[Event, None, list[dict[str, Any]]]:
    """Measure one file, and write the table as CSV, whole or not at all.

    Parameters
    ----------
    labels:
        A label file; one that holds several maps, because structures overlap, is measured map by map.
    image:
        An image on the same grid, None to measure shapes alone.
    target:
        Where the table goes.
    series:
        Which series of the image's folder.

    Returns
    -------
    list of dict
        The rows; see :func:`napari_resmed.jobs.measure.measure`.

    Raises
    ------
    ResMedError
        If the input, the place or the work is at fault.
    """
    yield Progress(f"Reading {labels.name}", 0.0)
    maps = _label_maps(labels, image)
    below = None if image is None else read(image, series)
    for one in maps:
        check_fits(one, below)
    told = [warning for one in (*maps, *([below] if below else [])) for warning in one.meta.get("warnings", ())]
    for warning in dict.fromkeys(told):
        yield Warning(warning)
    rows: list[dict[str, Any]] = []
    for one in maps:
        rows += yield from measure(one, below)
    rows.sort(key=lambda row: row["value"])
    nothing = Measurement(0, "", 0, 0.0).to_row(of_image=image is not None)
    write_table(rows, target, nothing)
    return rows


def _label_maps(path: Path, like: Path | None) -> list[LabelMap]:
    volumes = read_all(path, "", like)
    maps = [volume for volume in volumes if isinstance(volume, LabelMap)]
    if maps:
        return maps
    if len(volumes) != 1:
        raise InputError(f"{path.name} holds {len(volumes)} images and no labels, expected a label map")
    if volumes[0].axes != "zyx":
        raise InputError(
            f"{path.name} has {volumes[0].channels} channels and {volumes[0].frames} time points, expected a label map"
        )
    return [as_labels(volumes[0], path, used="measured")]
