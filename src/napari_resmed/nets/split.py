"""A network in two: all of it up to its last layer, and that layer, where it treats every voxel by itself.

A last layer of kernel 1 without an activation is linear: applied to a weighted mean of features it gives the weighted
mean of scores. Few features are so carried through memory instead of many scores.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_resmed.nets.unet_parts import Decoder

__all__ = ["SPLIT", "Head", "split"]

# Names of networks of which this is known, whose first level's features are the last layer's.
SPLIT = ("PlainConvUNet", "ResidualEncoderUNet")


class Head:
    """The last layer: scores of every voxel from its features.

    Parameters
    ----------
    weight, bias:
        float32 ``(classes, features)`` and ``(classes,)``.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight, bias
        self.with_bias = torch.cat([weight, bias[:, None]], 1)  # for features and a one

    def flat(self, features: Tensor, classes: Sequence[int] | None = None) -> Tensor:
        """Scores float32 ``(classes, voxels)``, of some classes or all, of features ``(features, voxels)``."""
        if classes is None or len(classes) == len(self.bias):
            return torch.addmm(self.bias[:, None], self.weight, features.float())
        chosen = torch.tensor(classes)
        return torch.addmm(self.bias[chosen, None], self.weight[chosen], features.float())

    def __call__(self, features: Tensor) -> Tensor:
        """Scores float32 ``(batch, classes, z, y, x)`` of features ``(batch, features, z, y, x)``."""
        with torch.autocast(features.device.type, enabled=False):
            return F.conv3d(features.float(), self.weight[..., None, None, None], self.bias)


def split(network: nn.Module) -> tuple[nn.Module, Head] | None:
    """The network without its last layer, sharing its weights, and that layer; None where it is no such network."""
    if not isinstance(network, Decoder):
        return None
    last = network.heads[-1]
    assert isinstance(last, nn.Conv3d)
    body = copy.copy(network)
    body._modules = {**network._modules, "heads": nn.ModuleList([*network.heads[:-1], nn.Identity()])}
    weight = last.weight.detach().flatten(1).float()
    bias = weight.new_zeros(len(weight)) if last.bias is None else last.bias.detach().float()
    return body, Head(weight, bias)
