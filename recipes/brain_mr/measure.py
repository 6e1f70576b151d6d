"""Measure ``brain-mr`` on cases it never saw, through the same job that a click runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_resmed.io import read
from napari_resmed.jobs.segment import segment
from napari_resmed.models.folder import load_model
from napari_resmed.review.pictures import picture
from napari_resmed.train.synthesis import Degradation
from napari_resmed.volume import Volume
from recipes.brain_mr.anatomy import CSF, KIND_OF, STRUCTURES, Head, kind_value
from recipes.brain_mr.images import Image, held_out_images, of_training, synthesised
from recipes.brain_mr.train import SPOILT
from recipes.cross_validation import run
from recipes.familiar import familiar_of
from recipes.overlap import dice

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
NOISES = (0.0, 0.02, 0.04, 0.06, 0.08, 0.10)  # of the brightest tissue; training's end at 0.05
BIASES = (0.0, 0.15, 0.3, 0.45, 0.6)  # standard deviation of the field's log; training's end at 0.45
THICK_MM = 5.0
SHOWN = 3  # images as pictures in the card

Say = Callable[[str], None]


def run_job(image: Volume, model: Path | str, **options: Any) -> NDArray[Any]:
    """The labels a click gives."""
    return np.asarray(run(segment(image, str(model), **options)).labels.data)


def scores(found: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Dice of every structure; NaN where it is in neither."""
    return np.array([dice(found == value, truth == value) for value in range(1, len(STRUCTURES) + 1)])


