"""Segment an image with a model; where the model is for a small part of what it shows, the part is found first."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy import ndimage

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.jobs.segment_image import Segmentation, geometry_facts, segment_image
from napari_resmed.labels import LabelMap, smallest_integer_type
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.found_by import FoundBy
from napari_resmed.models.model import Model
from napari_resmed.predict.cleanup import clean_up
from napari_resmed.predict.uncertainty import with_uncertainty
from napari_resmed.review.misfit import shows_much_more
from napari_resmed.volume import Volume

__all__ = ["Segmentation", "segment"]

Box = tuple[slice, slice, slice]

# Share of the whole job that finding the parts is; measured on a 1 mm head.
_FOUND = 0.8
# What is told of every part by itself.
_OF_A_PART = ("cleanup", "warnings", "misfit")


def segment(
    image: Volume,
    model: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    overlap: float | None = None,
    tta: bool = False,
    uncertainty: bool = False,
    uncertainty_kind: str = "entropy",
    backend: str = "auto",
    quick: bool = False,
) -> Generator[Event, None, Segmentation]:
    """Segment one image.

    A model that says by what its part is found, given an image that is far larger along every axis than those it was
    trained on, answers only there, each part as an image by itself; everything else is background.

    Parameters
    ----------
    image:
        3D, one channel per channel of the model; not changed.
    model:
        A name from the catalogue, or a model folder.
    device, precision:
        See :func:`napari_resmed.predict.machine.choose_machine`.
    overlap:
        Share of a window that its neighbour repeats, 0 <= overlap < 1; None: the model's.
    tta:
        Also run every window mirrored, along the axes the model allows (nnU-Net's along all combinations of them).
    uncertainty:
        Also tell how sure the model is, as an image and for every structure.
    uncertainty_kind:
        ``"entropy"`` of the class probabilities, over mirrored passes and networks together where there are several;
        ``"variance"`` between these. See :mod:`napari_resmed.predict.uncertainty`.
    backend:
        What runs the network: see :func:`napari_resmed.predict.backends.choose_backend`.
    quick:
        A quick look at the coarser spacing that the model knows; see ``quick_spacing_mm`` of
        :class:`napari_resmed.models.model.Model`.

    Raises
    ------
    InputError
        If the image or a parameter cannot be used, or the model's part is not found in the image.
    ModelError
        If the model is unknown, damaged, does not fit the image, or knows no quick look.
    WorkError
        If memory runs out.
    """
    chosen = find_model(model)
    chosen.check_fits(image)
    machine: dict[str, Any] = {"device": device, "precision": precision, "backend": backend}
    wishes: dict[str, Any] = {
        "overlap": overlap,
        "tta": tta,
        "uncertainty": uncertainty,
        "uncertainty_kind": uncertainty_kind,
        "quick": quick,
    }
    if chosen.found_by is None or not shows_much_more(image, chosen):
        return (yield from segment_image(image, chosen, **machine, **wishes))
    return (yield from _in_its_parts(image, chosen, chosen.found_by, machine, wishes))


def _in_its_parts(
    image: Volume, model: Model, found_by: FoundBy, machine: dict[str, Any], wishes: dict[str, Any]
) -> Generator[Event, None, Segmentation]:
    """Answer each part by itself, and put the answers where they belong."""
    begin = time.perf_counter()
    finder = find_model(found_by.model)
    quick = bool(finder.quick_spacing_mm)
    yield Started(f"Looking with {finder.name} for what {model.name} is for")
    looked = yield from _share(segment_image(image, finder, quick=quick, **machine), 0.0, _FOUND)
    warnings = list(looked.made_by.get("warnings", ()))
    boxes = _boxes(looked.labels, found_by, finder)
    for structure in found_by.structures:
        if structure not in boxes:
            warnings.append(f"{finder.name} found no {structure}, so {model.name} did not look there")
            yield Warning(warnings[-1])
    yield Started(f"Segmenting with {model.name}")
    found = np.zeros(image.grid_shape, smallest_integer_type(max(model.values)))
    doubt = np.zeros(image.grid_shape, np.float32) if wishes["uncertainty"] else None
    parts: list[Segmentation] = []
    notes: list[dict[str, Any]] = []
    for number, (structure, box) in enumerate(boxes.items()):
        at, to = (_FOUND + (1 - _FOUND) * n / len(boxes) for n in (number, number + 1))
        part = yield from _share(segment_image(image.cut(box), model, **machine, **wishes), at, to, structure)
        there = part.labels.data > 0
        found[box][there] = part.labels.data[there]
        if doubt is not None and part.uncertainty is not None:
            doubt[box] = np.maximum(doubt[box], part.uncertainty.data)
        parts.append(part)
        said: dict[str, Any] = {name: part.made_by[name] for name in _OF_A_PART if name in part.made_by}
        notes.append({"structure": structure, "voxels": [[along.start, along.stop] for along in box], **said})
        warnings += [f"{structure}: {warning}" for warning in said.get("warnings", ())]
    one = parts[0]
    scores = [note["misfit"] for note in notes if "misfit" in note]
    made_by: dict[str, Any] = {
        **{name: one.made_by[name] for name in ("program", "model", "model_version", "parameters")},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "found_by": {
            "model": finder.name,
            "model_version": finder.version,
            "margin_mm": found_by.margin_mm,
            **({"quick_look_mm": finder.quick_spacing_mm} if quick else {}),
        },
        "parts": notes,
        **({"warnings": warnings} if warnings else {}),
        **({"misfit": max(scores)} if scores else {}),
    }
    name = f"{image.name} {model.name}{' quick look' if wishes['quick'] else ''}".strip()
    meta = {**geometry_facts(image), "made_by": made_by}
    labels = LabelMap(found, image.affine, "zyx", image.modality, name, meta, model.labels)
    spent = {name: sum(run.seconds[name] for run in (looked, *parts)) for name in one.seconds}
    spent["total"] = time.perf_counter() - begin
    return Segmentation(
        labels=labels,
        table=labels.table() if doubt is None else with_uncertainty(labels.table(), found, doubt),
        model=model.name,
        device=one.device,
        precision=one.precision,
        tiles=sum(run.tiles for run in (looked, *parts)),
        seconds={name: round(value, 3) for name, value in spent.items()},
        peak_memory_mb=max(run.peak_memory_mb for run in (looked, *parts)),
        uncertainty=None
        if doubt is None
        else Volume(doubt, image.affine, "zyx", image.modality, f"{image.name} uncertainty".strip(), meta),
        made_by=made_by,
    )


def _boxes(labels: LabelMap, found_by: FoundBy, finder: Model) -> dict[str, Box]:
    """Around the largest piece of every structure that was found, with the margin, by name.

    Raises
    ------
    InputError
        If none was found.
    """
    value_of = {label.name: label.value for label in finder.labels if label.name in found_by.structures}
    whole = np.array(labels.data)
    clean_up(whole, dict.fromkeys(value_of.values(), Cleanup(largest_component=True)), labels.voxel_ml * 1000)
    spans = ndimage.find_objects(whole, max(value_of.values(), default=0))
    margins = [math.ceil(found_by.margin_mm / mm) for mm in labels.spacing_mm]
    found: dict[str, Box] = {}
    for structure in found_by.structures:
        span = spans[value_of[structure] - 1] if structure in value_of else None
        if span is not None:
            z, y, x = (
                slice(max(0, along.start - more), min(size, along.stop + more))
                for along, more, size in zip(span, margins, labels.grid_shape, strict=True)
            )
            found[structure] = (z, y, x)
    if not found:
        raise InputError(
            f"{finder.name} found no {' or '.join(found_by.structures)} in the image; cut out the part to be "
            "segmented, and segment that"
        )
    return found


def _share(
    steps: Generator[Event, None, Segmentation], begin: float, end: float, part: str = ""
) -> Generator[Event, None, Segmentation]:
    """A part of the work as one of several: its progress is a share of the whole's, its warnings name it."""
    with closing(steps):
        while True:
            try:
                event = next(steps)
            except StopIteration as done:
                result: Segmentation = done.value
                return result
            if isinstance(event, Progress):
                yield Progress(event.what, begin + (end - begin) * event.done)
            elif isinstance(event, Warning):
                yield Warning(f"{part}: {event.message}" if part else event.message)
