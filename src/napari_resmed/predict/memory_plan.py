"""What a prediction will hold at a time, decided and known before its first window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import psutil
import torch

from napari_resmed.errors import InputError
from napari_resmed.models.model import Model
from napari_resmed.nets.size import edge_multiples, first_features, fits_one_size
from napari_resmed.nets.split import SPLIT
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.windows import Windows

__all__ = ["MemoryPlan", "free_bytes", "plan_memory"]

# What a window holds for every voxel while it goes through a network, measured with U-Nets of 16 and 32 features: for
# every class the scores as they come out, as float32, and those of air, which are kept; of several passes their sum,
# and the sum of their probabilities where doubt is asked for; for every feature of the first level what lies between.
BYTES_A_CLASS, BYTES_OF_PASSES, BYTES_OF_DOUBT = 12, 4, 8
BYTES_A_FEATURE = {"fp32": 16, "bf16": 8, "fp16": 8}
# Share of the free memory that may be counted on: other programs want some of it, and pieces of it are lost.
USABLE = 0.8
# So many times as many classes as features, and the last layer is taken apart: below, sums of features are the larger.
MANY_CLASSES = 2
# Windows at a time on a GPU: more do not make it faster.
MOST_AT_A_TIME = 8


@dataclass(frozen=True)
class MemoryPlan:
    """How an image is gone through, and what that takes.

    Parameters
    ----------
    windows:
        Size, number at a time, and the type of the sums.
    belt_bytes, window_bytes, image_bytes:
        Of the sums, of the windows in the network (on its device), of the prepared image and what comes of it.
    belt_on_device:
        Whether the sums are kept on the network's device.
    in_parts:
        Whether the network's last layer is taken apart: see :mod:`napari_resmed.nets.split`. It pays on a CPU, where
        one pass goes through the network.
    """

    windows: Windows
    belt_bytes: int
    window_bytes: int
    image_bytes: int
    belt_on_device: bool = False
    in_parts: bool = False


def plan_memory(
    model: Model,
    shape: Sequence[int],
    source_shape: Sequence[int],
    machine: Machine,
    wishes: Windows,
    free: tuple[int, int],
    uncertainty: bool = False,
    whole_shape: Sequence[int] = (),
) -> MemoryPlan:
    """Fit a prediction into memory: sums in half precision where single does not fit, then smaller windows.

    On a GPU the sums are kept there if that leaves the windows as large, and else by the program. nnU-Net's models are
    always summed in half precision, as nnU-Net does, so that their labels are its own.

    Parameters
    ----------
    model:
        What its network needs.
    shape, source_shape:
        Sizes ``(z, y, x)`` of the image on the network's grid and on its own.
    machine:
        Where the network runs.
    wishes:
        Overlap and mirroring; the window is the model's.
    free:
        Bytes that are free for the network and for the program, as of :func:`free_bytes`.
    uncertainty:
        Whether it is asked for.
    whole_shape:
        Size of the whole image on the network's grid, where ``shape`` is that of a part of it; it is prepared, too.

    Raises
    ------
    InputError
        If it does not fit in any way.
    """
    on_cpu = machine.device.type == "cpu"
    for_network, for_program = (int(USABLE * one) for one in free)
    one_size = fits_one_size(model.network, model.arguments)
    windows: Windows | None = replace(
        wishes,
        patch=model.patch,
        batch=1 if on_cpu else MOST_AT_A_TIME,
        multiples=None if one_size else edge_multiples(model.network, model.arguments),
    )
    # nnU-Net's labels hang on how it rounds sums of scores; in bf16 they are others anyway.
    alone = model.members * len(wishes.mirrors) == 1 and model.background_classes == 1
    features, classes = first_features(model.arguments), len(model.class_values)
    splits = on_cpu and alone and model.network in SPLIT and classes >= MANY_CLASSES * features
    of_features = splits and not (wishes.even and machine.precision == "fp32")
    classes += uncertainty
    summed = features if of_features else classes
    image = 4 * len(model.channels) * math.prod(whole_shape or shape) + 8 * math.prod(source_shape)
    if uncertainty:
        image += 4 * math.prod(shape) + 8 * math.prod(source_shape)
    while windows is not None:
        batches = [windows]
        while batches[-1].batch > 1:
            batches.append(replace(windows, batch=batches[-1].batch // 2))
        # Sums on the device are worth more than many windows at a time, and less than large ones.
        for on_device in (True, False) if machine.device.type == "cuda" else (False,):
            for sums, one in product(_types(windows, of_features), batches):
                window = _window_bytes(one, model, machine, uncertainty, splits)
                belt = _belt_bytes(one.patch, shape, summed, sums)
                at_program = image + (window if on_cpu else 0) + (0 if on_device else belt)
                at_network = 0 if on_cpu else window + (belt if on_device else 0)
                if at_program <= for_program and at_network <= for_network:
                    planned = replace(one, sums=sums, of_features=of_features)
                    return MemoryPlan(planned, belt, window, image, on_device, splits)
        windows = batches[-1].smaller()
    needed, found = (f"{count / 2**30:.1f} GB" for count in (at_program, for_program))
    raise InputError(
        f"the model {model.name} sees the image as {'×'.join(map(str, shape))} voxels of {classes} classes and needs "
        f"{needed} of memory, found {found} that can be had; close other programs, or crop the image"
    )


def free_bytes(machine: Machine) -> tuple[int, int]:
    """What is free for the network, on its device, and for the program; the same memory on a CPU."""
    available = int(psutil.virtual_memory().available)
    if machine.device.type == "cuda":
        # What torch keeps of earlier work is free for the next.
        kept = torch.cuda.memory_reserved(machine.device) - torch.cuda.memory_allocated(machine.device)
        return int(torch.cuda.mem_get_info(machine.device)[0]) + kept, available
    return available, available


def _types(windows: Windows, of_features: bool) -> tuple[torch.dtype, ...]:
    """In which sums may be kept, best first; half the digits are too few for what a layer is still to come after."""
    if of_features:
        return (torch.float32,)
    return (torch.float16,) if windows.even else (torch.float32, torch.float16)


def _window_bytes(windows: Windows, model: Model, machine: Machine, uncertainty: bool, splits: bool) -> int:
    a_voxel = BYTES_A_FEATURE[machine.precision] * first_features(model.arguments)
    if splits:
        return windows.batch * math.prod(windows.patch) * a_voxel
    a_class = BYTES_A_CLASS
    if model.members * len(windows.mirrors) > 1:
        a_class += BYTES_OF_PASSES + (BYTES_OF_DOUBT if uncertainty else 0)
    a_voxel += a_class * len(model.class_values)
    return windows.batch * math.prod(windows.patch) * a_voxel


def _belt_bytes(patch: Sequence[int], shape: Sequence[int], classes: int, sums: torch.dtype) -> int:
    across = max(patch[1], shape[1]) * max(patch[2], shape[2])
    return patch[0] * across * (classes * sums.itemsize + 4)
