"""A large image through a network of fixed window, window by window."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from torch import Tensor, nn
from torch.nn import functional as F

from napari_resmed.errors import InputError
from napari_resmed.predict.machine import Machine

__all__ = ["merge_background", "pad_to_window", "sliding_window", "window_places"]

Place = tuple[slice, slice, slice]


def window_places(shape: tuple[int, int, int], patch: tuple[int, int, int], overlap: float) -> list[Place]:
    """Where the windows lie: MONAI's own grid of overlapping patches.

    Raises
    ------
    InputError
        If the overlap is not in 0 <= overlap < 1.
    """
    if not 0 <= overlap < 1:
        raise InputError(f"the overlap is {overlap}, expected 0 or more and less than 1")
    step = tuple(
        size if size <= window else max(1, int(window * (1 - overlap)))
        for size, window in zip(shape, patch, strict=True)
    )
    return [tuple(place) for place in dense_patch_slices(shape, patch, step)]


def pad_to_window(image: Tensor, patch: tuple[int, int, int]) -> tuple[Tensor, list[tuple[int, int]]]:
    """Surround ``(c, z, y, x)`` by zeros until it is no smaller than one window; also the margins added per axis."""
    short = [max(0, window - size) for size, window in zip(image.shape[1:], patch, strict=True)]
    margins = [(n // 2, n - n // 2) for n in short]
    return F.pad(image, [side for pair in reversed(margins) for side in pair]), margins


def sliding_window(
    image: Tensor,
    network: nn.Module,
    machine: Machine,
    *,
    classes: int,
    patch: tuple[int, int, int],
    overlap: float = 0.5,
    mirror_axes: Sequence[int] = (),
    background_classes: int = 1,
) -> Generator[tuple[int, int], None, Tensor]:
    """Class scores for an image of any size.

    Windows are weighted by a Gaussian, so that the middle of a window counts more than its rim, and summed in
    float32. The same result as MONAI's ``sliding_window_inference`` in Gaussian mode, but a generator: between
    two windows the caller can show progress or stop.

    Parameters
    ----------
    image:
        float32 ``(c, z, y, x)``.
    network:
        Takes ``(1, c, z, y, x)`` and answers ``(1, background_classes - 1 + classes, z, y, x)``.
    machine:
        Device and precision.
    classes:
        Number of classes, background included.
    patch:
        Window ``(z, y, x)``.
    overlap:
        Share of a window that its neighbour repeats.
    mirror_axes:
        Spatial axes (0 z, 1 y, 2 x) along which each window is also run mirrored, and the answers averaged.

    background_classes:
        How many of the network's first classes are background; they are merged into one.

    Yields
    ------
    done, total
        Windows.

    Returns
    -------
    Tensor
        float32 ``(classes, z, y, x)``, on the CPU.
    """
    padded, margins = pad_to_window(image, patch)
    z, y, x = padded.shape[1:]
    places = window_places((z, y, x), patch, overlap)
    weight = compute_importance_map(patch, mode="gaussian", sigma_scale=0.125, dtype=torch.float32)
    scores = torch.zeros((classes, z, y, x))
    total_weight = torch.zeros((z, y, x))
    for number, place in enumerate(places):
        yield number, len(places)
        answer = _answer(padded[(slice(None), *place)][None], network, machine, mirror_axes)
        scores[(slice(None), *place)] += merge_background(answer, background_classes, 0) * weight
        total_weight[place] += weight
    scores /= total_weight
    inner = tuple(slice(before, size - after) for (before, after), size in zip(margins, (z, y, x), strict=True))
    yield len(places), len(places)
    return scores[(slice(None), *inner)]


def merge_background(scores: Tensor, count: int, axis: int = 1) -> Tensor:
    """Class scores whose first ``count`` classes are one: its probability is the sum of theirs."""
    if count == 1:
        return scores
    first, rest = scores.narrow(axis, 0, count), scores.narrow(axis, count, scores.shape[axis] - count)
    return torch.cat([first.logsumexp(axis, keepdim=True), rest], axis)


def _answer(window: Tensor, network: nn.Module, machine: Machine, mirror_axes: Sequence[int]) -> Tensor:
    window = window.to(machine.device, memory_format=torch.channels_last_3d)
    half = machine.precision != "fp32"
    with torch.inference_mode(), torch.autocast(machine.device.type, machine.dtype, enabled=half):
        answer: Tensor = network(window).float()
        for axis in mirror_axes:
            answer = answer + network(window.flip(2 + axis)).float().flip(2 + axis)
        return (answer / (1 + len(mirror_axes)))[0].cpu()
