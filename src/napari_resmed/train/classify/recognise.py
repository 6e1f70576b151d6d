"""Which network a file of weights is of, told by their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_resmed.nets.backbones import build_backbone
from napari_resmed.nets.resnet import DEPTHS, FIRST_KERNELS
from napari_resmed.train.classify.monais import DENSENETS, EFFICIENTNETS

__all__ = ["recognise"]

# The first layer of MONAI's DenseNets and EfficientNets, and the names of those that we have.
_FIRST_LAYERS = {"features.conv0.weight": tuple(DENSENETS), "_conv_stem.weight": EFFICIENTNETS}


def recognise(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Backbone and arguments of the network that weights are of; None where that is unknown.

    Any ResNet; MONAI's DenseNets and EfficientNets of the depths that we have.

    Returns
    -------
    dict
        ``backbone``, ``backbone_arguments``, ``spatial_dims``, ``in_channels`` of
        :class:`napari_resmed.nets.classifiers.ImageClassifier`.
    """
    return _resnet(weights) or _monais(weights)


def _monais(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """The one all of whose weights are there, in their shapes, whatever stands before their names."""
    for end, names in _FIRST_LAYERS.items():
        found = next((name for name in weights if name.endswith(end)), None)
        if found is None or weights[found].dim() not in (4, 5):
            continue
        front, first = found.removesuffix(end), weights[found]
        for name in names:
            dims, channels = first.dim() - 2, int(first.shape[1])
            with torch.device("meta"):
                backbone, _ = build_backbone(name, dims, channels)
            shapes = {front + key: value.shape for key, value in backbone.state_dict().items() if value.dim()}
            if all(key in weights and weights[key].shape == shape for key, shape in shapes.items()):
                return {"backbone": name, "backbone_arguments": {}, "spatial_dims": dims, "in_channels": channels}
    return None


def _resnet(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    ends = [name for name in weights if name.endswith("layer1.0.conv1.weight")]
    if not ends:
        return None
    front = ends[0].removesuffix("layer1.0.conv1.weight")
    first = weights.get(f"{front}conv1.weight")
    counts = tuple(
        len({name.split(".")[0] for name in _under(weights, f"{front}layer{stage}.")}) for stage in range(1, 5)
    )
    bottleneck = f"{front}layer1.0.conv3.weight" in weights
    depth = next((depth for depth, kind in DEPTHS.items() if kind == (counts, bottleneck)), None)
    if first is None or depth is None or first.dim() not in (4, 5):
        return None
    features = [len(weights[f"{front}layer{stage}.0.conv1.weight"]) for stage in range(1, 5)]
    kernel = int(first.shape[-1])
    # Of any other size the first layer begins anew; what follows fits all the same.
    halvings = FIRST_KERNELS.index(kernel) if kernel in FIRST_KERNELS else 2
    arguments: dict[str, Any] = {"features": features, "halvings": halvings}
    if not any(".downsample." in name for name in weights):
        arguments["shortcut"] = "identity"
    return {
        "backbone": f"resnet{depth}",
        "backbone_arguments": arguments,
        "spatial_dims": first.dim() - 2,
        "in_channels": int(first.shape[1]),
    }


def _under(weights: Mapping[str, Tensor], front: str) -> list[str]:
    return [name.removeprefix(front) for name in weights if name.startswith(front)]