def without_sides(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Labels in which left and right are one, with the values of :func:`recipes.brain_mr.anatomy.kind_value`."""
    table = np.array([0, *(kind_value(KIND_OF[name]) for name in STRUCTURES)], np.uint8)
    return table[labels]


def on_held_out_maps(heads: Sequence[Head], model: Path | str, say: Say = print) -> dict[str, Any]:
    """Dice per structure on fresh images of maps kept out of training, by contrast.

    Returns
    -------
    dict
        ``images``, ``mean_dice``, ``worst_image``, ``contrasts`` (mean Dice of each), ``structures`` (mean and standard
        deviation over images), ``images_dice``, and ``quick``: mean Dice of quick looks at the same images.
    """
    rows: list[NDArray[np.float64]] = []
    quick: list[float] = []
    of_contrast: dict[str, list[float]] = {}
    images: dict[str, float] = {}
    for image in held_out_images(heads):
        row = scores(run_job(image.volume, model), image.truth)
        rows.append(row)
        quick.append(float(np.nanmean(scores(run_job(image.volume, model, quick=True), image.truth))))
        mean = float(np.nanmean(row))
        images[image.name] = round(mean, 4)
        of_contrast.setdefault(image.contrast, []).append(mean)
        say(f"{image.name}: mean Dice {mean:.3f}, a quick look {quick[-1]:.3f}")
    table = np.array(rows)
    brain = [k for k in range(len(STRUCTURES)) if k + 1 != CSF]
    return {
        "images": len(rows),
        "mean_dice": round(float(np.nanmean(table)), 3),
        "mean_dice_without_csf": round(float(np.nanmean(table[:, brain])), 3),
        "worst_image": round(min(images.values()), 3),
        "quick": round(float(np.mean(quick)), 3),
        "contrasts": {name: round(float(np.mean(means)), 3) for name, means in of_contrast.items()},
        "images_dice": images,
        "structures": {
            name: {"mean": round(float(np.nanmean(column)), 3), "sd": round(float(np.nanstd(column)), 3)}
            for name, column in zip(STRUCTURES, table.T, strict=True)
        },
    }


def sweeps(head: Head, model: Path | str, say: Say = print) -> dict[str, Any]:
    """Mean Dice of one T1 image of a map as it gets noisier, as its bias field grows, and with slices of 5 mm.

    Returns
    -------
    dict
        ``noise`` and ``bias``: mean Dice by how strong; ``thick_slices``: of slices of 1 mm and of 5 mm along z, these
        judged on their own grid, and repeated on that of 1 mm; what their true labels reach there, which are the most
        frequent of a voxel's.
    """

    def mean(**spoilt: Any) -> float:
        image = synthesised(head, "T1", seed=3, spoilt=replace(STILL, **spoilt))
        return round(float(np.nanmean(scores(run_job(image.volume, model), image.truth))), 3)

    found: dict[str, Any] = {
        "noise": {f"{noise:g}": mean(noise=(noise, noise)) for noise in NOISES},
        "bias": {f"{bias:g}": mean(bias_strength=(bias, bias)) for bias in BIASES},
    }
    image = synthesised(head, "T1", seed=3, spoilt=STILL)
    thick = in_thick_slices(image)
    labels, size = run_job(thick.volume, model), len(image.truth)
    judged = (
        (labels, thick.truth),
        (_repeated(labels, size), image.truth),
        (_repeated(thick.truth, size), image.truth),
    )
    own, repeated, most = (round(float(np.nanmean(scores(answer, truth))), 3) for answer, truth in judged)
    found["thick_slices"] = {
        "1 mm": found["bias"]["0"],
        "5 mm, on their grid": own,
        "5 mm, repeated at 1 mm": repeated,
        "5 mm, true labels repeated at 1 mm": most,
    }
    say(str(found))
    return found


# As little spoilt as training's images ever are.
STILL = Degradation(
    bias_strength=(0.0, 0.0), blur_mm=(0.6, 0.6), thick_slice_probability=0.0, noise=(0.01, 0.01), gamma=0.0
)


def in_thick_slices(image: Image) -> Image:
    """The same head scanned in slices of 5 mm: means of five, and the label that most of a voxel has."""
    step = round(THICK_MM)
    size = len(image.truth) // step * step
    data, truth = (
        np.asarray(array)[:size].reshape(-1, step, *image.truth.shape[1:]) for array in (image.volume.data, image.truth)
    )
    affine = np.array(image.volume.affine)
    affine[:3, 3] += affine[:3, 0] * (step - 1) / 2
    affine[:3, 0] *= step
    most, votes = np.zeros_like(truth[:, 0]), np.zeros(truth[:, 0].shape, int)
    for value in np.unique(truth):
        here = (truth == value).sum(1)
        most[here > votes] = value
        votes = np.maximum(votes, here)
    volume = replace(image.volume, data=data.mean(1, dtype=np.float32), affine=affine)
    return replace(image, volume=volume, truth=most)


def _repeated(labels: NDArray[Any], size: int) -> NDArray[Any]:
    """Labels of thick slices on the grid of 1 mm, which may have some slices more."""
    fine = np.repeat(labels, round(THICK_MM), 0)
    return np.concatenate([fine, np.zeros((size - len(fine), *labels.shape[1:]), fine.dtype)])


def axis_orders(head: Head, model: Path | str) -> float:
    """Smallest share of the voxels of structures that keep their label, one image stored in 24 axis orders.

    Every second of the 48, so that some are mirrored; each is answered as it is stored, and turned back.
    """
    image = synthesised(head, "T1", seed=4, skull=False, spoilt=STILL).volume
    first = run_job(image, model)
    inside = first > 0
    agreement = 1.0
    for order, signs in _turns():
        data, affine = _turned(np.asarray(image.data), np.array(image.affine), order, signs)
        labels = run_job(replace(image, data=data, affine=affine), model)
        back = _turned_back(labels, order, signs)
        agreement = min(agreement, float((back == first)[inside | (back > 0)].mean()))
    return round(agreement, 4)


def _turns() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Orders and signs of axes, every second of them all."""
    return list(product(permutations(range(3)), product((1, -1), repeat=3)))[1::2]


def _turned(
    data: NDArray[Any], affine: NDArray[np.float64], order: Sequence[int], signs: Sequence[int]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    steps = tuple(slice(None, None, sign) for sign in signs)
    turned = np.ascontiguousarray(data.transpose(order)[steps])
    new = affine.copy()
    for axis, (old, sign) in enumerate(zip(order, signs, strict=True)):
        new[:3, axis] = affine[:3, old] * sign
        if sign < 0:
            new[:3, 3] += affine[:3, old] * (data.shape[old] - 1)
    return turned, new


def _turned_back(labels: NDArray[Any], order: Sequence[int], signs: Sequence[int]) -> NDArray[Any]:
    steps = tuple(slice(None, None, sign) for sign in signs)
    return labels[steps].transpose(np.argsort(order))


def check(head: Head, model: Path | str, **more: Any) -> float:
    """Mean Dice of one image in single precision, by which it can be told that weights are still these."""
    image = synthesised(head, "T1", seed=5, skull=False)
    options = {"device": "cpu", "precision": "fp32", "backend": "torch", **more}
    return round(float(np.nanmean(scores(run_job(image.volume, model, **options), image.truth))), 4)


def failures(heads: Sequence[Head], model: Path | str, images_dice: Mapping[str, float]) -> list[tuple[str, bytes]]:
    """The worst images of :func:`on_held_out_maps`: in words, and a picture of where most is wrong."""
    worst = sorted(images_dice, key=lambda name: images_dice[name])[:SHOWN]
    found: dict[str, tuple[str, bytes]] = {}
    for image in held_out_images(heads):
        if image.name not in worst:
            continue
        labels = run_job(image.volume, model)
        of_each = scores(labels, image.truth)
        least = int(np.nanargmin(of_each))
        shown = picture(image.truth, labels, image.volume.affine, image.volume)
        told = (
            f"{image.name.replace('.nii.gz', '')}: mean Dice {images_dice[image.name]:.3f}; worst "
            f"{STRUCTURES[least]}, {of_each[least]:.3f} (shown: {shown.plane} slice {shown.slice} of {shown.slices})"
        )
        found[image.name] = told, shown.png
    return [found[name] for name in worst]


def familiar(heads: Sequence[Head], model: Path | str) -> dict[str, Any]:
    """What the model finds on a fresh image of each map, by which it can tell that another image does not fit."""
    images = (image.volume for image in of_training(heads))
    # Training's thick slices were longer than the voxels they were made with.
    return replace(familiar_of(load_model(model), images), voxel_mm=SPOILT.thick_slice_mm[1]).to_json()


def on_mni152(template: Path, model: Path | str, **options: Any) -> dict[str, float]:
    """Dice of grey and white matter against the template's own tissue probability maps at 0.5.

    Grey is cortex, deep grey, hippocampus, amygdala and cerebellar cortex; white is cerebral and cerebellar white
    matter. The maps cover brainstem and pallidum with a mixture of both tissues; see the card.
    """
    labels = run_job(read(template), model, **options)
    return mni152_scores(labels, template)


def mni152_scores(labels: NDArray[Any], template: Path) -> dict[str, float]:
    """Score a label map on the template's grid."""
    labels = without_sides(labels)
    scores = {}
    for name, tissue, structures in (
        ("gm", "gm", GREY),
        ("wm", "wm", WHITE),
        ("wm_with_brainstem", "wm", (*WHITE, "brainstem")),
    ):
        path = template.with_name(template.name.replace("_t1_", f"_{tissue}_"))
        truth = read(path).data.astype(np.float32)
        found = np.isin(labels, [kind_value(structure) for structure in structures])
        scores[name] = round(dice(found, truth / truth.max() > 0.5), 3)
    return scores
