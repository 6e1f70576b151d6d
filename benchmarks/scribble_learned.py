"""Scribbles with what a network trained on synthesised anatomy sees, beside the filter responses.

The network is ``brain-mr``'s: trained on nothing but label maps painted in random contrasts, so that its features stand
for places and shapes and not for intensities. Does it make strokes go further, in brains and elsewhere?
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.scribble_cases import Case
from benchmarks.shared import finish
from napari_resmed.jobs.scribble import scribble
from napari_resmed.models.catalogue import find_model
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.warm import warm_network
from napari_resmed.scribble import cache
from napari_resmed.scribble.features import Features
from napari_resmed.volume import Volume

__all__ = ["learned"]

# The network halves an image three times and more; a multiple of this can be halved.
MULTIPLE = 16
# How many of its principal components are given on, where not all are.
COMPONENTS = 8

_kept: dict[tuple[str, int], Features] = {}


def learned(case: Case, painted: NDArray[np.uint8], components: int = COMPONENTS) -> NDArray:
    """Ours, with features of the network beside those of the filters."""

    def features_of(image: Volume, key: str) -> Features:
        if (key, components) not in _kept:
            _kept.clear()
            _kept[key, components] = _with_network(cache.features_of(image, key), components)
        return _kept[key, components]

    with patch("napari_resmed.jobs.scribble.features_of", features_of):
        done = finish(
            scribble(
                case.image,
                Volume(painted, case.image.affine),
                background=case.background,
                unsure=False,
                check=False,
            )
        )
    return done.labels.data


@torch.inference_mode()
def _with_network(features: Features, components: int) -> Features:
    found = _standardized(_body(features.image[:1]).flatten(1))
    if components:
        directions = torch.linalg.svd(found @ found.T / found.shape[1])[0][:, :components]
        found = _standardized(directions.T @ found)
    count = len(found)
    more = replace(
        features,
        responses=torch.cat([features.responses, found.half().reshape(count, *features.shape)]),
        mean=torch.cat([features.mean, torch.zeros(count)]),
        scale=torch.cat([features.scale, torch.ones(count)]),
    )
    more.__dict__["levels"] = features.levels  # the edges that hold a walker back stay those of the image
    return more


def _body(image: Tensor) -> Tensor:
    """What the network's last layer is given, ``(features, z, y, x)``; its voxels are taken for those it knows."""
    network = warm_network(find_model("brain-mr"), choose_machine("cpu", "fp32"))
    assert isinstance(network, nn.Sequential)
    low, high = np.percentile(image.numpy(), [0.5, 99.5])
    unit = ((image - low) / (high - low)).clamp(0, 1)[None]
    z, y, x = image.shape[1:]
    more = [-size % MULTIPLE for size in (x, y, z)]
    padded = F.pad(unit, [side for behind in more for side in (0, behind)], mode="replicate")
    found: Tensor = network[0](padded)[0, :, :z, :y, :x]
    return found


def _standardized(rows: Tensor) -> Tensor:
    return (rows - rows.mean(1, keepdim=True)) / rows.std(1, keepdim=True).clamp_min(1e-4)
