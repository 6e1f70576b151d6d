"""How large the patches of a step are: from the time allowed and the images; smaller where memory is short."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from napari_resmed.nets.size import edge_multiples
from napari_resmed.train.plan import Plan

__all__ = ["is_whole", "most_voxels", "patch_within", "smaller", "step_multiple"]

Shape = tuple[int, int, int]
Three = tuple[float, float, float]

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
LEAST_PATCH = 32


def most_voxels(kind: str, minutes: float | None, scratch: bool, reasons: dict[str, str]) -> int:
    """Of the patches of a step together.

    Parameters
    ----------
    kind:
        ``"cpu"`` or ``"gpu"``.
    minutes:
        Of training; None where steps are counted.
    scratch:
        Whether there is no trained network to start from.
    reasons:
        The plan's, to which this one is added.
    """
    most = MOST_VOXELS[kind]
    if minutes is None:
        return most
    all_together = minutes * 60 * 0.8 * VOXELS_A_SECOND[kind]
    a_root = (VOXELS_A_ROOT if scratch else VOXELS_A_ROOT_TUNING)[kind]
    allowed = int(a_root * math.sqrt(all_together))
    if allowed < most:
        reasons["patch"] = f"small enough for about {all_together / allowed:,.0f} steps in {minutes:g} minutes"
    return max(2 * LEAST_PATCH**3, min(most, allowed))


def patch_within(sizes: Shape, spacing_mm: Three, most: int, multiples: Shape, reasons: dict[str, str]) -> Shape:
    """As much of the image as may be, cut where it is longest in mm, edges divisible by ``multiples``.

    Parameters
    ----------
    sizes, spacing_mm:
        Of the usual image, in voxels, and of a voxel, in Z, Y, X.
    most:
        Voxels of a patch.
    reasons:
        The plan's, to which this one is added.
    """
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
        "the whole image" if is_whole(taken, sizes) else reasons.get("patch", "what a step of about a second allows")
    )
    return taken


def is_whole(patch: Shape, sizes: Shape) -> bool:
    """Whether a patch is as large as the image."""
    return all(window >= size for window, size in zip(patch, sizes, strict=True))


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


def _is_a_single_voxel(patch: Sequence[int], multiples: Shape) -> bool:
    """Whether that is all that is left of the patch at the network's deepest level, where nothing can be normalised."""
    return all(size <= multiple for size, multiple in zip(patch, multiples, strict=True))
