"""From a data set's figures, the machine and the time allowed to a plan; every decision with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import psutil

from napari_resmed.case import Dataset
from napari_resmed.errors import InputError
from napari_resmed.labels import LabelSet
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.model import Model
from napari_resmed.nets.size import edge_multiples
from napari_resmed.predict.machine import check_devices, choose_machine
from napari_resmed.predict.windows import Windows, window_places
from napari_resmed.prepare.expected_size import expected_size
from napari_resmed.train.fingerprint import Fingerprint
from napari_resmed.train.held_out import WATCHED
from napari_resmed.train.new_network import new_network
from napari_resmed.train.pace import learning_rate, optimiser_for, weight_decay
from napari_resmed.train.patch_size import is_whole, most_voxels, patch_within
from napari_resmed.train.plan import AS_ASKED, Plan
from napari_resmed.train.rates import OPTIMISERS
from napari_resmed.train.same_images import patients_of
from napari_resmed.train.sides import side_pairs, tells_sides
from napari_resmed.train.split import split_cases
from napari_resmed.train.transfer import background_classes
from napari_resmed.train.usual_augmentation import augmentation_for
from napari_resmed.train.usual_preparation import preparation_for, preparation_of_base
from napari_resmed.train.wishes import DEFAULT_MINUTES, Wishes

__all__ = ["changed", "make_plan"]

Shape = tuple[int, int, int]

# An epoch has at least so many steps; over few cases, a pass says little.
LEAST_STEPS_AN_EPOCH = 50
# With many cases an epoch would take hours; nnU-Net's has as many steps.
MOST_STEPS_BETWEEN_LOOKS = 250


def make_plan(name: str, dataset: Dataset, facts: Fingerprint, base: Model | None, wishes: Wishes) -> Plan:
    """Decide everything.

    Parameters
    ----------
    name:
        Of the model.
    dataset, facts:
        The usable cases, and what is known of them.
    base:
        The model to start from, or None.
    wishes:
        What the person asked for.

    Raises
    ------
    InputError
        If the images are single slices, or the device is not there, or not as often as was asked for.
    """
    if facts.dimensions == 2:
        raise InputError("the images are single slices (2D); training a segmentation needs volumes of several slices")
    machine = choose_machine(wishes.device, wishes.precision)
    check_devices(machine, wishes.devices)
    kind = "cpu" if machine.device.type == "cpu" else "gpu"
    reasons: dict[str, str] = {}
    minutes = None if wishes.epochs is not None else wishes.minutes or DEFAULT_MINUTES
    most = most_voxels(kind, minutes, base is None, reasons)
    if base is None:
        preparation = preparation_for(facts, kind, most, reasons)
        sizes = expected_size(facts.median_shape, facts.spacing_mm, preparation)
        patch = patch_within(sizes, preparation.spacing_mm, most // 2, (8, 8, 8), reasons)
        network, arguments = new_network(patch, preparation.spacing_mm, kind, is_whole(patch, sizes), reasons)
    else:
        preparation = preparation_of_base(base, dataset.channels)
        network, arguments = base.network, dict(base.arguments)
        sizes = expected_size(facts.median_shape, facts.spacing_mm, preparation)
        z, y, x = map(min, base.patch, sizes)
        multiples = edge_multiples(network, arguments)
        patch = patch_within((z, y, x), preparation.spacing_mm, most // 2, multiples, reasons)
        reasons["network"] = f"that of {base.name}, and its spacing and intensities"
    names = [label.name for label in dataset.labels]
    background = 1 if base is None else background_classes(base, names)
    arguments |= {"in_channels": len(dataset.channels), "out_channels": background + len(names)}
    batch = max(2, wishes.devices * math.ceil(2 / wishes.devices))
    used = {case.name for case in facts.cases}
    # Those of the test split are in neither part; with them their patients are.
    cases = [case for case in dataset.cases if case.name in used or case.split == "test"]
    split = split_cases(
        [case.name for case in cases],
        list(patients_of(cases, facts.same_images).values()),
        [case.split for case in cases],
        wishes.seed,
        structures={case.name: [v for v, n in case.voxels.items() if v and n] for case in facts.cases},
        beside={case.name for case in cases if not case.has_image and case.split == "train"},
    )
    reasons["held_out"] = (
        f"{len(split.validation)} of {len(facts.cases)} cases tell how good the model is and are not learnt from"
        if split.validation
        else "there is a single patient: a block of slices of each image is held out, and tells how good the model is"
    )
    sides = tells_sides(dataset, facts)
    pairs = side_pairs(dataset, facts) if sides and preparation.last_axis_is_left_right else ()
    reasons["mirror_axes"] = (
        "left and right are not labelled"
        if not sides
        else "left and right are labelled: they are exchanged when a patch is mirrored"
        if pairs
        else "left and right are labelled, so images are never mirrored"
    )
    synthetic = _synthetic(facts, wishes, reasons)
    reasons["optimiser"] = "it learns most in few steps" if base is None else "it keeps most of what the base knows"
    an_epoch = max(LEAST_STEPS_AN_EPOCH, math.ceil(len(split.train) / batch))
    steps = None if wishes.epochs is None else wishes.epochs * an_epoch
    look = min(WATCHED, len(split.validation or split.train)) * _look_in_steps(sizes, patch, batch)
    optimiser = optimiser_for(base is None)
    return Plan(
        name=name,
        labels=dataset.labels,
        channels=dataset.channels,
        network=network,
        arguments=arguments,
        preparation=preparation,
        patch=patch,
        batch=batch,
        background_classes=background,
        training=split.train,
        held_out=split.validation,
        left_out=tuple((case.case, case.reason) for case in facts.left_out),
        synthetic=synthetic,
        augmentation=augmentation_for(patch, preparation, not sides or bool(pairs), len(dataset.channels)),
        mirror_axes=() if sides else (2,),
        mirror_pairs=pairs,
        cleanup=_cleanup(dataset.labels, base),
        minutes=minutes,
        steps=steps,
        optimiser=optimiser,
        learning_rate=learning_rate(optimiser, wishes.care, base is None),
        weight_decay=weight_decay(base is None),
        check_every=_steps_between_looks(an_epoch, steps, look),
        memory_mb=wishes.memory_mb or _quarter_of_free_memory(),
        device=wishes.device,
        precision=wishes.precision,
        devices=wishes.devices,
        seed=wishes.seed,
        base="" if base is None else base.name,
        reasons=reasons,
    )


def _cleanup(labels: LabelSet, base: Model | None) -> dict[int, Cleanup]:
    """What the base does to structures of the same names."""
    wishes = {} if base is None else {label.name: base.cleanup.get(label.value) for label in base.labels}
    return {label.value: wish for label in labels if (wish := wishes.get(label.name))}


def changed(plan: Plan, changes: Mapping[str, Any], care: str) -> Plan:
    """The plan with a person's decisions instead of its own.

    An optimiser without a learning rate gets its usual one. A whole plan without an optimiser is from before there was
    a choice, and means AdamW.

    Parameters
    ----------
    plan:
        As :func:`make_plan` decided.
    changes:
        By the names of its fields, as plain values.
    care:
        As of :class:`Wishes`.

    Raises
    ------
    InputError
        If a name is unknown, or a value makes no sense.
    """
    optimiser = changes.get("optimiser")
    if optimiser in OPTIMISERS and "learning_rate" not in changes:
        changes = {**changes, "learning_rate": learning_rate(optimiser, care, not plan.base)}
    elif optimiser is None and {"network", "learning_rate", "labels"} <= set(changes):
        changes = {**changes, "optimiser": "adamw"}
    # That label maps without an image are painted stays so, whatever share of the others is.
    asked = {name: AS_ASKED for name in changes if name in plan.reasons and name != "synthetic"}
    reasons = {**plan.reasons, **asked}
    return Plan.from_json({**plan.to_json(), "reasons": reasons, **changes})


def _synthetic(facts: Fingerprint, wishes: Wishes, reasons: dict[str, str]) -> float:
    """Share of patches that are painted: what was asked for, all where there are no images."""
    pictured = sum(case.has_image for case in facts.cases)
    share = 0.0 if wishes.synthetic is None else wishes.synthetic
    if not pictured:
        share = 1.0
        reasons["synthetic"] = "there are no images: all are painted from the label maps, the held-out ones too"
    elif pictured < len(facts.cases):
        reasons["synthetic"] = f"{len(facts.cases) - pictured} label maps have no image: theirs are painted"
    elif share:
        reasons["synthetic"] = AS_ASKED
    return share


def _look_in_steps(sizes: Shape, patch: Shape, batch: int) -> float:
    """What it costs to look at one image, in steps: a step goes there and back, which is three times the way there."""
    z, y, x = map(max, sizes, patch)
    return len(window_places((z, y, x), patch, Windows(patch).overlap)) / (3 * batch)


def _steps_between_looks(an_epoch: int, steps: int | None, look: float) -> int:
    """Looking takes a tenth of a training, but is done ten times; where time counts, the loop sees to that."""
    usual = min(an_epoch, MOST_STEPS_BETWEEN_LOOKS)
    return max(usual, math.ceil(10 * look) if steps is None else min(math.ceil(10 * look), steps // 10))


def _quarter_of_free_memory() -> float:
    return float(round(max(256.0, psutil.virtual_memory().available / 4 / 2**20)))
