"""What a model finds on images it was made for. The Train job measures that by itself; other recipes do it here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch

from napari_resmed.models.model import Model
from napari_resmed.predict.belt import Rows
from napari_resmed.predict.certainty import Certainty
from napari_resmed.predict.first_look import where_to_answer
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.memory_plan import free_bytes
from napari_resmed.predict.sliding_window import slide
from napari_resmed.predict.warm import warm_network
from napari_resmed.predict.windows import Windows
from napari_resmed.prepare.grid import Grid, prepare
from napari_resmed.review.appearance import appearance_of
from napari_resmed.review.familiar import Familiar, UsualVolume, usual_certainty
from napari_resmed.review.misfit import extent_of
from napari_resmed.review.quality import Look, Usual
from napari_resmed.volume import Volume
from recipes.cross_validation import run

__all__ = ["familiar_of"]


def familiar_of(model: Model, images: Iterable[Volume], say: Callable[[str], None] = print) -> Familiar:
    """Segment images that the model fits, unseen ones if possible, and keep what is usual of them and of the answers.

    Parameters
    ----------
    model:
        Saved, of one network and one background class.
    images:
        At least three; a dozen or more say what is usual.
    say:
        Told how far it is.
    """
    extents, edges, lowest, looks, found, sure = [], [], [], [], [], []
    for number, image in enumerate(images, 1):
        extents.append(extent_of(image))
        edges.append(max(image.spacing_mm))
        channels = image.data if image.axes == "czyx" else image.data[None]
        lowest.append([float(np.percentile(channel, 0.5)) for channel in channels])
        ready, _ = prepare(image, model.preparation)
        looks.append(Look({}, tuple(appearance_of(channel) for channel in ready.numpy())))
        volumes, certainty = _answer(model, image, ready)
        found.append(volumes)
        sure += [] if certainty is None else [certainty]
        say(f"familiar image {number}: {sum(volumes):.0f} ml found, sure by {certainty or 0:.3f}")
    always = np.array(found).min(0) > 0
    return Familiar(
        images=len(found),
        extent_mm=tuple((round(min(mm), 1), round(max(mm), 1)) for mm in zip(*extents, strict=True)),
        voxel_mm=round(max(edges), 3),
        lowest=tuple((min(values), max(values)) for values in zip(*lowest, strict=True)),
        looks=Usual.of(looks),
        volumes={
            value: UsualVolume.of([math.log(volumes[place]) for volumes in found])
            for place, value in enumerate(model.labels.values)
            if always[place]
        },
        certainty=usual_certainty(sure),
    )


def _answer(model: Model, image: Volume, ready: torch.Tensor) -> tuple[list[float], float | None]:
    """Volume in ml of every structure, and how sure the network is of them."""
    machine = choose_machine("auto")
    axes = model.mirror_axes if model.one_window and model.one_window.mirrored else ()
    if model.one_window:
        grid = Grid.of(image, model.preparation)
        looking = where_to_answer(image, grid, model, model.one_window, machine, free_bytes(machine))
        part, model = run(looking)
        ready, _ = prepare(image, model.preparation, part)
    certainty, counts = Certainty(), np.zeros(1 + len(model.labels), np.int64)
    steps = slide(
        ready,
        [warm_network(model, machine)],
        machine,
        Windows(model.patch, model.overlap, axes, mirrored_classes=model.mirrored_classes),
        classes=1 + len(model.labels),
        background_classes=model.background_classes,
    )
    for step in steps:
        if isinstance(step, Rows):
            certainty.add(step.scores)
            counts += np.bincount(step.scores.argmax(0).reshape(-1).numpy(), minlength=len(counts))
    voxel_ml = math.prod(model.preparation.spacing_mm) / 1000
    return [float(count) * voxel_ml for count in counts[1:]], certainty.mean
