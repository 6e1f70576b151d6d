"""The encoder of a segmentation network as a feature extractor; its weights keep the names they have there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai.networks.nets.unet import UNet
from torch import Tensor, nn

from napari_resmed.nets.plain_conv_unet import PlainConvUNet
from napari_resmed.nets.residual_encoder_unet import ResidualEncoderUNet

__all__ = ["ENCODERS", "Encoder"]

ENCODERS = ("UNet", "UNetWithHead", "PlainConvUNet", "ResidualEncoderUNet")


class Encoder(nn.Module):
    """Takes ``(batch, in_channels, z, y, x)`` and gives the deepest features ``(batch, width, ...)``.

    Parameters
    ----------
    network:
        One of :data:`ENCODERS`.
    in_channels:
        Channels of images.
    arguments:
        What the segmentation network is built from; its channels count for nothing.
    """

    def __init__(self, network: str, in_channels: int, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        given = {**arguments, "in_channels": in_channels, "out_channels": 2}
        if network == "UNet":
            self.model = UNet(**given).model
            # The way up goes; what is left has the names of the whole.
            level = self.model
            while isinstance(level, nn.Sequential) and len(level) == 3:
                level[2] = nn.Identity()
                level = level[1].submodule
            self.width = int(given["channels"][-1])
        elif network == "UNetWithHead":
            body = {name: value for name, value in given.items() if name != "features"}
            self.add_module("0", Encoder("UNet", in_channels, body))
            self.width = int(given["channels"][-1])
        elif network in ENCODERS:
            made = ResidualEncoderUNet(**given) if network == "ResidualEncoderUNet" else PlainConvUNet(**given)
            self.stem = made.stem if isinstance(made, ResidualEncoderUNet) else nn.Identity()
            self.encoder = made.encoder
            self.width = int(given["features"][-1])
        else:
            raise ValueError(f"encoder of {network!r}, expected one of {', '.join(ENCODERS)}")
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Features of an image."""
        if self.network == "UNetWithHead":
            found: Tensor = self.get_submodule("0")(image)
            return found
        if self.network != "UNet":
            state: Tensor = self.stem(image)
            for stage in self.encoder:
                state = stage(state)
            return state
        state, level = image, self.model
        while isinstance(level, nn.Sequential) and len(level) == 3:
            state = level[0](state)
            level = level[1].submodule
        deepest: Tensor = level(state)
        return deepest
