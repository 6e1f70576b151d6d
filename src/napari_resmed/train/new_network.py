"""A network for a data set, where there is none to start from."""

from __future__ import annotations

from typing import Any

__all__ = ["new_network"]

Shape = tuple[int, int, int]
Three = tuple[float, float, float]

# Of the lowest levels; and where a patch is the whole image, where wider ones brought nothing.
MOST_FEATURES, MOST_OF_WHOLE = 320, 160
# At the image's own resolution, before the scores.
OWN_RESOLUTION = 16


def new_network(
    patch: Shape, spacing_mm: Three, kind: str, whole: bool, reasons: dict[str, str]
) -> tuple[str, dict[str, Any]]:
    """A residual U-Net that halves the patch while four voxels are left, thick slices later than fine ones.

    Its first level halves already. Where a patch is the ``whole`` image, features at the image's own resolution come
    last, and its lower levels are narrower: there are no surroundings to be had, and a border is most of a structure
    (docs/decisions/0007).

    Parameters
    ----------
    patch, spacing_mm:
        Voxels and their size in Z, Y, X.
    kind:
        ``"cpu"`` or ``"gpu"``.
    reasons:
        The plan's, to which this one is added.

    Returns
    -------
    str, dict
        Name and arguments, but for the numbers of channels, as of :func:`napari_resmed.nets.build_network`.
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
    most_features = MOST_OF_WHOLE if whole else MOST_FEATURES
    widths = [min(most_features, 32 * 2**level) for level in range(len(strides) + 1)]
    reasons["network"] = f"a residual U-Net of {len(widths)} levels, {widths[0]} to {widths[-1]} features"
    if whole:
        reasons["network"] += f", and {OWN_RESOLUTION} at the image's own resolution"
    return "UNetWithHead" if whole else "UNet", {
        **({"features": OWN_RESOLUTION} if whole else {}),
        "spatial_dims": 3,
        "channels": widths,
        "strides": [stride[0] if len(set(stride)) == 1 else stride for stride in strides],
        "num_res_units": 2,
        "norm": "instance",
        "act": "relu",  # prelu, MONAI's default, costs a seventh of the step on a CPU
    }
