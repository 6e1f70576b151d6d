"""From a data set, the machine and the time allowed to a plan; every decision with its reason."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.nets import build_network
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.train.classify.view import View
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.pace import CARE
from napari_resmed.train.split import folds, split_cases
from napari_resmed.train.wishes import DEFAULT_MINUTES, Wishes

__all__ = ["Start", "Usable", "make_class_plan", "smaller_batch"]

# How many times every image should be seen, more or less; the network is as large as that allows.
LAPS = 20
# Of a step, forward and backward, in operations a second: two cores of a present processor, a GPU. Only the network's
# size hangs on it.
OPERATIONS_A_SECOND = {"cpu": 6e10, "gpu": 2e13}
# Backbone and features of the first stage, from the largest down.
SIZES = (("resnet18", 64), ("resnet18", 32), ("resnet18", 16), ("resnet10", 16), ("resnet10", 8))
# An image is halved before the first stage while its edges (their geometric mean) have as many voxels: what is thin is
# gone after that, and the last stage knows fewer places. A volume is halved sooner, as it would take too long else.
LARGE_EDGE = {2: 80, 3: 32}
MOST_HALVINGS = 2
BATCH = {2: 32, 3: 8, 4: 4}
# Norms need more than one image.
LEAST_BATCH = 2
LEAST_STEPS_AN_EPOCH = 10
MOST_STEPS_BETWEEN_LOOKS = 250
# A class that is so many times as frequent as another would drown it.
UNEVEN = 4.0
# Adam's usual rate for such networks, in relation to what segmentation begins with.
RATE_SHARE = 1 / 3
# From a trained network: its stages learn slower the further from the head, and rest at first.
LAYER_DECAY, FROZEN_SHARE = 0.8, 0.1
SMOOTHING = 0.05
# Areas under the ROC curve over few held-out cases jump about: one good look early on is no reason to stop soon.
PATIENCE = 0.6
DROPOUT = 0.2
DROP_CHANNELS = 0.25
# What knows of the frames' order.
MIXER = "gru"


@dataclass(frozen=True)
class Usable:
    """The prepared cases: names, and why the others were left out."""

    names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Start:
    """What training starts from: its name, and the network that its weights fit, empty where any with its backbone."""

    name: str
    arguments: Mapping[str, Any]
    network: str = ""


def make_class_plan(
    name: str,
    dataset: Dataset,
    usable: Usable,
    view: View,
    start: Start | None,
    wishes: Wishes,
    kind: str,
    fold: tuple[int, int] | None = None,
) -> ClassPlan:
    """Decide everything.

    Parameters
    ----------
    name:
        Of the model.
    dataset, usable, view:
        The cases, which of them can be used, and how they are seen.
    start:
        What to start from, or None.
    wishes:
        What the person asked for.
    kind:
        ``"cpu"`` or ``"gpu"``.
    fold:
        Hold out this part of so many, ``(0, 5)`` the first of five, whatever the data say but of the test split; None:
        a share drawn by lot, or what the data say.

    Raises
    ------
    InputError
        If a class has fewer than two patients, or is all on one side of a split that was given.
    """
    reasons = dict(view.reasons)
    cases = {case.name: case for case in dataset.cases}
    kept = [cases[name] for name in usable.names]
    _check_classes(dataset, kept)
    number = {label: place for place, label in enumerate(dataset.classes)}
    of = {case.name: [number[case.class_name]] for case in kept}
    if fold is not None:
        learning = [case for case in kept if case.split != "test"]
        patients = [case.patient for case in learning]
        split = folds([case.name for case in learning], patients, fold[1], wishes.seed, of)[fold[0]]
    else:
        names, patients = [case.name for case in kept], [case.patient for case in kept]
        split = split_cases(names, patients, [case.split for case in kept], wishes.seed, structures=of)
    for part, held in ((split.train, "learnt from"), (split.validation, "held out")):
        missing = sorted(set(dataset.classes) - {cases[name].class_name for name in part})
        if missing:
            raise InputError(
                f"no case of the class {missing[0]!r} is {held}; put patients of it on both sides of the split, or let "
                "the program split them"
            )
    both = len(split.train) + len(split.validation)
    reasons["held_out"] = f"{len(split.validation)} of {both} cases tell how good the model is and are not learnt from"
    counts = Counter(cases[name].class_name for name in split.train)
    uneven = max(counts.values()) / min(counts.values())
    balance = "sampling" if uneven > UNEVEN else "none"
    reasons["balance"] = f"the most frequent class has {uneven:.1f} times the cases of the rarest" + (
        ", so each is drawn as often" if uneven > UNEVEN else ""
    )
    # Axes of an image as the network takes it.
    spatial = (2 if view.flat else 3) + view.series
    network = _kind_of_network(dataset, kept, view, start, reasons)
    minutes = None if wishes.epochs is not None else wishes.minutes or DEFAULT_MINUTES
    batch = min(BATCH[spatial], max(2, len(split.train) // 4))
    batch = max(batch // wishes.devices, LEAST_BATCH) * wishes.devices
    an_epoch = max(LEAST_STEPS_AN_EPOCH, math.ceil(len(split.train) / batch))
    given: dict[str, Any] = {
        "spatial_dims": spatial,
        "in_channels": len(dataset.channels),
        "out_channels": len(dataset.classes),
        "dropout": DROPOUT,
    }
    if any(case.channels for case in kept):
        given["drop_channels"] = DROP_CHANNELS
    if network == "SequenceClassifier":
        given["mixer"] = MIXER
    if start is not None:
        arguments = {**given, **start.arguments, "spatial_dims": spatial}
        reasons["network"] = "; ".join(part for part in (f"that of {start.name}", reasons.get("network", "")) if part)
    else:
        arguments = _network(network, given, view, kind, minutes, len(split.train), reasons)
    scratch, tuned = (RATE_SHARE * rate for rate in CARE[wishes.care])
    return ClassPlan(
        name=name,
        classes=dataset.classes,
        channels=dataset.channels,
        network=network,
        arguments=arguments,
        preparation=view.preparation,
        patch=view.patch,
        fit=view.fit,
        frames=view.frames,
        batch=batch,
        training=split.train,
        held_out=split.validation,
        left_out=usable.left_out,
        augmentation=_augmentation(view),
        balance=balance,
        label_smoothing=SMOOTHING,
        layer_decay=1.0 if start is None else LAYER_DECAY,
        frozen_share=0.0 if start is None else FROZEN_SHARE,
        minutes=minutes,
        steps=None if wishes.epochs is None else wishes.epochs * an_epoch,
        learning_rate=scratch if start is None else tuned,
        search=wishes.search,
        check_every=min(an_epoch, MOST_STEPS_BETWEEN_LOOKS),
        patience=PATIENCE,
        devices=wishes.devices,
        device=wishes.device,
        precision=wishes.precision,
        seed=wishes.seed,
        base="" if start is None else start.name,
        reasons=reasons,
    )


def smaller_batch(plan: ClassPlan) -> ClassPlan | None:
    """The plan with half the images a step; None where there can be no fewer."""
    least = LEAST_BATCH * plan.devices
    return (
        replace(plan, batch=max(least, plan.batch // 2 // plan.devices * plan.devices)) if plan.batch > least else None
    )


def _kind_of_network(
    dataset: Dataset, kept: Sequence[Case], view: View, start: Start | None, reasons: dict[str, str]
) -> str:
    """By the image, by its frames, or by its modalities."""
    # What knows volumes takes a loop of slices for one, whose depth is time.
    as_volumes = start is not None and view.flat and start.arguments["spatial_dims"] == 3
    if start is not None and start.network and (as_volumes or not view.series):
        return start.network
    lacking = any(case.channels for case in kept)
    if lacking:
        reasons["network"] = "some cases lack an image, so whole images are left out in training too"
    if view.series and not as_volumes:
        said = f"frames are seen one by one, and in their order by a recurrent head ({MIXER})"
        reasons["network"] = "; ".join(part for part in (said, reasons.get("network", "")) if part)
        return "SequenceClassifier"
    # Where every case has all of them, what is said by two modalities at one place is better seen together.
    if lacking and start is None:
        reasons["network"] = "a branch for every modality, as " + reasons["network"]
        return "BranchClassifier"
    return "ImageClassifier"


def _check_classes(dataset: Dataset, kept: Sequence[Any]) -> None:
    for label in dataset.classes:
        patients = {case.patient for case in kept if case.class_name == label}
        if len(patients) < 2:
            found = f"{len(patients)} patient" + "s" * (len(patients) != 1)
            raise InputError(
                f"the class {label!r} has {found} with a usable image, expected at least 2: one to learn from and one "
                "to hold out"
            )


def _network(
    network: str,
    given: Mapping[str, Any],
    view: View,
    kind: str,
    minutes: float | None,
    images: int,
    reasons: dict[str, str],
) -> dict[str, Any]:
    """The largest network with which every image is seen often enough."""
    by_slices = network == "SequenceClassifier" and not view.series
    edges = view.patch[1:] if view.flat or by_slices else view.patch
    limits = [LARGE_EDGE[len(edges)] * 2**halved for halved in range(MOST_HALVINGS)]
    fine = sum(math.prod(edges) >= limit ** len(edges) for limit in limits)
    # Rather a narrow network than a blurred look; where none is quick enough, a blurred look at what is large.
    sizes = [(halvings, *size) for halvings in sorted({fine, MOST_HALVINGS if fine else 0}) for size in SIZES]
    arguments: dict[str, Any] = {}
    for halvings, backbone, first in sizes:
        own = {"features": [first * 2**stage for stage in range(4)], "halvings": halvings}
        arguments = {**given, "backbone": backbone, "backbone_arguments": own}
        seconds = 3 * _operations(network, arguments, view) * images * LAPS / OPERATIONS_A_SECOND[kind]
        if minutes is None or seconds < minutes * 60:
            break
    said = f"{arguments['backbone']} with {arguments['backbone_arguments']['features'][0]} features at first"
    often = "" if minutes is None else f", with which every image can be seen about {LAPS} times in {minutes:g} minutes"
    reasons["network"] = "; ".join(part for part in (said + often, reasons.get("network", "")) if part)
    return arguments


def _operations(name: str, arguments: Mapping[str, Any], view: View) -> float:
    """Of a forward pass over one image."""
    with torch.device("meta"):
        network = build_network(name, arguments)
        frames = (view.frames,) if view.series else ()
        image = torch.empty((1, arguments["in_channels"], *frames, *(view.patch[1:] if view.flat else view.patch)))
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval()(image)
    return float(counter.get_total_flops())


def _augmentation(view: View) -> Augmentation:
    shortest = min(view.patch[1:] if view.flat else view.patch)
    # Where images keep their own size, that may be what tells them apart.
    ranges = Deformation(
        rotation_deg=15,
        scale=0.05 if view.fit == "middle" else 0.1,
        shear=0.0,
        shift_mm=round(0.06 * shortest, 2),
        elastic=(),
        mirror=False,
    )
    return Augmentation(ranges, undeformed=0.1, probability=0.2, noise=0.05, blur_voxels=0.7, coarser=1.5)
