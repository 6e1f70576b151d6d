"""The echoes of one series as one volume in time, where they have the same slices; else each for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_resmed import geometry
from napari_resmed.io.dicom.slice import Slice
from napari_resmed.io.dicom.stack import SAME_POSITION_MM, Stack

__all__ = ["join_echoes"]


def join_echoes(stacks: Sequence[Stack]) -> list[Stack]:
    """One stack of all echoes, the shortest first; or all of them as they are, with the reason.

    Parameters
    ----------
    stacks:
        One an echo, of one series, orientation, matrix, spacing, image type and units.
    """
    firsts = [stack.slices[0] for stack in stacks]
    if all(first.echo_time_ms is not None for first in firsts):
        ordered_by, keys = "echo time", [first.echo_time_ms or 0.0 for first in firsts]
    else:
        ordered_by, keys = "echo number", [_number(first) for first in firsts]
    reason = _why_apart(stacks, keys)
    if reason:
        return [
            replace(stack, warnings=(*stack.warnings, f"{_one_of(stack, len(stacks))}, opened by itself: {reason}"))
            for stack in stacks
        ]
    ordered = [stack for _, stack in sorted(zip(keys, stacks, strict=True), key=lambda pair: pair[0])]
    return [
        replace(
            ordered[0],
            slices=tuple(image for stack in ordered for image in stack.slices),
            frames=len(ordered),
            warnings=tuple(dict.fromkeys(warning for stack in ordered for warning in stack.warnings)),
            ordered_by=ordered_by,
        )
    ]


def _number(image: Slice) -> float:
    return float(image.echo_number) if image.echo_number.isdecimal() else -1.0


def _one_of(stack: Stack, count: int) -> str:
    stated = stack.slices[0].echo_time_ms
    return f"one of {count} echoes of its series" + ("" if stated is None else f" ({stated:g} ms)")


def _why_apart(stacks: Sequence[Stack], keys: Sequence[float]) -> str:
    """Why echoes are no times of one volume; empty where they are."""
    if len(set(keys)) < len(keys) or min(keys) < 0:
        return "not all of them say which they are"
    if any(stack.affine is None for stack in stacks):
        return "one of them is no regular volume"
    if any(stack.frames > 1 for stack in stacks):
        return "they are series in time themselves"
    first = stacks[0]
    for stack in stacks[1:]:
        if stack.positions != first.positions or _apart_mm(stack, first) > SAME_POSITION_MM:
            return "they do not have the same slices"
        if _scales(stack) != _scales(first):
            return "their values are scaled differently"
    return ""


def _apart_mm(one: Stack, other: Stack) -> float:
    if one.affine is None or other.affine is None:
        return np.inf
    shape = (one.positions, one.slices[0].rows, one.slices[0].columns)
    return float(np.abs(geometry.corners(one.affine, shape) - geometry.corners(other.affine, shape)).max())


def _scales(stack: Stack) -> set[tuple[float, float]]:
    return {(image.slope, image.intercept) for image in stack.slices}
