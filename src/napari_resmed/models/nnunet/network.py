"""nnU-Net's description of its network, and its weights, in our terms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_resmed.errors import ModelError
from napari_resmed.nets import build_network

__all__ = ["describe_network", "rename_weights"]

_PLAIN, _RESIDUAL = "PlainConvUNet", "ResidualEncoderUNet"
# What our networks do in any case; anything else is another network.
_FIXED: dict[str, tuple[Any, ...]] = {
    "conv_op": ("torch.nn.modules.conv.Conv3d", "torch.nn.Conv3d"),
    "norm_op": ("torch.nn.modules.instancenorm.InstanceNorm3d", "torch.nn.InstanceNorm3d"),
    "norm_op_kwargs": ({"eps": 1e-5, "affine": True},),
    "dropout_op": (None,),
    "nonlin": ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU"),
    "nonlin_kwargs": ({"inplace": True}, {}, None, {"inplace": True, "negative_slope": 0.01}),
    "nonlin_first": (False,),
}
_READ = {
    *("n_stages", "features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage"),
    *("n_conv_per_stage_decoder", "conv_bias", "dropout_op_kwargs", "deep_supervision"),
}
# In this order; the encoder stands a second time in the decoder, and every module a second time in "all_modules".
_TWICE = re.compile(r"^decoder\.encoder\.|\.all_modules\.")
_BEFORE = re.compile(r"^(module\.|_orig_mod\.)+")
_NAMES = (
    (r"^encoder\.stem\.convs\.0\.", "stem."),
    (r"^encoder\.stages\.(\d+)\.blocks\.(\d+)\.", r"encoder.\1.\2."),
    (r"^encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.", r"encoder.\1.\2."),
    (r"\.skip\.\d\.", ".project."),
    (r"^decoder\.stages\.(\d+)\.convs\.(\d+)\.", r"decoder.\1.\2."),
    (r"^decoder\.transpconvs\.", "up."),
    (r"^decoder\.seg_layers\.", "heads."),
)


def describe_network(configuration: Mapping[str, Any], channels: int, classes: int) -> tuple[str, dict[str, Any]]:
    """Name and arguments of our network for a configuration of ``plans.json``.

    Raises
    ------
    ModelError
        If it is another network than the plain or the residual-encoder U-Net, by name.
    """
    kind, wanted = _architecture(configuration)
    if kind not in (_PLAIN, _RESIDUAL):
        raise ModelError(f"the network is {kind}, expected {_PLAIN} or {_RESIDUAL}")
    for name, value in wanted.items():
        if name in _READ or (name in _FIXED and value in _FIXED[name]):
            continue
        raise ModelError(f"the network {kind} has {name} {value!r}, which this program's network has not")
    count = int(wanted["n_stages"])
    kernels = _sizes(wanted["kernel_sizes"], count)
    strides = _sizes(wanted["strides"], count)
    if any(size % 2 == 0 for kernel in kernels for size in kernel):
        raise ModelError(f"the network {kind} has the kernels {kernels}, expected odd sizes")
    inner = "n_conv_per_stage" if kind == _PLAIN else "n_blocks_per_stage"
    return kind, {
        "in_channels": channels,
        "out_channels": classes,
        "features": _each(wanted["features_per_stage"], count),
        "kernel_sizes": kernels,
        "strides": strides,
        "encoder_convs" if kind == _PLAIN else "blocks": _each(wanted[inner], count),
        "decoder_convs": _each(wanted["n_conv_per_stage_decoder"], count - 1),
        "conv_bias": bool(wanted.get("conv_bias", False)),
    }


def rename_weights(weights: Mapping[str, Tensor], network: str, arguments: Mapping[str, Any]) -> dict[str, Tensor]:
    """nnU-Net's state dict with our names.

    Raises
    ------
    ModelError
        If it does not fit the network to the last tensor.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        short = _BEFORE.sub("", name)
        if _TWICE.search(short):
            continue
        for pattern, ours in _NAMES:
            short = re.sub(pattern, ours, short)
        renamed[short] = tensor
    with torch.device("meta"):
        wanted = build_network(network, arguments).state_dict()
    odd = sorted(wanted.keys() ^ renamed.keys()) or [
        name for name, tensor in wanted.items() if tensor.shape != renamed[name].shape
    ]
    if odd:
        raise ModelError(
            f"the weights do not fit the {network} of plans.json, at {odd[0]} and {len(odd) - 1} more; was it trained "
            "with another trainer?"
        )
    return {name: renamed[name].float() for name in wanted}


def _architecture(configuration: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The network's class without its module, and its arguments; in plans before nnU-Net 2.5 they stand apart."""
    if "architecture" in configuration:
        architecture = configuration["architecture"]
        return str(architecture["network_class_name"]).rsplit(".", 1)[-1], architecture["arch_kwargs"]
    kind = str(configuration["UNet_class_name"])
    stages = len(configuration["n_conv_per_stage_encoder"])
    first, most = int(configuration["UNet_base_num_features"]), int(configuration["unet_max_num_features"])
    return kind, {
        "n_stages": stages,
        "features_per_stage": [min(first * 2**level, most) for level in range(stages)],
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": configuration["pool_op_kernel_sizes"],
        "n_conv_per_stage" if kind == _PLAIN else "n_blocks_per_stage": configuration["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
        "conv_bias": True,
    }


def _each(value: Any, count: int) -> list[int]:
    values = [int(one) for one in value] if isinstance(value, Sequence) else [int(value)] * count
    if len(values) != count or min(values) < 1:
        raise ModelError(f"plans.json has {value} for {count} levels of the network")
    return values


def _sizes(value: Any, count: int) -> list[list[int]]:
    values = value if isinstance(value, Sequence) else [value] * count
    sizes = [[int(one) for one in size] if isinstance(size, Sequence) else [int(size)] * 3 for size in values]
    if len(sizes) != count or any(len(size) != 3 or min(size) < 1 for size in sizes):
        raise ModelError(f"plans.json has {value} for {count} levels of a 3D network")
    return sizes
