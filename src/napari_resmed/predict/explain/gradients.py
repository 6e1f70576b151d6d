"""Grad-CAM and Grad-CAM++ at any layer of a network.

Not MONAI's, which a test holds it to: that one leaves its hooks on the network, which here stays loaded between clicks,
and takes gradients of every weight, where those of one layer's features are enough.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_resmed.errors import InputError

__all__ = ["gradient_map"]

# MONAI's, against a division by zero.
_LITTLE = 1e-7


def gradient_map(network: nn.Module, batch: Tensor, layer: nn.Module, number: int, plus: bool = False) -> Tensor:
    """Where an image speaks for a class: Grad-CAM (Selvaraju et al., arXiv 1610.02391, equations 1 and 2).

    Parameters
    ----------
    network, batch:
        A classifier and one image ``(1, c, [z,] y, x)`` as it takes it.
    layer:
        One of the network's, whose features ``(n, width, [z,] y, x)`` still have places.
    number:
        Of the class.
    plus:
        Grad-CAM++ instead (Chattopadhyay et al., arXiv 1710.11063, equations 10 and 19): several separate places count
        fully. Up to a factor, which is left out.

    Returns
    -------
    Tensor
        Of the image's size ``([z,] y, x)``, none negative. A layer that sees slices one by one (n of them) gives a map
        of each.

    Raises
    ------
    InputError
        If the layer's features have no places.
    """
    features, gradient = _at(network, batch, layer, number)
    if features.dim() < 4:
        raise InputError("this layer knows no places in the image any more; choose an earlier one")
    places = tuple(range(2, features.dim()))
    if plus:
        squares = gradient**2
        below = 2 * squares + (features * gradient**3).sum(places, keepdim=True)
        shares = squares / (torch.where(below != 0, below, torch.ones_like(below)) + _LITTLE)
        weights = (shares * torch.relu(gradient)).sum(places, keepdim=True)
    else:
        weights = gradient.mean(places, keepdim=True)
    coarse = torch.relu((weights * features).sum(1, keepdim=True))
    flat = features.dim() == 4
    size = batch.shape[3:] if flat and batch.dim() == 5 else batch.shape[2:]
    fine = interpolate(coarse, size=tuple(size), mode="bilinear" if flat else "trilinear", align_corners=False)
    return fine[:, 0] if batch.dim() == 5 and flat else fine[0, 0]


def _at(network: nn.Module, batch: Tensor, layer: nn.Module, number: int) -> tuple[Tensor, Tensor]:
    """A layer's features, and the gradient of the class's score by them."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: Any, out: Any) -> Any:
        if not isinstance(out, Tensor):
            return out
        features = out.detach().requires_grad_()
        seen.append(features)
        return features.clone()  # what comes next may write into what it is given

    # cuDNN's recurrent layers give gradients in training alone.
    recurrent = any(isinstance(module, nn.RNNBase) for module in network.modules())
    hook = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext():
            score = network(batch)[0, number]
            if not seen:
                raise InputError("this layer takes no part in the answer; choose another one")
            (gradient,) = torch.autograd.grad(score, seen[-1])
    finally:
        hook.remove()
    return seen[-1].detach(), gradient
