"""From a data set's figures, the machine and the time allowed to a plan; every decision with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.train.augmentation import Augmentation
from napari_resmed.train.deformation import Deformation
from napari_resmed.train.fingerprint import Fingerprint
from napari_resmed.train.held_out import WATCHED
from napari_resmed.train.plan import Plan
from napari_resmed.train.rates import OPTIMISERS
from napari_resmed.train.same_images import patients_of
from napari_resmed.train.sides import side_pairs, tells_sides
from napari_resmed.train.split import split_cases
from napari_resmed.train.transfer import background_classes, channel_rows

__all__ = ["CARE", "Wishes", "changed", "make_plan", "smaller", "step_multiple"]

Shape = tuple[int, int, int]
Three = tuple[float, float, float]

# From scratch, and from a trained network: in the same minutes the one learns more by Muon's long steps than by AdamW
# (docs/decisions/0010); for the other that is not measured.
OPTIMISER, OPTIMISER_TUNING = "muon", "adamw"
# How far the weights may move: AdamW's learning rate from scratch, and from a trained network.
CARE = {"bold": (5e-3, 3e-3), "normal": (3e-3, 1e-3), "careful": (1e-3, 3e-4)}
# From scratch, steps may be so many times as long as AdamW's.
LONGER = {"muon": 7.0}
# How strongly weights are drawn to nothing, from scratch: it acts through the rate times the steps, and in the few
# thousand of a short training the customary hundredth would do nothing. What a trained network knows is not drawn away.
WEIGHT_DECAY, WEIGHT_DECAY_TUNING = 0.3, 0.01
DEFAULT_MINUTES = 10.0
# An epoch has at least so many steps; over few cases, a pass says little.
LEAST_STEPS_AN_EPOCH = 50
# With many cases an epoch would take hours; nnU-Net's has as many steps.
MOST_STEPS_BETWEEN_LOOKS = 250
# Voxels of a patch, both patches of a step together: what takes about a second on two cores, and what fills a GPU.
MOST_VOXELS = {"cpu": 2 * 96**3, "gpu": 2 * 160**3}
# Time is split between the size of a step and their number: both grow with its square root, so many voxels a step for
# each root of a voxel. In an hour on two cores that is 6 000 steps of two patches of 68 cubed; small patches teach as
# much a step about small structures and cost less, large ones tell left from right and organs from their likes.
VOXELS_A_ROOT = {"cpu": 10.0, "gpu": 40.0}
# From a trained network fewer steps are needed, and more of the surroundings in a patch keep what it knows.
VOXELS_A_ROOT_TUNING = {"cpu": 40.0, "gpu": 160.0}
# What two cores of a present processor get through, in voxels of the patch a second; only the plan's size hangs on it.
VOXELS_A_SECOND = {"cpu": 1.2e6, "gpu": 4e7}
# An image of more patches than this is looked at coarser: the network would never see most of it.
MOST_PATCHES = {"cpu": 20, "gpu": 200}
# A structure is not made thinner than this by looking coarser.
LEAST_VOXELS_ACROSS = 4
# Hounsfield units: air is -1000, and nothing but CT is so far below zero in every image.
CT_MINIMUM = -500.0
# They are the same on every scanner but for some noise and drift; disturbing them as one disturbs MR would drown the
# fifty units that tell a gland from a muscle.
CT_NOISE, CT_SHIFT, CT_CONTRAST, CT_GAMMA = 40.0, 25.0, 0.08, 0.08
LEAST_PATCH = 32
# So many standard deviations of an image are about as much as the range between its percentiles.
DEVIATIONS = 4.0


@dataclass(frozen=True)
class Wishes:
    """What the person asked for; see :func:`napari_resmed.jobs.train.train`."""

    minutes: float | None = None
    epochs: int | None = None
    care: str = "normal"
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    memory_mb: float | None = None
    seed: int = 0
    search: float | None = None
    synthetic: float | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and self.epochs is not None:
            raise InputError("found both minutes and epochs; say how long in one of them")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise InputError(f"found {self.minutes} minutes, expected more than 0")
        if self.search is not None and not 0 < self.search < math.inf:
            raise InputError(f"found {self.search} minutes to search, expected more than 0")
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"found {self.epochs} epochs, expected at least 1")
        if self.care not in CARE:
            raise InputError(f"found the care {self.care!r}, expected {', '.join(CARE)}")
        if self.devices < 1:
            raise InputError(f"found {self.devices} devices, expected at least 1")
        if self.seed < 0:
            raise InputError(f"found the seed {self.seed}, expected 0 or more")
        if self.synthetic is not None and not 0 <= self.synthetic <= 1:
            raise InputError(f"found a share of {self.synthetic} painted images, expected 0 to 1")
        if self.memory_mb is not None and not self.memory_mb > 0:
            raise InputError(f"found {self.memory_mb} MB of memory, expected more than 0")


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
    most = _most_voxels(kind, minutes, (VOXELS_A_ROOT if base is None else VOXELS_A_ROOT_TUNING)[kind], reasons)
    if base is None:
        preparation = _preparation(facts, kind, most, reasons)
        sizes = expected_size(facts.median_shape, facts.spacing_mm, preparation)
        patch = _patch(sizes, preparation.spacing_mm, most // 2, (8, 8, 8), reasons)
        network, arguments = _network(patch, preparation.spacing_mm, kind, _is_whole(patch, sizes), reasons)
    else:
        preparation = _base_preparation(base, dataset.channels)
        network, arguments = base.network, dict(base.arguments)
        sizes = expected_size(facts.median_shape, facts.spacing_mm, preparation)
        z, y, x = map(min, base.patch, sizes)
        multiples = edge_multiples(network, arguments)
        patch = _patch((z, y, x), preparation.spacing_mm, most // 2, multiples, reasons)
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
    optimiser = OPTIMISER if base is None else OPTIMISER_TUNING
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
        augmentation=_augmentation(patch, preparation, not sides or bool(pairs), len(dataset.channels)),
        mirror_axes=() if sides else (2,),
        mirror_pairs=pairs,
        cleanup=_cleanup(dataset.labels, base),
        minutes=minutes,
        steps=steps,
        optimiser=optimiser,
        learning_rate=_rate(optimiser, wishes.care, base is None),
        weight_decay=WEIGHT_DECAY if base is None else WEIGHT_DECAY_TUNING,
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
        changes = {**changes, "learning_rate": _rate(optimiser, care, not plan.base)}
    elif optimiser is None and {"network", "learning_rate", "labels"} <= set(changes):
        changes = {**changes, "optimiser": "adamw"}
    reasons = {**plan.reasons, **{name: "as asked for" for name in changes if name in plan.reasons}}
    return Plan.from_json({**plan.to_json(), "reasons": reasons, **changes})


def _rate(optimiser: str, care: str, scratch: bool) -> float:
    return CARE[care][0] * LONGER.get(optimiser, 1.0) if scratch else CARE[care][1]


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
        reasons["synthetic"] = "as asked for"
    return share


def smaller(plan: Plan) -> Plan | None:
    """The plan with less memory for a step: half the batch, then a smaller patch; None where it can be no smaller."""
    if plan.batch > plan.devices:
        return replace(plan, batch=max(1, plan.batch // 2 // plan.devices) * plan.devices)
    multiple = step_multiple(plan.network, plan.arguments)
    longest = max(range(3), key=lambda axis: plan.patch[axis])
    size = plan.patch[longest] * 3 // 4 // multiple * multiple
    patch = list(plan.patch)
    patch[longest] = size
    multiples = edge_multiples(plan.network, plan.arguments)
    if size < max(multiple, LEAST_PATCH // 2) or _is_a_single_voxel(patch, multiples):
        return None
    return replace(plan, patch=(patch[0], patch[1], patch[2]))


def step_multiple(network: str, arguments: Mapping[str, Any]) -> int:
    """What a patch's edges have to be divisible by: the network halves them so often."""
    return max(edge_multiples(network, arguments))


