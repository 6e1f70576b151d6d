"""Measure the structures of a label map."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.errors import InputError, WorkError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.labels import LabelMap
from napari_resmed.review.measure import measure as measure_labels
from napari_resmed.review.same_grid import difference, turn_onto
from napari_resmed.volume import Volume

__all__ = ["check_fits", "measure"]


def measure(labels: LabelMap, image: Volume | None = None) -> Generator[Event, None, list[dict[str, Any]]]:
    """Measure every label.

    Parameters
    ----------
    labels:
        3D, any grid.
    image:
        Where brightness is measured; the same voxels at the same places, in any order of axes.

    Returns
    -------
    list of dict
        One row per label that is known or present, by value: ``value``, ``name`` and the keys of
        :data:`napari_resmed.review.measure.FIGURES`; those of the image only where there is one. What does not exist
        is None.

    Raises
    ------
    InputError
        If the image lies on another grid, or has colours or time points.
    WorkError
        If memory runs out.
    """
    check_fits(labels, image)
    begin = time.perf_counter()
    yield Started("Measuring")
    below = None if image is None else _on_grid(image, labels)
    if below is not None and below.dtype.kind == "f" and not np.isfinite(below[np.asarray(labels.data) > 0]).all():
        yield Warning("the image holds voxels without a value (NaN or infinity) within the labels; they do not count")
    steps = measure_labels(labels, below)
    try:
        while True:
            done = next(steps)
            spent = time.perf_counter() - begin
            yield Progress("Measuring", done, spent * (1 - done) / done if done else None)
    except StopIteration as end:
        return [found.to_row(of_image=image is not None) for found in end.value]
    except MemoryError as problem:
        raise WorkError("out of memory; close other programs, or measure without the image") from problem


def check_fits(labels: LabelMap, image: Volume | None) -> None:
    """Refuse what cannot be measured together.

    Raises
    ------
    InputError
        See :func:`measure`.
    """
    if labels.axes != "zyx":
        raise InputError(f"the labels have {labels.frames} time points, expected one: save the one you want by itself")
    if image is None:
        return
    if image.axes != "zyx":
        raise InputError(
            f"the image has {image.channels} channels and {image.frames} time points, expected one of each: save the "
            "one you want by itself"
        )
    if turn_onto(image, labels) is None:
        raise InputError(
            f"the image lies on another grid than the labels ({difference(image, labels)}); give the image that the "
            "labels were made on, or measure without one"
        )


def _on_grid(image: Volume, labels: LabelMap) -> NDArray[Any]:
    order = turn_onto(image, labels)
    assert order is not None
    return order.apply(image.data)
