"""How a MONAI bundle goes through an image: the size of its windows and how they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.models.monai_bundle.configuration import Component, Configuration

__all__ = ["BundleWindows", "describe_windows"]

# MONAI's own, where nothing is said.
USUAL_OVERLAP = 0.25


@dataclass(frozen=True)
class BundleWindows:
    """What an inferer says.

    Parameters
    ----------
    size:
        In MONAI's axes: three voxels, or two of a slice. Empty: the whole image, at whatever size it has then.
    overlap:
        Share of a window that its neighbour repeats.
    along:
        The axis along which slices are taken; None of volumes.
    """

    size: tuple[int, ...]
    overlap: float = 0.0
    along: int | None = None


def describe_windows(configuration: Configuration) -> BundleWindows:
    """Read the entry ``inferer``.

    Raises
    ------
    ModelError
        If there is none, or it does something that has no equal here.
    """
    if "inferer" not in configuration:
        raise ModelError("the configuration has no inferer, so the size of its windows is unknown")
    inferer = configuration.get("inferer")
    if not isinstance(inferer, Component):
        raise ModelError(f"the inferer is {inferer!r}, expected one with its _target_")
    match inferer.name:
        case "SimpleInferer":
            return BundleWindows(())
        case "SlidingWindowInferer" | "SlidingWindowInfererAdapt" | "SliceInferer":
            _check_padding(inferer)
            overlap = inferer.get("overlap", USUAL_OVERLAP)
            # One for each axis: the largest is the one that loses nothing.
            shares = [float(one) for one in overlap] if isinstance(overlap, Sequence) else [float(overlap)]
            if inferer.name == "SliceInferer":
                return BundleWindows(
                    _size(inferer.get("roi_size"), (2,)), max(shares), int(inferer.get("spatial_dim", 0))
                )
            return BundleWindows(_size(inferer.get("roi_size"), (3, 2)), max(shares))
    raise ModelError(f"windows are taken by {inferer.target}, expected SlidingWindowInferer or SliceInferer")


def _check_padding(inferer: Component) -> None:
    if inferer.get("padding_mode", "constant") != "constant" or float(inferer.get("cval", 0)) != 0:
        raise ModelError(f"{inferer.target} pads small images with something else than zeros")


def _size(value: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,) * axes[0]
    if not all(isinstance(size, int) and size > 0 for size in sizes) or len(sizes) not in axes:
        raise ModelError(f"the inferer's roi_size is {value!r}, expected {axes[0]} numbers of voxels")
    return sizes
