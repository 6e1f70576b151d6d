"""Weights as they ship: in half precision, on a grid that a repository can compress."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["stored_weights"]

# The grid's step is the power of two next below this share of a kernel's spread (root mean square). Of head-neck-ct's
# first part the Dice of twelve cases moved by 0.0005; as git compresses them, weights take half as much. Twice the step
# cost brain-mr 0.009 in Dice (four images), four times 0.014, for a sixth and a third less.
STEP = 1 / 11


def stored_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Numbers in float16; kernels rounded to multiples of a power of two, which float16 holds exactly.

    A kernel changes by 1 to 3 % of its spread (uniform rounding: a step over the root of twelve). Scales, offsets and
    whole numbers stay as they are.
    """
    return {name: _stored(tensor) for name, tensor in weights.items()}


def _stored(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    values = tensor.float()
    spread = float(values.square().mean().sqrt()) if values.dim() > 2 else 0.0
    if spread > 0:
        step = 2.0 ** float(torch.tensor(STEP * spread).log2().floor())
        values = (values / step).round() * step
    return values.half()
