"""An imported nnU-Net with random weights, of the size that benchmarks agree on; nnU-Net itself is not needed."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_resmed.labels import LabelSet
from napari_resmed.models.model import Model
from napari_resmed.models.save import save_model
from napari_resmed.nets import build_network
from napari_resmed.prepare.normalization import Normalization
from napari_resmed.prepare.preparation import STORED, Preparation

__all__ = ["random_nnunet"]

WIDTHS, BLOCKS = [16, 32, 64, 128, 160], [1, 2, 2, 2, 2]


def random_nnunet(folder: Path, labels: int, patch: int = 96) -> Model:
    """Residual encoder, 16 to 160 features, 1.5 mm, CT; as ``nnunet_predict.py make`` and ``models import`` give it."""
    arguments = {
        "in_channels": 1,
        "out_channels": labels + 1,
        "features": WIDTHS,
        "kernel_sizes": [[3, 3, 3]] * len(WIDTHS),
        "strides": [[1, 1, 1], *[[2, 2, 2]] * (len(WIDTHS) - 1)],
        "blocks": BLOCKS,
        "decoder_convs": [1] * (len(WIDTHS) - 1),
        "conv_bias": True,
    }
    torch.manual_seed(0)
    model = Model(
        name=folder.name,
        network="ResidualEncoderUNet",
        arguments=arguments,
        preparation=Preparation(
            (1.5,) * 3,
            orientation=STORED,
            crop_nonzero=True,
            interpolation="cubic",
            normalization=(Normalization("ct", low=-1000.0, high=900.0, mean=30.0, std=300.0),),
        ),
        patch=(patch,) * 3,
        labels=LabelSet.from_json([{"value": k, "name": f"structure {k}"} for k in range(1, labels + 1)]),
        channels=("CT",),
        mirror_axes=(0, 1, 2),
        even_windows=True,
    )
    weights = build_network(model.network, arguments).state_dict()
    return save_model(model, weights, folder, card="# Random\n", licence="Apache-2.0\n")
