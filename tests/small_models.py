"""Real models that are quick to make, saved as every model is."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from napari_resmed.labels import Code, Label, LabelSet
from napari_resmed.models.model import Model
from napari_resmed.models.save import save_model
from napari_resmed.nets import build_network
from napari_resmed.prepare.preparation import Preparation

# Where the bands of the model below meet, in the network's intensities 0..1.
BAND_EDGES = (0.25, 0.5, 0.75)
# Values with a gap, beyond a byte: a class number is not a label value.
BANDS = LabelSet(
    (
        Label(1, "dark", (230, 159, 0)),
        Label(2, "middle", (86, 180, 233), Code("SCT", "10200004", "Liver")),
        Label(300, "bright", (0, 158, 115)),
    )
)
_BANDS_NETWORK = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 4,
    "channels": [2, 2],
    "strides": [1],
    "norm": None,
    "act": "relu",
}


def describe(
    name: str = "bands",
    *,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    patch: tuple[int, int, int] = (16, 16, 16),
    mirror_axes: tuple[int, ...] = (0, 1, 2),
    arguments: dict[str, object] | None = None,
    channels: tuple[str, ...] = ("MR",),
) -> Model:
    return Model(
        name=name,
        network="UNet",
        arguments=arguments or _BANDS_NETWORK,
        preparation=Preparation(spacing_mm, (0.0, 100.0)),
        patch=patch,
        labels=BANDS,
        channels=channels,
        description="For tests",
        mirror_axes=mirror_axes,
    )


def band_weights() -> dict[str, Tensor]:
    """Weights with which a U-Net sorts voxels by brightness alone.

    Class k scores ``20 (k x - e1 - ... - ek)``: the lines of neighbouring classes cross at the edges, so what comes
    out for any image is known beforehand, voxel by voxel.
    """
    weights = {name: torch.zeros_like(value) for name, value in random_weights(_BANDS_NETWORK).items()}
    weights["model.0.conv.weight"][0, 0, 1, 1, 1] = 1
    for k in range(4):
        weights["model.2.conv.weight"][0, k, 1, 1, 1] = 20 * k
        weights["model.2.conv.bias"][k] = -20 * sum(BAND_EDGES[:k])
    return weights


def random_weights(arguments: dict[str, object], seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(build_network("UNet", arguments).state_dict())


def save(model: Model, folder: Path, weights: dict[str, Tensor] | None = None) -> Model:
    return save_model(
        model,
        band_weights() if weights is None else weights,
        folder / model.name,
        card=f"# {model.name}\n\nSorts voxels by brightness.\n",
        licence="Apache-2.0\n",
    )


def save_heavy(folder: Path) -> Model:
    """A model one window of which takes seconds, so that there is something to interrupt."""
    arguments = {
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 4,
        "channels": [48, 48],
        "strides": [1],
        "num_res_units": 2,
    }
    return save(describe("heavy", patch=(128, 128, 128), arguments=arguments), folder, random_weights(arguments))
