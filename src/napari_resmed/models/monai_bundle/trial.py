"""One window through an imported network, so that what cannot work is told when it is imported."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_resmed.errors import ModelError
from napari_resmed.models.model import Model
from napari_resmed.nets.size import edge_multiples, fits_one_size

__all__ = ["try_network"]

# Edge of the window in voxels, where the network takes any: small, but its deepest level is more than one voxel.
EDGE = 64


def try_network(network: nn.Module, model: Model) -> None:
    """Run a network once.

    Raises
    ------
    ModelError
        If it fails, or answers something else than a score for every class and voxel.
    """
    edges = list(model.patch)
    if not fits_one_size(model.network, model.arguments):
        multiples = edge_multiples(model.network, model.arguments)
        # A patch that its levels do not divide is to be seen as it is.
        if not any(edge % step for edge, step in zip(edges, multiples, strict=True)):
            edges = [min(edge, max(2, -(-EDGE // step)) * step) for edge, step in zip(edges, multiples, strict=True)]
    window = torch.zeros((1, len(model.channels), *edges))
    size = "×".join(str(edge) for edge in edges)
    try:
        with torch.no_grad():
            answer = network.eval()(window)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        NotImplementedError,
        AssertionError,
    ) as problem:
        said = " ".join(str(problem).split())[:200]
        raise ModelError(f"its network fails at a window of {size} voxels: {said}") from problem
    wanted = (1, len(model.class_values), *edges)
    if not isinstance(answer, Tensor) or tuple(answer.shape) != wanted:
        found = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise ModelError(f"its network answers {found} to a window of {size} voxels, expected scores {wanted}")
