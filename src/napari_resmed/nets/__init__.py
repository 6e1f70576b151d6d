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

__all__ = ["CLASSIFIERS", "NETWORKS", "WITH_HEAD", "build_network"]

NETWORKS: dict[str, tuple[str, str]] = {
    "UNet": ("monai.networks.nets.unet", "UNet"),
    "UNetWithHead": ("napari_resmed.nets.unet_with_head", "UNetWithHead"),
    "DynUNet": ("monai.networks.nets.dynunet", "DynUNet"),
    "SegResNet": ("monai.networks.nets.segresnet", "SegResNet"),
    "SegResNetDS": ("monai.networks.nets.segresnet_ds", "SegResNetDS"),
    "BasicUNet": ("monai.networks.nets.basic_unet", "BasicUNet"),
    "AttentionUnet": ("monai.networks.nets.attentionunet", "AttentionUnet"),
    "VNet": ("monai.networks.nets.vnet", "VNet"),
    "HighResNet": ("monai.networks.nets.highresnet", "HighResNet"),
    "FlexibleUNet": ("monai.networks.nets.flexible_unet", "FlexibleUNet"),
    "UNETR": ("monai.networks.nets.unetr", "UNETR"),
    "SwinUNETR": ("monai.networks.nets.swin_unetr", "SwinUNETR"),
    "DiNTS": ("napari_resmed.nets.dints", "build_dints"),
    "PlainConvUNet": ("napari_resmed.nets.plain_conv_unet", "PlainConvUNet"),
    "ResidualEncoderUNet": ("napari_resmed.nets.residual_encoder_unet", "ResidualEncoderUNet"),
    "ImageClassifier": ("napari_resmed.nets.classifiers", "ImageClassifier"),
    "SequenceClassifier": ("napari_resmed.nets.classifiers", "SequenceClassifier"),
    "BranchClassifier": ("napari_resmed.nets.classifiers", "BranchClassifier"),
    "VoxelNet": ("napari_resmed.nets.voxel_net", "VoxelNet"),
}
# MONAI's U-Net and a layer of torch's after it: plain MONAI builds it of the two.
WITH_HEAD = "UNetWithHead"
# They tell what an image as a whole is, and may be of two dimensions by themselves.
CLASSIFIERS = ("ImageClassifier", "SequenceClassifier", "BranchClassifier")


def build_network(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network with fresh weights; one that segments slices takes volumes, slice by slice.

    Raises
    ------
    ModelError
        If the name is not in :data:`NETWORKS`, the arguments do not fit, or a package that it needs is not there.
    """
    if name not in NETWORKS:
        raise ModelError(f"the model's network is {name!r}, expected one of {', '.join(NETWORKS)}")
    module, attribute = NETWORKS[name]
    network: nn.Module
    try:
        network = getattr(import_module(module), attribute)(**arguments)
    except ImportError as problem:  # MONAI's OptionalImportError among them
        raise ModelError(f"the network {name} needs a package that is not installed: {problem}") from problem
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, NotImplementedError) as problem:
        raise ModelError(f"the network {name} cannot be built from the model's arguments: {problem}") from problem
    if arguments.get("spatial_dims") == 2 and name not in CLASSIFIERS:
        from napari_resmed.nets.slice_by_slice import SliceBySlice

        return SliceBySlice(network)
    return network
