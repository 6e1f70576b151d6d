"""Networks that stay loaded between clicks."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

from napari_resmed.errors import ModelError
from napari_resmed.models.folder import weights_file
from napari_resmed.models.model import Model
from napari_resmed.models.torchscript import SCRIPT, TORCHSCRIPT, load_script
from napari_resmed.nets import build_network
from napari_resmed.predict.machine import Machine, put_on

__all__ = ["warm_network"]

# A handful covers switching between models; each costs some tens of MB.
KEPT = 3

_Key = tuple[Path, int, str]
_networks: OrderedDict[_Key, nn.Module] = OrderedDict()


def warm_network(model: Model, machine: Machine, member: int = 0) -> nn.Module:
    """The model's network with its weights on the device, from memory where it was used before.

    Parameters
    ----------
    model, machine:
        What, and where.
    member:
        Which of a model's several networks.

    Raises
    ------
    ModelError
        If the weights are damaged, are not tensors only, or do not fit the network.
    """
    if model.folder is None:
        raise ModelError(f"the model {model.name} was never saved, so it has no weights to load")
    path = model.folder / weights_file(member)
    try:
        key = (path, path.stat().st_mtime_ns, str(machine.device))
    except OSError as problem:
        raise ModelError(f"the weights of {model.name} are gone; get the model folder anew") from problem
    if key not in _networks:
        _networks[key] = _load(model, path, machine)
        while len(_networks) > max(KEPT, model.members):
            _networks.popitem(last=False)
    _networks.move_to_end(key)
    return _networks[key]


def _load(model: Model, path: Path, machine: Machine) -> nn.Module:
    assert model.folder is not None
    if model.network == TORCHSCRIPT:
        network = load_script(model.folder / SCRIPT)
    else:
        network = build_network(model.network, model.arguments)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as problem:  # damaged bytes make the unpickler raise anything, KeyError among them
        raise ModelError(
            f"the weights of {model.name} are damaged or hold more than tensors; get the model folder anew"
        ) from problem
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as problem:
        raise ModelError(f"the weights of {model.name} do not fit its network {model.network}") from problem
    network.eval()
    for parameter in network.parameters():  # at once, scripts cannot
        parameter.requires_grad_(False)
    return network.to(machine.device) if model.network == TORCHSCRIPT else put_on(machine.device, network)
