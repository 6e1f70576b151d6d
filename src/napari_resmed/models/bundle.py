"""What a plain MONAI installation needs to run one of our models."""

from __future__ import annotations

from typing import Any

from napari_resmed.labels import smallest_integer_type
from napari_resmed.models.model import Model
from napari_resmed.models.torchscript import SCRIPT, TORCHSCRIPT
from napari_resmed.nets import NETWORKS

__all__ = ["REQUIRED_PACKAGES", "inference_config", "network_data_format"]

# Beside MONAI, for its reader, its engine (which asks for this ignite) and its command line (this fire was tested).
REQUIRED_PACKAGES = {"nibabel": "5.2.0", "pytorch-ignite": "0.4.11", "fire": "0.7.1"}


def network_data_format(model: Model) -> dict[str, Any]:
    """The ``network_data_format`` of a bundle's ``metadata.json``."""
    patch = list(model.patch)
    return {
        "inputs": {
            "image": {
                "type": "image",
                "format": "magnitude",
                "modality": model.channels[0],
                "num_channels": len(model.channels),
                "spatial_shape": patch,
                "dtype": "float32",
                "value_range": [0, 1],
                "is_patch_data": True,
                "channel_def": {str(number): name for number, name in enumerate(model.channels)},
            }
        },
        "outputs": {
            "pred": {
                "type": "image",
                "format": "segmentation",
                "modality": "n/a",
                "num_channels": len(model.class_values),
                "spatial_shape": patch,
                "dtype": "float32",
                "value_range": [0, 1],
                "is_patch_data": True,
                "channel_def": {
                    str(number): model.labels[value].name if value else "background"
                    for number, value in enumerate(model.class_values)
                },
            }
        },
    }


def inference_config(model: Model) -> dict[str, Any]:
    """``configs/inference.json``: the same steps in MONAI's own transforms.

    Only ``_target_`` entries and references; MONAI's loader evaluates ``$`` strings, so the few there are stand
    for paths and for calls that MONAI's schema has no other way to say. MONAI has no transforms for what models of
    other programs ask for; of such a model the network alone is told.
    """
    if model.network == TORCHSCRIPT:
        return {"network_def": {"_target_": "torch.jit.load", "f": SCRIPT.as_posix()}}
    module, attribute = NETWORKS[model.network]
    if not model.preparation.is_plain or model.regions or model.members > 1:
        return {"network_def": {"_target_": f"{module}.{attribute}", **model.arguments}}
    dtype = str(smallest_integer_type(max(model.values)))
    classes = list(range(len(model.class_values)))
    keys = {"keys": "image"}
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/input'",
        "output_dir": "$@bundle_root + '/output'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "datalist": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii*')))",
        "network_def": {"_target_": f"{module}.{attribute}", **model.arguments},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", **keys},
                {"_target_": "EnsureChannelFirstd", **keys},
                # MONAI keeps NIfTI's axis order: this turns it to ours, Superior, Posterior, Left.
                {
                    "_target_": "Orientationd",
                    **keys,
                    "axcodes": model.preparation.orientation,
                    "labels": None,
                },
                {"_target_": "Spacingd", **keys, "pixdim": list(model.preparation.spacing_mm)},
                *_intensity(model),
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(model.patch),
            "sw_batch_size": 1,
            "overlap": 0.5,
            "mode": "gaussian",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "image",
                    "nearest_interp": False,
                    "to_tensor": True,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                # The network's classes are numbered without gaps, the labels need not be.
                {
                    "_target_": "MapLabelValued",
                    "keys": "pred",
                    "orig_labels": classes,
                    "target_labels": list(model.class_values),
                },
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "seg",
                    "output_dtype": dtype,
                },
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "initialize": ["$monai.utils.set_determinism(seed=0)"],
        "run": ["$@evaluator.run()"],
    }


def _intensity(model: Model) -> list[dict[str, Any]]:
    """MONAI's way to the range 0..1, by percentiles or by fixed windows.

    MONAI has no transform that treats one channel differently from the others, so a model that mixes both splits its
    channels first and joins them again.
    """
    preparation = model.preparation
    low, high = preparation.percentiles
    unit = {"b_min": 0.0, "b_max": 1.0, "clip": True}

    def step(keys: str, number: int) -> dict[str, Any]:
        window = preparation.window(number)
        if window is None:
            kind = {"_target_": "ScaleIntensityRangePercentilesd", "lower": low, "upper": high, "channel_wise": True}
        else:
            kind = {"_target_": "ScaleIntensityRanged", "a_min": window[0], "a_max": window[1]}
        return {**kind, "keys": keys, **unit}

    numbers = range(len(model.channels))
    if len({preparation.window(number) for number in numbers}) == 1:
        return [step("image", 0)]
    names = [f"image_{number}" for number in numbers]
    return [
        {"_target_": "SplitDimd", "keys": "image", "output_postfixes": [str(number) for number in numbers]},
        *(step(name, number) for number, name in enumerate(names)),
        {"_target_": "ConcatItemsd", "keys": names, "name": "image"},
    ]
