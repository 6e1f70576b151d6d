"""MONAI's residual U-Net with a last layer of its own: many classes cost little at full resolution."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets.unet import UNet
from torch import nn

__all__ = ["UNetWithHead"]


class UNetWithHead(nn.Sequential):
    """A U-Net that answers features, and a layer of kernel 1 that makes scores of them.

    MONAI's ``UNet`` ends in a convolution of kernel 3 from classes to classes at full resolution, which with 31 classes
    costs two thirds of the network. Here it goes from features to features, however many classes there are. As it is
    the two one after the other, plain MONAI builds it of its own parts: see
    :func:`napari_resmed.models.bundle.inference_config`.

    Parameters
    ----------
    spatial_dims:
        2 or 3.
    in_channels, out_channels:
        Channels of the image; classes, with the background.
    features:
        What the U-Net answers at full resolution.
    channels, strides, num_res_units, norm, act:
        As of ``monai.networks.nets.UNet``.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: int,
        channels: Sequence[int],
        strides: Sequence[int],
        num_res_units: int = 0,
        norm: str = "instance",
        act: str = "prelu",
    ) -> None:
        body = UNet(
            spatial_dims,
            in_channels,
            features,
            channels,
            strides,
            num_res_units=num_res_units,
            norm=norm,
            act=act,
        )
        head = (nn.Conv2d if spatial_dims == 2 else nn.Conv3d)(features, out_channels, 1)
        super().__init__(body, head)
