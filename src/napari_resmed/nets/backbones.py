"""What turns an image into features, by name, for the networks that classify."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.networks.nets.densenet import DenseNet
from monai.networks.nets.efficientnet import EfficientNetBN
from torch import Tensor, nn

from napari_resmed.nets.encoders import Encoder
from napari_resmed.nets.resnet import DEPTHS, ResNet

__all__ = ["BACKBONES", "ENCODER", "build_backbone"]

# Layers in the four blocks (Huang et al., CVPR 2017, arXiv 1608.06993).
_DENSENETS = {"densenet121": (6, 12, 24, 16), "densenet169": (6, 12, 32, 32)}
_EFFICIENTNETS = tuple(f"efficientnet-b{number}" for number in range(5))
# The encoder of a segmentation model, with the arguments ``network`` and ``arguments`` of that model.
ENCODER = "encoder"
BACKBONES = (*(f"resnet{depth}" for depth in DEPTHS), *_DENSENETS, *_EFFICIENTNETS, ENCODER)


def build_backbone(
    name: str, spatial_dims: int, in_channels: int, arguments: Mapping[str, Any] | None = None
) -> tuple[nn.Module, int]:
    """A network from images ``(batch, in_channels, [z,] y, x)`` to features ``(batch, width, ...)``, and the width.

    Weights are fresh; nothing is ever downloaded here.

    Parameters
    ----------
    name:
        One of :data:`BACKBONES`.
    spatial_dims, in_channels:
        2 or 3; channels of images.
    arguments:
        Further ones of :class:`napari_resmed.nets.resnet.ResNet`, MONAI's ``DenseNet`` or ``EfficientNetBN``; of
        :class:`napari_resmed.nets.encoders.Encoder`.

    Raises
    ------
    ValueError, TypeError
        If the name or an argument is unknown.
    """
    more = dict(arguments or {})
    if name.removeprefix("resnet") in map(str, DEPTHS):
        resnet = ResNet(int(name.removeprefix("resnet")), spatial_dims, in_channels, **more)
        return resnet, resnet.width
    if name in _DENSENETS:
        dense = _DenseFeatures(spatial_dims, in_channels, **{"block_config": _DENSENETS[name], **more})
        return dense, dense.width
    if name in _EFFICIENTNETS:
        if "pretrained" in more:
            raise ValueError("pretrained is no argument here: weights are taken from a file")
        efficient = _EfficientFeatures(name, spatial_dims, in_channels, **more)
        return efficient, efficient.width
    if name == ENCODER:
        if spatial_dims != 3:
            raise ValueError("the encoder of a segmentation model is 3D")
        encoder = Encoder(in_channels=in_channels, **more)
        return encoder, encoder.width
    raise ValueError(f"backbone {name!r}, expected one of {', '.join(BACKBONES)}")


class _DenseFeatures(nn.Module):
    """MONAI's DenseNet up to its features."""

    def __init__(self, spatial_dims: int, in_channels: int, **more: Any) -> None:
        super().__init__()
        whole = DenseNet(spatial_dims, in_channels, 1, **more)
        self.features = whole.features
        self.width: int = whole.class_layers.out.in_features  # type: ignore[assignment]

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(self.features(image))


class _EfficientFeatures(EfficientNetBN):  # type: ignore[misc]
    """MONAI's EfficientNet up to its features."""

    def __init__(self, name: str, spatial_dims: int, in_channels: int, **more: Any) -> None:
        super().__init__(name, pretrained=False, spatial_dims=spatial_dims, in_channels=in_channels, **more)
        self.width = int(self._fc.in_features)  # type: ignore[has-type]
        self._fc = nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        state = self._swish(self._bn0(self._conv_stem(self._conv_stem_padding(inputs))))
        state = self._blocks(state)
        features: Tensor = self._swish(self._bn1(self._conv_head(self._conv_head_padding(state))))
        return features
