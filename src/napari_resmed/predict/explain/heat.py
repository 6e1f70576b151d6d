"""A heat map of one image, by any of the methods."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_resmed.models.model import Model
from napari_resmed.predict.classes import as_batch
from napari_resmed.predict.explain import GRAD_CAM_PLUS, LAYER_CAM, METHODS, OCCLUSION
from napari_resmed.predict.explain.gradients import gradient_map, layered_map
from napari_resmed.predict.explain.layers import layer_of, layer_sizes
from napari_resmed.predict.explain.occlusion import occlusion_map

__all__ = ["class_heat"]

# Layers that LayerCAM takes together, the last of each size, from the last one of all: the stages of a ResNet.
TOGETHER = 4


def class_heat(
    network: nn.Module,
    image: Tensor,
    model: Model,
    number: int,
    method: str = METHODS[0],
    layer: str = "",
    branch: int = 0,
) -> Generator[float, None, NDArray[np.float32]]:
    """Where an image speaks for a class.

    Parameters
    ----------
    network, model:
        The network, and its description.
    image:
        Prepared: float32 ``(c, [t,] z, y, x)``.
    number:
        Of the class.
    method:
        One of :data:`napari_resmed.predict.explain.METHODS`.
    layer, branch:
        As of :func:`napari_resmed.predict.explain.layers.layer_of`; nothing to occlusion. LayerCAM takes the last of
        several sizes together where no layer is named.

    Yields
    ------
    float
        The share that is done.

    Returns
    -------
    NDArray
        float32 ``([t,] z, y, x)`` of the prepared image, 0 where nothing speaks for the class, 1 where most does.

    Raises
    ------
    InputError
        If the layer is unknown, or knows no places.
    """
    batch = as_batch(image).to(next(network.parameters()).device)
    if method == OCCLUSION:
        found = (yield from occlusion_map(network, batch, number, model.temperature)).clamp_min(0)
    elif method == LAYER_CAM:
        names = [layer] if layer else list(layer_sizes(network, batch))[:TOGETHER]
        found = layered_map(network, batch, [layer_of(network, name, branch) for name in names], number)
    else:
        at = layer_of(network, layer, branch)
        found = gradient_map(network, batch, at, number, plus=method == GRAD_CAM_PLUS)
    heat: NDArray[np.float32] = found.float().cpu().numpy().reshape(tuple(image.shape[1:]))
    most = float(heat.max())
    return heat / most if most > 0 else heat
