"""Networks by name.

A model's file names its network and the arguments; only the names below are ever built, so a file can not
make the program call anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_resmed.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "build_network"]

NETWORKS: dict[str, tuple[str, str]] = {
    "UNet": ("monai.networks.nets.unet", "UNet"),
    "DynUNet": ("monai.networks.nets.dynunet", "DynUNet"),
    "SegResNet": ("monai.networks.nets.segresnet", "SegResNet"),
    "PlainConvUNet": ("napari_resmed.nets.plain_conv_unet", "PlainConvUNet"),
    "ResidualEncoderUNet": ("napari_resmed.nets.residual_encoder_unet", "ResidualEncoderUNet"),
    "VoxelNet": ("napari_resmed.nets.voxel_net", "VoxelNet"),
}


def build_network(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network with fresh weights.

    Raises
    ------
    ModelError
        If the name is not in :data:`NETWORKS` or the arguments do not fit.
    """
    if name not in NETWORKS:
        raise ModelError(f"the model's network is {name!r}, expected one of {', '.join(NETWORKS)}")
    module, attribute = NETWORKS[name]
    network: nn.Module
    try:
        network = getattr(import_module(module), attribute)(**arguments)
    except (TypeError, ValueError, KeyError) as problem:
        raise ModelError(f"the network {name} cannot be built from the model's arguments: {problem}") from problem
    return network
