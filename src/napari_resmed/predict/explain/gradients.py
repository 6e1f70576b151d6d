"""Grad-CAM and Grad-CAM++ at any layer of a network, LayerCAM at several together.

Not MONAI's, which a test holds it to: that one leaves its hooks on the network, which here stays loaded between clicks,
and takes gradients of every weight, where those of one layer's features are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_resmed.errors import InputError

__all__ = ["gradient_map", "layered_map"]

# MONAI's, against a division by zero.
_LITTLE = 1e-7


def gradient_map(network: nn.Module, batch: Tensor, layer: nn.Module, number: int, plus: bool = False) -> Tensor:
    """Where an image speaks for a class: Grad-CAM (Selvaraju et al., arXiv 1610.02391, equations 1 and 2).

    Parameters
    ----------
    network, batch:
        A classifier and one image ``(1, c, [t,] [z,] y, x)`` as it takes it.
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
        Of the image's size ``([t,] [z,] y, x)``, none negative. A layer that sees slices or frames one by one (n of
        them) gives a map of each.

    Raises
    ------
    InputError
        If the layer's features have no places.
    """
    ((features, gradient),) = _at(network, batch, [layer], number)
    places = tuple(range(2, features.dim()))
    if plus:
        squares = gradient**2
        below = 2 * squares + (features * gradient**3).sum(places, keepdim=True)
        shares = squares / (torch.where(below != 0, below, torch.ones_like(below)) + _LITTLE)
        weights = (shares * torch.relu(gradient)).sum(places, keepdim=True)
    else:
        weights = gradient.mean(places, keepdim=True)
    return _as_image(torch.relu((weights * features).sum(1, keepdim=True)), batch)


def layered_map(network: nn.Module, batch: Tensor, layers: Sequence[nn.Module], number: int) -> Tensor:
    """Where an image speaks for a class, seen by several layers: LayerCAM (Jiang et al., IEEE TIP 2021, equation 5).

    At every place a feature counts as much as the class's score rises with it there, and not as much as it does on the
    mean over all places, which means little at early layers. Late layers know what counts, early ones where it is: of
    several the maps' geometric mean is taken, each first brought to 1 at its highest, for a place to count that all of
    them name. (The paper takes the largest, to find whole objects.)

    Parameters and what comes out as of :func:`gradient_map`.

    Raises
    ------
    InputError
        If a layer's features have no places.
    """
    found = _at(network, batch, layers, number)
    maps = [_as_image(torch.relu((torch.relu(up) * features).sum(1, keepdim=True)), batch) for features, up in found]
    # A layer that has nothing to say says nothing against what the others see.
    told = [one / one.max() for one in maps if one.max() > 0]
    return torch.stack(told).log().mean(0).exp() if told else torch.zeros_like(maps[0])


def _as_image(coarse: Tensor, batch: Tensor) -> Tensor:
    """A layer's map ``(n, 1, [z,] y, x)`` in the image's size, without the axes of batch and feature."""
    mode = "bilinear" if coarse.dim() == 4 else "trilinear"
    size = tuple(batch.shape[batch.dim() - coarse.dim() + 2 :])
    fine = interpolate(coarse, size=size, mode=mode, align_corners=False)
    return fine[:, 0] if coarse.dim() < batch.dim() else fine[0, 0]


def _at(network: nn.Module, batch: Tensor, layers: Sequence[nn.Module], number: int) -> list[tuple[Tensor, Tensor]]:
    """For each layer its features, and the gradient of the class's score by them."""
    seen: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, given: Any, out: Any) -> Any:
        if not isinstance(out, Tensor):
            return out
        # The first that is met begins the gradient's way; what lies before it costs nothing.
        features = out if out.requires_grad and seen else out.detach().requires_grad_()
        seen[module] = features
        return features.clone()  # what comes next may write into what it is given

    # cuDNN's recurrent layers give gradients in training alone.
    recurrent = any(isinstance(module, nn.RNNBase) for module in network.modules())
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext():
            score = network(batch)[0, number]
            if len(seen) < len(layers):
                raise InputError("this layer takes no part in the answer; choose another one")
            gradients = torch.autograd.grad(score, [seen[layer] for layer in layers])
    finally:
        for hook in hooks:
            hook.remove()
    found = [(seen[layer].detach(), gradient) for layer, gradient in zip(layers, gradients, strict=True)]
    if any(features.dim() < 4 for features, _ in found):
        raise InputError("this layer knows no places in the image any more; choose an earlier one")
    return found