def _most_voxels(kind: str, minutes: float | None, a_root: float, reasons: dict[str, str]) -> int:
    """Of the patches of a step together."""
    most = MOST_VOXELS[kind]
    if minutes is None:
        return most
    all_together = minutes * 60 * 0.8 * VOXELS_A_SECOND[kind]
    allowed = int(a_root * math.sqrt(all_together))
    if allowed < most:
        reasons["patch"] = f"small enough for about {all_together / allowed:,.0f} steps in {minutes:g} minutes"
    return max(2 * LEAST_PATCH**3, min(most, allowed))


def _patch(sizes: Shape, spacing_mm: Three, most: int, multiples: Shape, reasons: dict[str, str]) -> Shape:
    """As much of the image as may be, cut where it is longest in mm, edges divisible by ``multiples``."""
    patch = [math.ceil(size / multiple) * multiple for size, multiple in zip(sizes, multiples, strict=True)]
    while math.prod(patch) > most:
        cuttable = [axis for axis in range(3) if patch[axis] > max(multiples[axis], LEAST_PATCH)]
        if not cuttable:
            break
        longest = max(cuttable, key=lambda axis: patch[axis] * spacing_mm[axis])
        patch[longest] -= multiples[longest]
    if _is_a_single_voxel(patch, multiples):
        longest = max(range(3), key=lambda axis: sizes[axis] * spacing_mm[axis])
        patch[longest] *= 2
    taken = patch[0], patch[1], patch[2]
    reasons["patch"] = (
        "the whole image" if _is_whole(taken, sizes) else reasons.get("patch", "what a step of about a second allows")
    )
    return taken


