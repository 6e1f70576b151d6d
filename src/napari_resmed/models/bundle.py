"""What a plain MONAI installation needs to run one of our models."""

from __future__ import annotations

from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.labels import smallest_integer_type
from napari_resmed.models.bundle_steps import answer_steps, image_steps, slices_along
from napari_resmed.models.folder import weights_file
from napari_resmed.models.model import Model
from napari_resmed.models.torchscript import TORCHSCRIPT
from napari_resmed.nets import NETWORKS, WITH_HEAD

__all__ = ["check_plain_monai", "inference_config", "network_data_format", "required_packages"]

# Beside MONAI, for its reader, its engine (which asks for this ignite) and its command line (this fire was tested).
_REQUIRED = {"nibabel": "5.2.0", "pytorch-ignite": "0.4.11", "fire": "0.7.1"}
# For pieces of labels, and for its transformers.
_PIECES = {"scikit-image": "0.22.0"}
_TRANSFORMERS = {"einops": "0.7.0"}
# What a convolution of torch's is built from.
_LAYER = ("in_channels", "out_channels", "kernel_size")


def required_packages(model: Model) -> dict[str, str]:
    """What plain MONAI needs beside itself."""
    transforms = _TRANSFORMERS if model.network in ("UNETR", "SwinUNETR") else {}
    return {**_REQUIRED, **(_PIECES if model.cleanup else {}), **transforms}


def network_data_format(model: Model) -> dict[str, Any]:
    """The ``network_data_format`` of a bundle's ``metadata.json``."""
    return {
        "inputs": {
            "image": {
                "type": "image",
                "format": "magnitude",
                "modality": model.channels[0],
                "num_channels": len(model.channels),
                "spatial_shape": list(model.image_shape),
                "dtype": "float32",
                "value_range": [0, 1],
                "is_patch_data": True,
                "channel_def": {str(number): name for number, name in enumerate(model.channels)},
            }
        },
        "outputs": {"pred": _class_output(model) if model.classifies else _map_output(model)},
    }


def _map_output(model: Model) -> dict[str, Any]:
    return {
        "type": "image",
        "format": "segmentation",
        "modality": "n/a",
        "num_channels": len(model.class_values),
        "spatial_shape": list(model.patch),
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": True,
        "channel_def": {
            str(number): model.labels[value].name if value else "background"
            for number, value in enumerate(model.class_values)
        },
    }


def _class_output(model: Model) -> dict[str, Any]:
    return {
        "type": "probabilities",
        "format": "classes",
        "modality": "n/a",
        "num_channels": len(model.classes),
        "spatial_shape": [1],
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {str(number): name for number, name in enumerate(model.classes)},
    }


def check_plain_monai(model: Model) -> None:
    """Refuse a model that plain MONAI cannot run.

    Raises
    ------
    ModelError
        With the reason.
    """
    if model.network == TORCHSCRIPT:
        raise ModelError(f"the network of {model.name} is a TorchScript, which MONAI's bundles do not load")
    if model.network != WITH_HEAD and not NETWORKS[model.network][0].startswith("monai."):
        raise ModelError(f"the network of {model.name} is a {model.network}, which MONAI does not have")
    if model.classifies:
        raise ModelError(f"{model.name} brings an image to one size in a way for which MONAI has no transforms")
    preparation = model.preparation
    if preparation.normalization or preparation.interpolation == "cubic" or model.even_windows:
        raise ModelError(f"{model.name} prepares images as nnU-Net does, for which MONAI has no transforms")


def inference_config(model: Model) -> dict[str, Any]:
    """``configs/inference.json``: the same steps in MONAI's own transforms.

    Only ``_target_`` entries and references; MONAI's loader evaluates ``$`` strings, so the few there are stand
    for paths and for calls that MONAI's schema has no other way to say. Of a model that plain MONAI cannot run the
    network alone is told.
    """
    try:
        check_plain_monai(model)
    except ModelError:
        module, attribute = NETWORKS.get(model.network, ("torch.jit", "load"))
        return {"network_def": {"_target_": f"{module}.{attribute}", **model.arguments}}
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/input'",
        "output_dir": "$@bundle_root + '/output'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "datalist": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii*')))",
        **_networks(model),
        "preprocessing": {"_target_": "Compose", "transforms": image_steps(model)},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in @datalist]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": _inferer(model),
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                *answer_steps(model),
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "seg",
                    "output_dtype": str(smallest_integer_type(max(model.values))),
                },
            ],
        },
        "handlers": [_loader(member, name) for member, name in enumerate(_names(model))],
        "evaluator": {
            **_evaluator(model),
            "device": "@device",
            "val_data_loader": "@dataloader",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "initialize": ["$monai.utils.set_determinism(seed=0)"],
        "run": ["$@evaluator.run()"],
    }


def _names(model: Model) -> list[str]:
    """Of the networks; the first has the name that MONAI expects."""
    return ["network", *(f"network_{member}" for member in range(1, model.members))]


def _networks(model: Model) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for name in _names(model):
        entries |= _network_of_monai(model, name.replace("network", "network_def"))
        entries[name] = f"$@{name.replace('network', 'network_def')}.to(@device)"
    return entries


def _network_of_monai(model: Model, name: str) -> dict[str, Any]:
    """One network as MONAI builds it, under a name, and the parts that it is made of."""
    module, attribute = NETWORKS[model.network]
    if model.network != WITH_HEAD:
        return {name: {"_target_": f"{module}.{attribute}", **model.arguments}}
    module, attribute = NETWORKS["UNet"]
    features, classes = model.arguments["features"], model.arguments["out_channels"]
    body = {key: value for key, value in model.arguments.items() if key != "features"}
    layer = "Conv2d" if model.by_slices else "Conv3d"
    return {
        f"{name}_body": {"_target_": f"{module}.{attribute}", **body, "out_channels": features},
        f"{name}_head": {"_target_": f"torch.nn.{layer}", **dict(zip(_LAYER, (features, classes, 1), strict=True))},
        name: f"$torch.nn.Sequential(@{name}_body, @{name}_head)",
    }


def _loader(member: int, name: str) -> dict[str, Any]:
    return {
        "_target_": "CheckpointLoader",
        "load_path": f"$@bundle_root + '/{weights_file(member).as_posix()}'",
        "load_dict": {"model": f"@{name}"},
        "map_location": "@device",
    }


def _evaluator(model: Model) -> dict[str, Any]:
    if model.members == 1:
        return {"_target_": "SupervisedEvaluator", "network": "@network"}
    return {
        "_target_": "EnsembleEvaluator",
        "networks": [f"@{name}" for name in _names(model)],
        "pred_keys": [f"pred_{member}" for member in range(model.members)],
    }


def _inferer(model: Model) -> dict[str, Any]:
    how = {"sw_batch_size": 1, "overlap": model.overlap, "mode": "gaussian"}
    along = slices_along(model)
    if along is not None:
        return {"_target_": "SliceInferer", "roi_size": list(model.patch[1:]), "spatial_dim": along, **how}
    return {"_target_": "SlidingWindowInferer", "roi_size": list(model.patch), **how}
