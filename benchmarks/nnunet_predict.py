"""nnU-Net's own side of nnunet_same.py; run by a Python of its own.

``make FOLDER LABELS PATCH`` writes a trained model folder with random weights, ``predict FOLDER IMAGE OUT`` runs
nnU-Net's predictor with it: no mirroring, step 0.5, one process each for reading and writing, as its command does.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

WIDTHS = [16, 32, 64, 128, 160]
BLOCKS = [1, 2, 2, 2, 2]


def make(folder: Path, labels: int, patch: int) -> None:
    import numpy as np
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
        "arch_kwargs": {
            "n_stages": len(WIDTHS),
            "features_per_stage": WIDTHS,
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * len(WIDTHS),
            "strides": [[1, 1, 1], *[[2, 2, 2]] * (len(WIDTHS) - 1)],
            "n_blocks_per_stage": BLOCKS,
            "n_conv_per_stage_decoder": [1] * (len(WIDTHS) - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    resampling = {"is_seg": False, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": "x",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [patch] * 3,
        "spacing": [1.5] * 3,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {**resampling, "order": 3},
        "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
        "architecture": architecture,
    }
    intensities = {"mean": 30.0, "std": 300.0, "percentile_00_5": -1000.0, "percentile_99_5": 900.0}
    plans = {
        "dataset_name": "Dataset999_Random",
        "plans_name": "nnUNetResEncPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": intensities},
        "configurations": {"3d_fullres": configuration},
    }
    names = {"background": 0, **{f"structure {value}": value for value in range(1, labels + 1)}}
    dataset = {"channel_names": {"0": "CT"}, "labels": names, "file_ending": ".nii.gz", "numTraining": 0}
    torch.manual_seed(0)
    kwargs, imported = architecture["arch_kwargs"], architecture["_kw_requires_import"]
    network = get_network_from_plans(
        architecture["network_class_name"], kwargs, imported, 1, labels + 1, deep_supervision=False
    )
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    checkpoint = {
        "network_weights": network.state_dict(),
        "_best_ema": np.float64(0.5),
        "logging": {"mean_fg_dice": [np.float32(0.5)]},
        "init_args": {"configuration": "3d_fullres", "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")


def predict(folder: Path, image: Path, out: Path) -> None:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        device=torch.device("cpu"), perform_everything_on_device=False, use_mirroring=False, allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(folder), use_folds=None)
    predictor.predict_from_files(
        [[str(image)]], [str(out)], num_processes_preprocessing=1, num_processes_segmentation_export=1
    )


if __name__ == "__main__":
    os.environ |= {f"nnUNet_{part}": "." for part in ("raw", "preprocessed", "results")}
    os.environ |= {"nnUNet_compile": "f"}
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        predict(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
