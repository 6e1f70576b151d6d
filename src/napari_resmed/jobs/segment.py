"""Segment an image with a model; where the model is for a small part of what it shows, the part is found first."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_resmed.errors import InputError, ModelError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.jobs.follow import follow
from napari_resmed.jobs.segment_image import Options, Segmentation, check_options, segment_image, segmentation
from napari_resmed.labels import LEFT, RIGHT, LabelMap, LabelSet, default_colour, smallest_integer_type
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.found_by import FoundBy
from napari_resmed.models.model import Model
from napari_resmed.predict.pieces import Box, box_of_pieces
from napari_resmed.review.misfit import AXES_BEYOND, axes_beyond, extent_of, familiar_to
from napari_resmed.volume import Volume

__all__ = ["Segmentation", "segment"]

# Share of a structure's usual volume under which it counts as not found.
HARDLY = 0.2
# Share of the whole job that finding the parts is; measured on a 1 mm head.
_FOUND = 0.8
# What is told of every part by itself.
_OF_A_PART = ("cleanup", "warnings", "misfit")


@dataclass(frozen=True)
class Part:
    """Where to look.

    Parameters
    ----------
    structure:
        What the other model calls it.
    box:
        In voxels ``(z, y, x)``, with the margin.
    labels:
        The model's structures as they are called and numbered in this part.
    """

    structure: str
    box: Box
    labels: LabelSet


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

    A model that says by what its part is found, given an image that is much larger along two axes than those it was
    trained on, answers only there, each part as an image by itself; everything else is background, and how sure the
    model is stands at 0 there. Of several parts each has labels of its own: those of the first have the model's values,
    the next ones' go on from there; where parts overlap the first one's stay.

    Parameters
    ----------
    image:
        3D, one channel per channel of the model; not changed.
    model:
        A name from the catalogue, or a model folder.
    device, precision, overlap, tta, uncertainty, uncertainty_kind, backend, quick:
        See :class:`napari_resmed.jobs.segment_image.Options`.

    Raises
    ------
    InputError
        If the image or a parameter cannot be used, or the model's part is not found in the image.
    ModelError
        If the model is unknown, damaged, does not fit the image, or knows no quick look; or the one that finds its
        part is not there, or does not fit.
    WorkError
        If memory runs out.
    """
    chosen = find_model(model)
    chosen.check_fits(image)
    options = Options(device, precision, overlap, tta, uncertainty, uncertainty_kind, backend, quick)
    check_options(chosen, options)
    beyond = axes_beyond(extent_of(image), chosen) if chosen.found_by else 0
    if chosen.found_by is None or beyond < AXES_BEYOND:
        return (yield from segment_image(image, chosen, options))
    finder = _finder(chosen, chosen.found_by, image)
    look = Options(device, precision, backend=backend, quick=bool(finder.quick_spacing_mm))
    told: list[str] = []
    clock = _Clock()
    yield Started(f"Looking with {finder.name} for what {chosen.name} is for")
    looking = segment_image(image, finder, look, chosen.found_by.structures)
    looked = yield from _share(looking, clock, told, 0.0, _FOUND, f"Looking with {finder.name}")
    told = [f"looking with {finder.name}: {warning}" for warning in told]
    parts = _parts(looked.labels, chosen, chosen.found_by, finder)
    there = [part.structure for part in parts]
    lost = [structure for structure in chosen.found_by.structures if structure not in there]
    if lost and not parts and beyond == len(image.grid_shape):
        raise InputError(
            f"{finder.name} found no {' or '.join(lost)} in the image, where {chosen.name} would look; cut out the "
            "part to be segmented, and segment that"
        )
    if lost:
        told.append(
            f"{finder.name} found no {' or '.join(lost)}: "
            + (f"{chosen.name} did not look there" if parts else f"{chosen.name} is given the whole image")
        )
    yield from map(Warning, told)
    if not parts:
        return (yield from segment_image(image, chosen, options))
    return (yield from _in_parts(image, chosen, options, parts, finder, looked, told, clock))


def _in_parts(
    image: Volume,
    model: Model,
    options: Options,
    parts: Sequence[Part],
    finder: Model,
    looked: Segmentation,
    told: list[str],
    clock: _Clock,
) -> Generator[Event, None, Segmentation]:
    """Answer each part by itself, and put the answers where they belong."""
    labels = LabelSet(tuple(label for part in parts for label in part.labels))
    found = np.zeros(image.grid_shape, smallest_integer_type(max(labels.values)))
    doubt = np.zeros(image.grid_shape, np.float32) if options.uncertainty else None
    done: list[Segmentation] = []
    notes: list[dict[str, Any]] = []
    said: dict[str, list[str]] = {}  # which parts a warning is of
    yield Started(f"Segmenting with {model.name}")
    for number, part in enumerate(parts):
        begin, end = (_FOUND + (1 - _FOUND) * n / len(parts) for n in (number, number + 1))
        warnings: list[str] = []
        cut = image.cut(part.box)
        one = yield from _share(segment_image(cut, model, options), clock, warnings, begin, end, part.structure)
        free = found[part.box] == 0
        found[part.box][free] = _renumbered(one.labels.data, model, part.labels, found.dtype)[free]
        if doubt is not None and one.uncertainty is not None:
            doubt[part.box][free] = one.uncertainty.data[free]
        for warning in warnings:
            said.setdefault(warning, []).append(part.structure)
        done.append(one)
        notes.append({"structure": part.structure, **_place(cut), **_known(one.made_by, _OF_A_PART)})
    together = [f"{', '.join(structures)}: {warning}" for warning, structures in said.items()]
    yield from map(Warning, together)
    scores = [note["misfit"] for note in notes if "misfit" in note]
    made_by = {
        **_known(done[0].made_by, ("program", "model", "model_version", "parameters")),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "found_by": {
            "model": finder.name,
            "model_version": finder.version,
            **_known(looked.made_by["parameters"], ("quick_look_mm",)),
            **_known(looked.made_by, ("misfit",)),
        },
        "parts": notes,
        **({"warnings": [*told, *together]} if told or together else {}),
        **({"misfit": max(scores)} if scores else {}),
    }
    runs = (looked, *done)
    spent = {name: sum(one.seconds[name] for one in runs) for name in looked.seconds}
    return segmentation(
        image,
        model,
        labels,
        found,
        doubt,
        made_by,
        tiles=sum(one.tiles for one in runs),
        seconds={**spent, "total": clock.elapsed()},
        peak_memory_mb=max(one.peak_memory_mb for one in runs),
    )


