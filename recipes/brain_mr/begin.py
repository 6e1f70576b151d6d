"""Weights to begin with, of a model that was trained before: narrower, of fewer structures, or without sides."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_resmed.models.model import Model
from napari_resmed.nets import build_network
from recipes.brain_mr.anatomy import KIND_OF, STRUCTURES
from recipes.brain_mr.train import ARGUMENTS, NETWORK
from recipes.brain_mr.widen import widened

__all__ = ["begin_with", "tells_the_same"]


def begin_with(model: Model, weights: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Weights of this recipe's network that answer what another model answers.

    A structure that the model tells by the same name, or without its side, gets that one's scores; so left and right
    begin as one and part in training. A network of the same structures with fewer channels is widened: see
    :func:`recipes.brain_mr.widen.widened`.

    Parameters
    ----------
    model:
        One that this recipe made, now or when its network was MONAI's ``UNet`` alone.
    weights:
        Of that model.
    seed:
        Of what the network has more than the model's.

    Raises
    ------
    ValueError
        If the model's network is neither, or wider, or it lacks a structure.
    """
    if tells_the_same(model):
        return widened(weights, model.arguments["channels"], ARGUMENTS, seed)
    weights = {name: tensor.float() for name, tensor in weights.items()}
    same = {name: value for name, value in ARGUMENTS.items() if name not in ("out_channels", "features")}
    theirs = {name: model.arguments.get(name) for name in same}
    if model.network != "UNet" or theirs != same:
        raise ValueError(f"{model.name} is a {model.network} of {model.arguments}, expected a UNet of {same}")
    torch.manual_seed(seed)
    network = build_network(NETWORK, ARGUMENTS)
    ours = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    classes = len(model.labels) + 1
    with torch.no_grad():
        for name, old in weights.items():
            new = ours[f"0.{name}"]
            if new.shape == old.shape:
                new.copy_(old)
                continue
            # The top level: the first features are the old scores, made of nothing but what they were made of.
            axis = [a for a, (n, o) in enumerate(zip(new.shape, old.shape, strict=True)) if n != o]
            place = [slice(None)] * new.ndim
            for a in axis:
                place[a] = slice(0, old.shape[a])
            if axis == [0, 1]:
                new[:classes] = 0
            new[tuple(place)] = old
        head = ours["1.weight"]
        head[:, classes:] *= 0.1  # new features say little at first
        head[:, :classes] = 0
        ours["1.bias"].zero_()
        head[0, 0] = 1
        for row, value in enumerate(_values_there(model), 1):
            head[row, value] = 1
    return ours


def tells_the_same(model: Model) -> bool:
    """Whether a model's network and structures are those of this recipe now, however many channels it has."""
    theirs = {**model.arguments, "channels": ARGUMENTS["channels"]}
    return model.network == NETWORK and theirs == ARGUMENTS and _values_there(model) == model.labels.values


def _values_there(model: Model) -> tuple[int, ...]:
    """The value that each of our structures has in the model, with its side or without."""
    named = {label.name: label.value for label in model.labels}
    found = [named.get(structure) or named.get(KIND_OF[structure]) for structure in STRUCTURES]
    if missing := [name for name, value in zip(STRUCTURES, found, strict=True) if value is None]:
        raise ValueError(f"{model.name} does not tell {missing[0]}, expected a model of this recipe")
    return tuple(value for value in found if value is not None)