def _is_whole(patch: Shape, sizes: Shape) -> bool:
    return all(window >= size for window, size in zip(patch, sizes, strict=True))


def _look_in_steps(sizes: Shape, patch: Shape, batch: int) -> float:
    """What it costs to look at one image, in steps: a step goes there and back, which is three times the way there."""
    z, y, x = map(max, sizes, patch)
    return len(window_places((z, y, x), patch, Windows(patch).overlap)) / (3 * batch)


def _steps_between_looks(an_epoch: int, steps: int | None, look: float) -> int:
    """Looking takes a tenth of a training, but is done ten times; where time counts, the loop sees to that."""
    usual = min(an_epoch, MOST_STEPS_BETWEEN_LOOKS)
    return max(usual, math.ceil(10 * look) if steps is None else min(math.ceil(10 * look), steps // 10))


def _is_a_single_voxel(patch: Sequence[int], multiples: Shape) -> bool:
    """Whether that is all that is left of the patch at the network's deepest level, where nothing can be normalised."""
    return all(size <= multiple for size, multiple in zip(patch, multiples, strict=True))


def _preparation(facts: Fingerprint, kind: str, most: int, reasons: dict[str, str]) -> Preparation:
    spacing = [float(mm) for mm in facts.spacing_mm]
    limit = MOST_PATCHES[kind] * most / 2
    extents = [edge for case in facts.cases for edges in case.extent_mm.values() for edge in (min(edges),)]
    coarsest = sorted(extents)[len(extents) // 10] / LEAST_VOXELS_ACROSS if extents else math.inf
    why = "the median of the cases"
    while math.prod(max(1.0, size / mm) for size, mm in zip(facts.median_size_mm, spacing, strict=True)) > limit:
        target = min(spacing) * 1.1
        if target > coarsest:
            why = "coarser than the cases, as far as the thinnest structures allow"
            break
        spacing = [max(mm, target) for mm in spacing]
        why = "coarser than the cases, so that a step sees a fair part of an image"
    reasons["spacing"] = why
    windows = tuple(_ct_window(facts, number) for number in range(len(facts.channels)))
    if any(windows):
        reasons["intensities"] = "CT: a fixed window of Hounsfield units around what the structures have"
    z, y, x = (round(mm, 3) for mm in spacing)
    return Preparation((z, y, x), windows=windows if any(windows) else ())


def _ct_window(facts: Fingerprint, number: int) -> tuple[float, float] | None:
    names = [channel.name.upper() for channel in facts.channels]
    modalities = {case.modality for case in facts.cases if case.modality}
    pictured = [case for case in facts.cases if case.has_image]
    looks = bool(pictured) and all(case.image[number].minimum <= CT_MINIMUM for case in pictured)
    # Where channels are told apart by name, as CT and PET are, a case's modality speaks of one of them.
    is_ct = names[number] == "CT" if "CT" in names else modalities == {"CT"} or (not modalities and looks)
    if not is_ct:
        return None
    inside = facts.channels[number].foreground or facts.channels[number].image
    # Air in a larynx and teeth beside a filling would stretch the window over all there is, and leave soft tissue a
    # thirtieth of it: less than the noise that is added, and than half precision tells apart.
    margin = max(50.0, 0.1 * (inside.p95 - inside.p05))
    return round(inside.p05 - margin), round(inside.p95 + margin)


def _base_preparation(base: Model, channels: Sequence[str]) -> Preparation:
    """That of the base, each channel as the one whose weights it takes over; a new one as the last."""
    known = base.preparation
    rows = [len(base.channels) - 1 if row is None else row for row in channel_rows(base, channels)]
    windows = tuple(known.window(row) for row in rows) if known.windows else ()
    normalization = tuple(known.normalization[row] for row in rows) if known.normalization else ()
    return replace(known, windows=windows, normalization=normalization)


def _network(
    patch: Shape, spacing_mm: Three, kind: str, whole: bool, reasons: dict[str, str]
) -> tuple[str, dict[str, Any]]:
    """A residual U-Net that halves the patch while four voxels are left, thick slices later than fine ones.

    Its first level halves already, unless a patch is the ``whole`` image: then a step is short enough to look at every
    voxel first, which doubles it (measured on hippocampus: docs/decisions/0007).
    """
    sizes, spacing = list(patch), list(spacing_mm)
    strides: list[list[int]] = []
    most = 5 if kind == "gpu" else 4
    while len(strides) < most:
        finest = min(spacing)
        # An axis of thick slices waits until the others are as coarse (nnU-Net's rule).
        stride = [
            2 if size >= 8 and size % 2 == 0 and mm < 2 * finest else 1 for size, mm in zip(sizes, spacing, strict=True)
        ]
        if max(stride) == 1:
            break
        strides.append(stride)
        sizes = [size // k for size, k in zip(sizes, stride, strict=True)]
        spacing = [mm * k for mm, k in zip(spacing, stride, strict=True)]
    widths = [min(320, 32 * 2**level) for level in range(len(strides) + 1)]
    if whole:
        strides, widths = [[1, 1, 1], *strides], [16, *widths]
    reasons["network"] = f"a residual U-Net of {len(widths)} levels, {widths[0]} to {widths[-1]} features"
    if whole:
        reasons["network"] += ", the first at the image's own resolution"
    return "UNet", {
        "spatial_dims": 3,
        "channels": widths,
        "strides": [stride[0] if len(set(stride)) == 1 else stride for stride in strides],
        "num_res_units": 2,
        "norm": "instance",
        "act": "relu",  # prelu, MONAI's default, costs a seventh of the step on a CPU
    }


def _augmentation(patch: Shape, preparation: Preparation, mirror: bool, channels: int) -> Augmentation:
    """Bends and shifts in proportion to what a patch shows; Hounsfield units are changed as little as scanners do."""
    spacing_mm = preparation.spacing_mm
    scaled = {one.kind for one in preparation.normalization}
    shortest = min(size * mm for size, mm in zip(patch, spacing_mm, strict=True))
    coarse = max(2 * max(spacing_mm), shortest / 2)
    every = Augmentation(
        Deformation(
            rotation_deg=20,
            scale=0.15,
            shear=0.05,
            shift_mm=round(0.1 * shortest, 2),
            elastic=((round(coarse, 2), round(coarse / 10, 2)), (round(coarse / 2, 2), round(coarse / 28, 2))),
            mirror=mirror,
        )
    )
    if preparation.intensity or not scaled <= {"unit", "byte"}:
        # What another program's model takes lies around 0: deviations, where it says so.
        unit = DEVIATIONS if scaled and scaled <= {"zscore", "ct"} else 0.0
        return replace(every, gamma=0.0, noise=unit * every.noise, brightness=unit * every.brightness)
    windows = [preparation.window(number) for number in range(channels)]
    widths = [window[1] - window[0] for window in windows if window is not None]
    if len(widths) < channels:
        return every
    return replace(
        every,
        noise=round(min(every.noise, CT_NOISE / max(widths)), 4),
        brightness=round(min(every.brightness, CT_SHIFT / max(widths)), 4),
        contrast=CT_CONTRAST,
        gamma=CT_GAMMA,
    )


def _quarter_of_free_memory() -> float:
    return float(round(max(256.0, psutil.virtual_memory().available / 4 / 2**20)))
