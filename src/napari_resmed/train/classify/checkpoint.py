"""Weights from a file of anyone's: what fits a network is taken, and what was and was not is said.

Names of weights are the only thing that tells where they belong, so what programs put in front of them (``module.``,
``backbone.``) is looked through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from napari_resmed.errors import ModelError
from napari_resmed.models.folder import METADATA, WEIGHTS
from napari_resmed.models.tensors_only import read_tensors

__all__ = ["Taken", "read_checkpoint", "take_weights"]

# Where programs put the weights in a checkpoint that holds more.
_HOLDERS = ("state_dict", "model_state_dict", "model", "network_weights", "net", "network", "weights")
# Axes of a two-dimensional convolution's weights.
FLAT_WEIGHTS = 4
# Under this share of a network's backbone, a checkpoint is of another one.
LEAST_SHARE = 0.3
_SHOWN = 3


@dataclass(frozen=True)
class Taken:
    """What came from a checkpoint.

    Parameters
    ----------
    whole, adapted, new:
        Names of the network's weights taken as they are, fitted to other channels or to volumes, and begun anew.
    left:
        Names of the checkpoint's weights that nothing took.
    notes:
        The same in sentences, for a person.
    """

    whole: tuple[str, ...]
    adapted: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]
    notes: tuple[str, ...]


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The weights in a file, or in a model folder, by name; nothing but tensors is ever loaded.

    Raises
    ------
    ModelError
        If it is missing, damaged, holds more than tensors and plain values, or no weights.
    """
    file = path / WEIGHTS if (path / METADATA).is_file() else path
    if not file.is_file():
        raise ModelError(f"{path} is no file of weights; expected a checkpoint (.pt, .pth) or a model folder")
    content = read_tensors(file)
    weights = _weights(content)
    if not weights:
        raise ModelError(f"{file.name} holds no weights, expected a state dict of tensors by name")
    return weights


def _weights(content: Any, depth: int = 0) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or depth > len(_HOLDERS):
        return {}
    inside = next((content[name] for name in _HOLDERS if isinstance(content.get(name), Mapping)), None)
    if inside is not None:
        return _weights(inside, depth + 1)
    return {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}


def take_weights(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> Taken:
    """Copy into a network whatever of a checkpoint fits it.

    Convolutions over slices become convolutions over volumes. A first layer for other channels is fitted: the mean over
    the checkpoint's channels goes to every one of ours, at such a size that an image of equal channels is answered as
    before.

    Parameters
    ----------
    network:
        One of :mod:`napari_resmed.nets.classifiers`; changed in place.
    weights:
        By name.
    source:
        What they come from, for the notes.

    Raises
    ------
    ModelError
        If next to nothing fits.
    """
    state = network.state_dict()
    parts = _parts(state)
    taken: dict[str, Tensor] = {}
    adapted, used = [], set()
    deeper = False
    for part in parts:
        ours = {name.removeprefix(part): name for name in state if name.startswith(part)}
        front = _front(ours, weights, state)
        for short, name in ours.items():
            theirs = weights.get(front + short)
            if theirs is None or name in taken:
                continue
            if theirs.shape == state[name].shape:
                taken[name] = theirs.to(state[name].dtype)
            elif (fitted := _fitted(theirs, state[name])) is not None:
                taken[name] = fitted
                adapted.append(name)
                deeper = deeper or fitted.dim() > theirs.dim()
            else:
                continue
            used.add(front + short)
    inside = [name for name in state if not name.startswith("head.")]
    share = sum(name in taken for name in inside) / len(inside)
    if share < LEAST_SHARE:
        raise ModelError(
            f"{source} fits {sum(name in taken for name in inside)} of {len(inside)} weights of the network; it is of "
            "another kind, choose the backbone it was made with"
        )
    network.load_state_dict({**state, **taken})
    whole = tuple(name for name in taken if name not in adapted)
    new = tuple(name for name in state if name not in taken and not name.endswith("num_batches_tracked"))
    left = tuple(name for name in weights if name not in used)
    notes = _notes(source, len(state), whole, adapted, new, left, deeper)
    return Taken(whole, tuple(adapted), new, left, tuple(notes))


def _parts(state: Mapping[str, Tensor]) -> list[str]:
    """What stands before the names of every part of our network that a checkpoint may be of: the whole first."""
    branches = {".".join(name.split(".")[:2]) + "." for name in state if name.startswith("backbones.")}
    return ["", *sorted(branches), *(["backbone."] if any(name.startswith("backbone.") for name in state) else [])]


def _front(ours: Mapping[str, str], weights: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """What stands in the checkpoint before the names of most of these weights."""
    counts: dict[str, int] = {}
    by_end: dict[str, list[str]] = {}
    for name in weights:
        by_end.setdefault(name.rsplit(".", 1)[-1], []).append(name)
    for short, name in ours.items():
        for theirs in by_end.get(short.rsplit(".", 1)[-1], ()):
            front = theirs.removesuffix(short)
            if theirs.endswith(short) and (not front or front.endswith(".")):
                counts[front] = counts.get(front, 0) + (weights[theirs].dim() == state[name].dim())
    return max(counts, key=lambda front: (counts[front], -len(front)), default="")


def _fitted(theirs: Tensor, ours: Tensor) -> Tensor | None:
    """A convolution's weights for another number of input channels, or for volumes; None where more differs.

    From two dimensions to three as in Carreira and Zisserman, CVPR 2017 (arXiv 1705.07750, section 2.4): repeated along
    the new axis and divided, so that slices that are all alike are answered as one slice was.
    """
    if theirs.dim() == FLAT_WEIGHTS and ours.dim() == FLAT_WEIGHTS + 1:
        deep = ours.shape[2]
        theirs = theirs[:, :, None].expand(-1, -1, deep, -1, -1) / deep
    if theirs.dim() == ours.dim() and theirs.shape == ours.shape:
        return theirs.to(ours.dtype).contiguous()
    if theirs.dim() != ours.dim() or theirs.dim() < 4 or theirs.shape[0] != ours.shape[0]:
        return None
    if theirs.shape[2:] != ours.shape[2:]:
        return None
    mean = theirs.to(ours.dtype).mean(1, keepdim=True) * (theirs.shape[1] / ours.shape[1])
    return mean.expand_as(ours).contiguous()


def _notes(
    source: str,
    total: int,
    whole: tuple[str, ...],
    adapted: list[str],
    new: tuple[str, ...],
    left: tuple[str, ...],
    deeper: bool,
) -> list[str]:
    to = "volumes" if deeper else "other channels"
    notes = [f"starts from {source}: {len(whole)} of {total} weights taken, {len(adapted)} fitted to {to}"]
    if new:
        notes.append(f"begun anew: {_some(new)}")
    if left:
        notes.append(f"not taken from {source}: {_some(left)}")
    return notes


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
