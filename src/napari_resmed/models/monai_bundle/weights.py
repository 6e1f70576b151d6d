"""The weights of a MONAI bundle: its state dict, or a TorchScript of the whole network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from napari_resmed.errors import InputError, ModelError
from napari_resmed.models.tensors_only import read_tensors

__all__ = ["loader_within", "read_weights"]

# Under what names a checkpoint may keep the state dict.
_INSIDE = ("model", "state_dict", "network", "net", "network_weights")
# What wrappers put before every name.
_BEFORE = ("module.", "_orig_mod.", "model.")
# The searched paths of a network and the like; weights are not read through expressions.
LARGEST = 100_000_000


def read_weights(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The state dict in a file, with the names and sizes that the network has.

    Raises
    ------
    ModelError
        If it holds more than tensors, is damaged, or does not fit the network to the last tensor.
    """
    content = read_tensors(path)
    for name in _INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    tensors = content if isinstance(content, Mapping) else {}
    weights = {str(name): tensor for name, tensor in tensors.items() if isinstance(tensor, Tensor)}
    if not weights:
        raise ModelError(f"{path.parent.name}/{path.name} holds no weights; expected a state dict")
    wanted: Mapping[str, Tensor] = network.state_dict()
    for before in _BEFORE:
        if not wanted.keys() & weights.keys():
            weights = {name.removeprefix(before): tensor for name, tensor in weights.items()}
    odd = sorted(wanted.keys() ^ weights.keys()) or [
        name for name, tensor in wanted.items() if tensor.shape != weights[name].shape
    ]
    if odd:
        raise ModelError(
            f"{path.parent.name}/{path.name} does not fit the network of the configuration, at {odd[0]}"
            + (f" and {len(odd) - 1} more" if len(odd) > 1 else "")
        )
    return {name: weights[name].clone() for name in wanted}


def loader_within(folder: Path) -> Callable[..., Any]:
    """What ``torch.load`` is in a bundle's expressions: a reader of plain values, of its own files alone."""

    def load(name: str, **ignored: Any) -> Any:
        path = (folder / str(name)).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ModelError(f"the configuration loads {name}, which is none of its own files")
        if not path.is_file():
            raise InputError(f"the configuration loads {name}, which is not there")
        if path.stat().st_size > LARGEST:
            raise ModelError(f"the configuration loads {name}, which is too large for a description")
        return read_tensors(path)

    return load
