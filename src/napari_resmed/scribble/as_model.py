"""What was learnt from strokes as a model: filters and head are a network like any other."""

from __future__ import annotations

from typing import Any

import torch

from napari_resmed.errors import InputError
from napari_resmed.labels import LabelSet
from napari_resmed.models.model import Model
from napari_resmed.nets.voxel_net import VoxelHead, VoxelNet
from napari_resmed.scribble.features import CONTEXT, SCALES, Features, filter_bank, preparation_for
from napari_resmed.scribble.strokes import Strokes
from napari_resmed.volume import Volume

__all__ = ["as_model"]

# Edge of the window in voxels: the filters' reach twice, and as much again that is answered.
WINDOW = 96
# The score of a background that no stroke has shown.
NEVER = -1e4


def as_model(
    name: str,
    image: Volume,
    features: Features,
    strokes: Strokes,
    head: VoxelHead,
    background: int | None,
    names: LabelSet,
) -> tuple[Model, VoxelNet]:
    """The model, and its network with weights.

    The walk is left out, and with it the place of the strokes: another image has none.

    Raises
    ------
    InputError
        If the image is 2D, which models are not made for.
    """
    if 1 in features.shape:
        raise InputError("the image is 2D, and models take 3D volumes: paint on each 2D image by itself")
    finest = min(features.spacing_mm)
    members, count, hidden = head.first.shape
    order = ([] if background is None else [background]) + [n for n in range(len(strokes.values)) if n != background]
    arguments: dict[str, Any] = {
        "in_channels": len(features.image),
        "out_channels": len(strokes.values) + (background is None),
        "spacing_mm": list(features.spacing_mm),
        "scales_mm": [scale * finest for scale in SCALES],
        "context_mm": [scale * finest for scale in CONTEXT],
        "members": members,
        "hidden": hidden,
    }
    network = VoxelNet(**arguments)
    with torch.no_grad():
        network.curves.copy_(features.curves)
        network.mean.copy_(features.mean)
        network.scale.copy_(features.scale)
        network.head.first.copy_(head.first)
        network.head.first_bias.copy_(head.first_bias)
        network.head.second.zero_()
        network.head.second_bias.fill_(NEVER)
        skip = int(background is None)
        network.head.second[..., skip:] = head.second[..., order]
        network.head.second_bias[..., skip:] = head.second_bias[..., order]
    assert count == len(features.image) * filter_bank(features.spacing_mm, finest).responses
    values = [strokes.values[number] for number in order[0 if background is None else 1 :]]
    named = names.completed(values)
    return Model(
        name=name,
        network="VoxelNet",
        arguments=arguments,
        preparation=preparation_for(image),
        patch=(WINDOW, WINDOW, WINDOW),
        labels=LabelSet(tuple(named[value] for value in values)),
        channels=tuple(image.modality or "image" for _ in features.image),
        description="Learnt from strokes painted on one image",
        training={"method": "scribble", "strokes": strokes.count, "voxels": len(strokes.numbers)},
    ), network
