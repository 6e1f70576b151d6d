"""Tiny folders as nnU-Net v2 leaves them, written without nnU-Net."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_resmed.nets import build_network

LEVELS = {
    "features_per_stage": [4, 8, 8],
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
}
COUNTS = [1, 2, 2]
KINDS = {
    "residual": ("ResidualEncoderUNet", "blocks", "n_blocks_per_stage"),
    "plain": ("PlainConvUNet", "encoder_convs", "n_conv_per_stage"),
}
LABELS = {"background": 0, "liver": 1, "spleen": 2}
INTENSITIES = {"mean": 30.0, "std": 300.0, "percentile_00_5": -900.0, "percentile_99_5": 900.0}
RESAMPLING = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}


def configuration(kind: str = "residual", **changes: Any) -> dict[str, Any]:
    network, _, inner = KINDS[kind]
    architecture = {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{network}",
        "arch_kwargs": {
            **LEVELS,
            "n_stages": 3,
            inner: COUNTS,
            "n_conv_per_stage_decoder": [1, 2],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "conv_bias": True,
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    return {
        "preprocessor_name": "DefaultPreprocessor",
        "patch_size": [16, 16, 16],
        "spacing": [2.0, 1.5, 1.5],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": RESAMPLING,
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**RESAMPLING, "order": 1},
        "architecture": architecture,
        **changes,
    }


def old_configuration(kind: str) -> dict[str, Any]:
    """As plans were written before nnU-Net 2.5."""
    chosen = configuration(kind)
    arguments = chosen.pop("architecture")["arch_kwargs"]
    return {
        **chosen,
        "UNet_class_name": KINDS[kind][0],
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": COUNTS,
        "n_conv_per_stage_decoder": arguments["n_conv_per_stage_decoder"],
        "conv_kernel_sizes": LEVELS["kernel_sizes"],
        "pool_op_kernel_sizes": LEVELS["strides"],
        "num_pool_per_axis": [1, 2, 2],
    }


def network_arguments(kind: str = "residual", classes: int = 3) -> dict[str, Any]:
    return {
        "in_channels": 1,
        "out_channels": classes,
        "features": LEVELS["features_per_stage"],
        "kernel_sizes": LEVELS["kernel_sizes"],
        "strides": LEVELS["strides"],
        KINDS[kind][1]: COUNTS,
        "decoder_convs": [1, 2],
        "conv_bias": True,
    }


def our_weights(kind: str = "residual", classes: int = 3, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    network = build_network(KINDS[kind][0], network_arguments(kind, classes))
    return {name: torch.rand_like(value) - 0.5 for name, value in network.state_dict().items()}


def their_weights(kind: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with nnU-Net's names, and all it says twice or four times."""
    encoder = r"encoder.stages.\1.blocks.\2." if kind == "residual" else r"encoder.stages.\1.0.convs.\2."
    names = (
        (r"^stem\.", "encoder.stem.convs.0."),
        (r"^encoder\.(\d+)\.(\d+)\.", encoder),
        (r"\.project\.", ".skip.1."),
        (r"^decoder\.(\d+)\.(\d+)\.", r"decoder.stages.\1.convs.\2."),
        (r"^up\.", "decoder.transpconvs."),
        (r"^heads\.", "decoder.seg_layers."),
    )
    every: dict[str, Tensor] = {}
    for name, value in weights.items():
        for pattern, theirs in names:
            name = re.sub(pattern, theirs, name, count=1)
        doubled = re.sub(r"\.(conv|norm)\.(weight|bias)$", _as_module, name)
        for one in dict.fromkeys((name, doubled)):
            every[one] = value
            if one.startswith("encoder."):
                every[f"decoder.{one}"] = value
    return every


def _as_module(found: re.Match[str]) -> str:
    return f".all_modules.{'0' if found[1] == 'conv' else '1'}.{found[2]}"


def write(
    folder: Path,
    *,
    kind: str = "residual",
    chosen: dict[str, Any] | None = None,
    plans: dict[str, Any] | None = None,
    dataset: dict[str, Any] | None = None,
    checkpoint: dict[str, Any] | None = None,
    name: str = "3d_fullres",
    folds: int = 1,
    classes: int = 3,
) -> Path:
    """``folder/nnUNetTrainer__nnUNetPlans__NAME`` with everything in it."""
    trained = folder / f"nnUNetTrainer__nnUNetPlans__{name}"
    trained.mkdir(parents=True)
    (trained / "plans.json").write_text(
        json.dumps(
            {
                "dataset_name": "Dataset007_Abdomen",
                "plans_name": "nnUNetPlans",
                "image_reader_writer": "SimpleITKIO",
                "transpose_forward": [0, 1, 2],
                "transpose_backward": [0, 1, 2],
                "foreground_intensity_properties_per_channel": {"0": INTENSITIES},
                "configurations": {name: chosen or configuration(kind)},
                **(plans or {}),
            }
        )
    )
    (trained / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "CT"}, "labels": LABELS, "numTraining": 4, **(dataset or {})})
    )
    for fold in range(folds):
        (trained / f"fold_{fold}").mkdir()
        content = {
            "network_weights": their_weights(kind, our_weights(kind, classes, fold)),
            "optimizer_state": {"state": {}, "param_groups": [{"lr": np.float64(0.01)}]},
            "logging": {"mean_fg_dice": [np.float32(0.5), np.float64(0.6)], "epochs": [np.int64(1)]},
            "_best_ema": np.float64(0.5),
            "init_args": {"configuration": name, "fold": fold, "device": torch.device("cpu")},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1, 2),
            **(checkpoint or {}),
        }
        torch.save(content, trained / f"fold_{fold}" / "checkpoint_final.pth")
    return trained
