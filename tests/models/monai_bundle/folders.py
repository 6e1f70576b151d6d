"""Tiny MONAI bundles as other people publish them: configuration, metadata, weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.small_models import BAND_EDGES, band_weights

NETWORK = {
    "_target_": "UNet",
    "spatial_dims": 3,
    "in_channels": "@channels",
    "out_channels": "$len(@names)",
    "channels": [2, 2],
    "strides": [1],
    "norm": None,
    "act": "relu",
}
NAMES = {"0": "background", "1": "dark", "2": "middle", "3": "bright"}
BEFORE: list[dict[str, Any]] = [
    {"_target_": "LoadImaged", "keys": "@image_key"},
    {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
    {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": "@image_key", "pixdim": [1.5, 1.2, 2.0], "mode": "bilinear"},
    {"_target_": "ScaleIntensityRanged", "keys": "@image_key", "a_min": -2.5, "a_max": 2.5, "b_min": 0, "b_max": 1, "clip": True},
    {"_target_": "EnsureTyped", "keys": "@image_key"},
]  # fmt: skip
AFTER: list[dict[str, Any]] = [
    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "@image_key", "nearest_interp": False, "to_tensor": True},
    {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir", "output_postfix": "seg"},
]  # fmt: skip


def inference(**changes: Any) -> dict[str, Any]:
    """``configs/inference.json`` as MONAI's own bundles write it."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": "/workspace/bundle",
        "image_key": "image",
        "channels": 1,
        "names": ["background", "dark", "middle", "bright"],
        "patch": [16, 16, 16],
        "dataset_dir": "/workspace/data",
        "output_dir": "$@bundle_root + '/eval'",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": NETWORK,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": BEFORE},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i} for i in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": "@patch", "overlap": 0.25, "mode": "gaussian"},
        "postprocessing": {"_target_": "Compose", "transforms": AFTER},
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": [
                {
                    "_target_": "CheckpointLoader",
                    "load_path": "$@bundle_root + '/models/model.pt'",
                    "load_dict": {"model": "@network"},
                }
            ],
        },
        "run": ["$@evaluator.run()"],
        **changes,
    }


def metadata(names: dict[str, str] = NAMES, channels: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "version": "0.5.9",
        "name": "Bands",
        "task": "Band segmentation",
        "description": "Sorts voxels by brightness",
        "authors": "Somebody",
        "copyright": "Copyright (c) Somebody",
        "eval_metrics": {"mean_dice": 0.9},
        "network_data_format": {
            "inputs": {
                "image": {
                    "modality": "MRI",
                    "num_channels": channels,
                    "channel_def": {str(number): f"T{number + 1}" for number in range(channels)},
                }
            },
            "outputs": {"pred": {"format": "segmentation", "num_channels": len(names), "channel_def": names}},
        },
        **changes,
    }


def write(
    folder: Path,
    config: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
    weights: Any = None,
    network: nn.Module | None = None,
) -> Path:
    """A bundle's folder; with ``network`` it holds a TorchScript of it instead of weights."""
    for name in ("configs", "models", "docs"):
        (folder / name).mkdir(parents=True)
    (folder / "configs/inference.json").write_text(json.dumps(config or inference()))
    (folder / "configs/metadata.json").write_text(json.dumps(about or metadata()))
    (folder / "docs/README.md").write_text("# Bands\n\nThe bundle's own words.\n")
    (folder / "LICENSE").write_text("Bands Licence 1.0\n")
    if network is None:
        torch.save(band_weights() if weights is None else weights, folder / "models/model.pt")
    else:
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 1, 16, 16, 16)), folder / "models/model.ts")
    return folder


class Bands(nn.Module):
    """What the weights above make of a U-Net, as a network of its own that nobody else knows."""

    def __init__(self) -> None:
        super().__init__()
        edges = torch.tensor([-20 * sum(BAND_EDGES[:k]) for k in range(4)])
        self.slopes = nn.Parameter(20 * torch.arange(4.0)[:, None, None, None])
        self.edges = nn.Parameter(edges[:, None, None, None])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.slopes * image + self.edges