def _finder(model: Model, found_by: FoundBy, image: Volume) -> Model:
    """The model that finds the part, if it can."""
    hint = f"{model.name} finds its part of so large an image with {found_by.model}, and"
    wayout = "cut out the part to be segmented, and segment that"
    try:
        finder = find_model(found_by.model)
        finder.check_fits(image)
    except ModelError as problem:
        raise ModelError(f"{hint} {problem}; {wayout}") from problem
    strange = set(found_by.structures) - {label.name for label in finder.labels}
    if strange:
        raise ModelError(f"{hint} that has no structure {min(strange)}; {wayout}")
    return finder


def _parts(labels: LabelMap, model: Model, found_by: FoundBy, finder: Model) -> list[Part]:
    """Of every structure that was found, where it lies with the margin, and what is told apart in it."""
    spans = ndimage.find_objects(labels.data, max(finder.labels.values))
    usual = familiar_to(finder).volumes
    margins = [max(1, math.ceil(found_by.margin_mm / mm)) for mm in labels.spacing_mm]
    of_name = {label.name: label for label in finder.labels}
    said = found_by.parts(finder.labels)
    parts = []
    for number, structure in enumerate(found_by.structures):
        label = of_name[structure]
        around = spans[label.value - 1]
        if around is None:
            continue
        least = HARDLY * usual[label.value].ml if label.value in usual else 0.0
        inner = box_of_pieces(labels.data[around] == label.value, least / labels.voxel_ml)
        if inner is None:
            continue
        z, y, x = (
            slice(max(0, out.start + into.start - more), min(size, out.start + into.stop + more))
            for out, into, more, size in zip(around, inner, margins, labels.grid_shape, strict=True)
        )
        side = label.modifier if label.modifier in (LEFT, RIGHT) else None
        called = _called(model.labels, number, said[structure]) if said else model.labels
        if said and side:
            called = LabelSet(
                tuple(replace(one, region=one.region or one.code, region_modifier=side) for one in called)
            )
        parts.append(Part(structure, (z, y, x), called))
    return parts


def _called(labels: LabelSet, number: int, part: str) -> LabelSet:
    """The labels of a further part: other values, other colours, and names that say which part."""
    first = number * max(labels.values)
    return LabelSet(
        tuple(
            replace(
                label,
                value=first + label.value,
                name=f"{part} {label.name}",
                colour=default_colour(first + label.value) if number else label.colour,
            )
            for label in labels
        )
    )


def _renumbered(found: NDArray[Any], model: Model, labels: LabelSet, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The model's values as a part's."""
    table = np.zeros(max(model.values) + 1, dtype)
    table[list(model.labels.values)] = labels.values
    renumbered: NDArray[Any] = table[found]
    return renumbered


def _place(part: Volume) -> dict[str, Any]:
    """Where a part lies in the patient, whatever the image is cut to afterwards."""
    middle = part.affine @ [*((size - 1) / 2 for size in part.grid_shape), 1.0]
    edges = (size * mm for size, mm in zip(part.grid_shape, part.spacing_mm, strict=True))
    return {
        "centre_lps_mm": [round(float(mm), 1) for mm in middle[:3]],
        "size_zyx_mm": [round(float(mm), 1) for mm in edges],
    }


def _known(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


class _Clock:
    """Since when the whole job goes on."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()

    def elapsed(self) -> float:
        return time.perf_counter() - self._begin

    def left(self, share: float) -> float | None:
        """Seconds that a job takes on, of which so large a share is done."""
        return self.elapsed() * (1 - share) / share if share > 0.1 else None


def _share(
    steps: Generator[Event, None, Segmentation], clock: _Clock, told: list[str], begin: float, end: float, stage: str
) -> Generator[Event, None, Segmentation]:
    """A part of the work as one of several: its progress is a share of the whole's, its warnings are gathered."""

    def tell(event: Event) -> Event | None:
        if isinstance(event, Progress):
            share = begin + (end - begin) * event.done
            return Progress(f"{stage}: {event.what}", share, clock.left(share))
        if isinstance(event, Warning):
            told.append(event.message)
        return None

    return follow(steps, tell)
