"""Whether a training fits into memory, before it begins."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_resmed.errors import InputError
from napari_resmed.nets.size import first_features
from napari_resmed.predict.machine import Machine
from napari_resmed.train.patch_size import smaller
from napari_resmed.train.plan import Plan

__all__ = ["fit_memory", "judging_bytes", "step_bytes"]

# What a step keeps for every voxel of its patches, measured with U-Nets of 16 and 32 features and 2 to 105 classes:
# for every class its scores, shares and their gradients; for every feature of the first level what lies between.
BYTES_A_CLASS = 28
BYTES_A_FEATURE = {"fp32": 20, "bf16": 11, "fp16": 11}
BYTES_BESIDE = 100
# What torch's libraries take for themselves in a first step, whatever its size; measured 10 to 30 MB, by the processor.
BYTES_OF_LIBRARIES = 2**25
# A case is judged row by row: sums of every class' scores, and what its windows are weighted by.
BYTES_A_CLASS_JUDGED = 4
# Share of the free memory that may be counted on: other programs want some of it, and pieces of it are lost.
USABLE = 0.8


def fit_memory(plan: Plan, largest: Sequence[int], machine: Machine, free: tuple[int, int]) -> Plan:
    """The plan, with a smaller batch or patch where a step would not fit into memory.

    Parameters
    ----------
    plan:
        As it was made.
    largest:
        Size ``(z, y, x)`` of the largest case on the network's grid.
    machine:
        Where the network is to run.
    free:
        Bytes that are free for the network and for the program:
        :func:`napari_resmed.predict.memory_plan.free_bytes`.

    Raises
    ------
    InputError
        If so many structures do not fit in any way.
    """
    for_network, for_program = (USABLE * one for one in free)
    structures = len(plan.labels)
    judged = judging_bytes(plan, largest)
    if judged > for_program:
        raise InputError(
            f"{structures} structures in images of {'×'.join(map(str, largest))} voxels need {_gigabytes(judged)} of "
            f"memory, {_gigabytes(for_program)} can be had; train fewer structures at a time, or at a coarser spacing"
        )
    fitting: Plan | None = plan
    while fitting is not None and step_bytes(fitting, machine) > for_network:
        plan, fitting = fitting, smaller(fitting)
    if fitting is None:
        raise InputError(
            f"{structures} structures need {_gigabytes(step_bytes(plan, machine))} of memory for the smallest patch, "
            f"{_gigabytes(for_network)} can be had on {machine.device}; train fewer structures at a time"
        )
    return fitting


def step_bytes(plan: Plan, machine: Machine) -> int:
    """Estimate of what one step holds at a time on one device."""
    features = first_features(plan.arguments)
    classes = plan.background_classes + len(plan.labels)
    voxels = math.prod(plan.patch) * plan.batch // plan.devices
    a_voxel = BYTES_A_CLASS * classes + BYTES_A_FEATURE[machine.precision] * features + BYTES_BESIDE
    return BYTES_OF_LIBRARIES + voxels * a_voxel


def judging_bytes(plan: Plan, shape: Sequence[int]) -> int:
    """Estimate of what judging a case of that size ``(z, y, x)`` holds at a time: sums as high as one window."""
    across = max(plan.patch[1], shape[1]) * max(plan.patch[2], shape[2])
    return plan.patch[0] * across * BYTES_A_CLASS_JUDGED * (2 + len(plan.labels))


def _gigabytes(count: float) -> str:
    return f"{count / 2**30:.1f} GB"
