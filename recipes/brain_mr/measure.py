"""Measure ``brain-mr`` on cases it never saw, through the same job that a click runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_resmed.io import read
from napari_resmed.jobs.segment import segment
from napari_resmed.models.folder import load_model
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.synthesis import Degradation, deform, degrade, paint
from napari_resmed.volume import Volume
from recipes.brain_mr.anatomy import CSF, FIRST_OUTSIDE_ROW, STRUCTURES, Head, draw_t1, target_of_row
from recipes.familiar import familiar_of
from recipes.overlap import dice

# Images per held-out map; every second one is skull-stripped.
IMAGES_PER_MAP = 4
# A 1 mm grid that holds any adult head.
SHAPE = (192, 224, 192)

GREY = (
    "cerebral cortex",
    "thalamus",
    "caudate",
    "putamen",
    "pallidum",
    "hippocampus",
    "amygdala",
    "accumbens",
    "cerebellar cortex",
)
WHITE = ("cerebral white matter", "cerebellar white matter")


def run_job(image: Volume, model: Path | str, **options: Any) -> NDArray[Any]:
    """The labels a click gives."""
    steps = segment(image, str(model), **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return np.asarray(end.value.labels.data)


def synthesised(head: Head, seed: int, skull: bool) -> tuple[Volume, NDArray[np.uint8]]:
    """A fresh T1-like image at 1 mm of a map, and its structures on the same grid."""
    generator = torch.Generator().manual_seed(seed)
    ranges = Deformation(shift_mm=5.0)
    rows = deform(head.anatomy, SHAPE, 1.0, ranges, generator)
    if not skull:
        rows = rows * (rows < FIRST_OUTSIDE_ROW)
    image = degrade(paint(rows, draw_t1(generator), generator), 1.0, Degradation(), generator)
    affine = np.array([[0, 0, 1, -96.0], [0, 1, 0, -112.0], [1, 0, 0, -96.0], [0, 0, 0, 1]])
    truth = target_of_row()[rows.to(torch.int32)].numpy()
    return Volume(image.numpy(), affine, "zyx", "MR", head.name), truth


def on_held_out_maps(heads: list[Head], model: Path | str, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Dice per structure on fresh T1-like images of maps kept out of training."""
    scores: list[list[float]] = []
    images: dict[str, float] = {}
    for head in heads:
        for number in range(IMAGES_PER_MAP):
            image, truth = synthesised(head, 10_000 + number, skull=number % 2 == 0)
            labels = run_job(image, model)
            row = [dice(labels == value, truth == value) for value in range(1, len(STRUCTURES) + 1)]
            scores.append(row)
            images[f"{head.name} {number}"] = round(float(np.nanmean(row)), 4)
            say(f"{head.name} image {number}: mean Dice {np.nanmean(row):.3f}")
    table = np.array(scores)
    per_structure = {
        name: {"mean": round(float(np.nanmean(column)), 3), "sd": round(float(np.nanstd(column)), 3)}
        for name, column in zip(STRUCTURES, table.T, strict=True)
    }
    brain = [k for k in range(len(STRUCTURES)) if k + 1 != CSF]
    return {
        "images": len(scores),
        "mean_dice": round(float(np.nanmean(table)), 3),
        "mean_dice_without_csf": round(float(np.nanmean(table[:, brain])), 3),
        "worst_image": round(float(np.nanmean(table, 1).min()), 3),
        "images_dice": images,
        "structures": per_structure,
    }


def familiar(heads: list[Head], model: Path | str) -> dict[str, Any]:
    """What the model finds on a fresh image of each map, by which it can tell that another image does not fit."""
    images = (synthesised(head, 20_000 + number, skull=number % 2 == 0)[0] for number, head in enumerate(heads))
    # Training's thick slices were longer than the voxels they were made with.
    return replace(familiar_of(load_model(model), images), voxel_mm=Degradation().thick_slice_mm[1]).to_json()


def on_mni152(template: Path, model: Path | str) -> dict[str, float]:
    """Dice of grey and white matter against the template's own tissue probability maps at 0.5.

    Grey is cortex, deep grey, hippocampus, amygdala and cerebellar cortex; white is cerebral and cerebellar white
    matter. The maps cover brainstem and pallidum with a mixture of both tissues; see the card.
    """
    labels = run_job(read(template), model)
    return mni152_scores(labels, template)


def speed(template: Path, model: Path | str, clock: Callable[[], float]) -> dict[str, Any]:
    """Seconds and memory of one segmentation of the template with the model warm."""
    image = read(template)
    run_job(image, model)
    begin = clock()
    steps = segment(image, str(model))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            done = end.value
            break
    return {
        "seconds": round(clock() - begin, 1),
        "peak_memory_mb": round(done.peak_memory_mb),
        "machine": f"{torch.get_num_threads()} CPU cores, {done.precision}",
    }


def mni152_scores(labels: NDArray[Any], template: Path) -> dict[str, float]:
    """Score a label map on the template's grid."""
    names = list(STRUCTURES)
    scores = {}
    for name, tissue, structures in (
        ("gm", "gm", GREY),
        ("wm", "wm", WHITE),
        ("wm_with_brainstem", "wm", (*WHITE, "brainstem")),
    ):
        path = template.with_name(template.name.replace("_t1_", f"_{tissue}_"))
        truth = read(path).data.astype(np.float32)
        found = np.isin(labels, [1 + names.index(structure) for structure in structures])
        scores[name] = round(dice(found, truth / truth.max() > 0.5), 3)
    return scores
