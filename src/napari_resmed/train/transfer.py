"""Starting from a trained network: what fits is kept, the rest is new, and both are said.

Structures that the old network answered and the new one does not stay in it as further classes of background: what it
knows of anatomy still tells them apart from what is painted. A new structure begins as a copy of the class it lies in,
so that the network starts from "one of these" and not from nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_resmed.models.model import Model
from napari_resmed.nets import build_network

__all__ = ["Origin", "Transfer", "background_classes", "channel_rows", "transfer_weights"]

# Of a new structure's first probability within the class it begins as: never so sure that it could not be wrong.
LEAST_SHARE, MOST_SHARE = 0.02, 0.9

# What MONAI's DynUNet calls the output that is not one of deep supervision.
MAIN_OUTPUT = "output_block"


@dataclass(frozen=True)
class Origin:
    """Where a new structure lies in what the old network sees.

    Parameters
    ----------
    row:
        The old network's class that most of its voxels are given.
    share:
        Share of that class' known voxels that are the new structure.
    """

    row: int
    share: float


@dataclass(frozen=True)
class Transfer:
    """What came from the old network.

    Parameters
    ----------
    kept, partly, new:
        Number of weight tensors taken whole, taken in part, and begun anew.
    known, learnt:
        Structures whose output weights were kept, and those that begin anew.
    notes:
        The same in sentences, for a person.
    """

    kept: int
    partly: int
    new: int
    known: tuple[str, ...]
    learnt: tuple[str, ...]
    notes: tuple[str, ...]


def background_classes(base: Model, labels: Sequence[str]) -> int:
    """How many classes of background the new network has: the old one's, and the structures it no longer answers."""
    return base.background_classes + len(_dropped(base, labels))


def transfer_weights(
    network: nn.Module,
    base: Model,
    weights: Mapping[str, Tensor],
    labels: Sequence[str],
    channels: Sequence[str],
    origins: Mapping[str, Origin] | None = None,
) -> Transfer:
    """Copy into a fresh network whatever of a trained one fits it.

    Output weights follow their structure by name, and input weights their channel; a channel that is new starts as the
    mean of the old ones, so that the first layer's answers keep their size.

    Parameters
    ----------
    network:
        Of the same kind and arguments as the base's, but for ``in_channels``, and ``out_channels`` of
        :func:`background_classes` and the labels; changed in place.
    base:
        Description of the trained model.
    weights:
        Its state dict.
    labels, channels:
        Structures (without background) and channels of the new network, in order.
    origins:
        Where new structures lie, as far as it is known; others begin with fresh weights.
    """
    origins = origins or {}
    classes = class_rows(base, labels)
    copies = {
        number: origins[name]
        for number, name in enumerate(labels, background_classes(base, labels))
        if classes[number] is None and name in origins
    }
    rows = channel_rows(base, channels)
    class_axes = _axes_that_follow(base, "out_channels", len(base.class_values))
    channel_axes = _axes_that_follow(base, "in_channels", len(base.channels))
    kept = partly = new = 0
    state = network.state_dict()
    last_offset = ""
    for name, fresh in state.items():
        old = weights.get(name)
        if old is None or old.dim() != fresh.dim():
            new += 1
            continue
        moved, touched = old.to(fresh.dtype), False
        axes = class_axes.get(name, [])
        for place, axis in enumerate(axes):
            # Of two such axes the first is what comes out; what goes in from a copy must not count twice.
            moved = _class_rows(moved, axis, classes, copies, fresh, goes_in=place > 0)
            touched = touched or classes != list(range(len(base.class_values)))
        if axes and fresh.dim() == 1 and not last_offset.startswith(MAIN_OUTPUT):
            last_offset = name
        for axis in channel_axes.get(name, []):
            moved = _channel_rows(moved, axis, rows)
            touched = touched or rows != list(range(len(base.channels)))
        if moved.shape != fresh.shape:
            new += 1
            continue
        state[name] = moved
        kept, partly = kept + (not touched), partly + touched
    if last_offset:
        _share_out(state[last_offset], copies)
    network.load_state_dict(state)
    first = background_classes(base, labels)
    known = tuple(name for name, row in zip(labels, classes[first:], strict=True) if row is not None)
    learnt = tuple(name for name in labels if name not in known)
    notes = _notes(base, (kept, partly, new), known, learnt, channels, rows)
    return Transfer(kept, partly, new, known, learnt, tuple(notes))


def channel_rows(base: Model, channels: Sequence[str]) -> list[int | None]:
    """For every channel of the new network the old one's, None for one that is new."""
    rows = _matches(base.channels, channels)
    if len(channels) == len(base.channels) and all(row is None for row in rows):
        return list(range(len(channels)))  # other names for as many channels: taken in order
    return rows


def class_rows(base: Model, labels: Sequence[str]) -> list[int | None]:
    """For every class of the new network the old one's, None for a structure that is new."""
    dropped = set(_dropped(base, labels))
    first = base.background_classes
    background = [*range(first), *(first + k for k, label in enumerate(base.labels) if label.name in dropped)]
    known = _matches([label.name for label in base.labels], labels)
    return [*background, *(None if row is None else first + row for row in known)]


def _dropped(base: Model, labels: Sequence[str]) -> list[str]:
    kept = {_plain(name) for name in labels}
    return [label.name for label in base.labels if _plain(label.name) not in kept]


def _matches(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """For every new name the place of the old one, None where there is none; case and spaces do not count."""
    places = {_plain(name): number for number, name in enumerate(old)}
    return [places.get(_plain(name)) for name in new]


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def _axes_that_follow(base: Model, argument: str, number: int) -> dict[str, list[int]]:
    """For every weight the axes whose size follows an argument of the network: seen by building it twice."""
    with torch.device("meta"):
        one = build_network(base.network, {**base.arguments, argument: number}).state_dict()
        other = build_network(base.network, {**base.arguments, argument: number + 1}).state_dict()
    return {
        name: [axis for axis in range(tensor.dim()) if tensor.shape[axis] != other[name].shape[axis]]
        for name, tensor in one.items()
        if name in other and tensor.shape != other[name].shape
    }


def _class_rows(
    old: Tensor,
    axis: int,
    rows: Sequence[int | None],
    copies: Mapping[int, Origin],
    fresh: Tensor,
    goes_in: bool,
) -> Tensor:
    """Rearrange an axis of classes; a copy's row is its origin's, another new row is fresh."""
    parts = []
    for number, row in enumerate(rows):
        if row is not None:
            parts.append(old.narrow(axis, row, 1))
        elif goes_in:
            parts.append(torch.zeros_like(old.narrow(axis, 0, 1)))
        elif number in copies:
            parts.append(old.narrow(axis, copies[number].row, 1))
        else:
            parts.append(_like(fresh.narrow(axis, number, 1), old, axis))
    return torch.cat(parts, axis)


def _like(part: Tensor, old: Tensor, axis: int) -> Tensor:
    """A fresh row, cut or filled up with zeros along the other axes until it lies beside the old ones."""
    for other in range(old.dim()):
        if other == axis:
            continue
        short = old.shape[other] - part.shape[other]
        if short > 0:
            shape = list(part.shape)
            shape[other] = short
            part = torch.cat([part, part.new_zeros(shape)], other)
        part = part.narrow(other, 0, old.shape[other])
    return part.to(old.dtype)


def _channel_rows(old: Tensor, axis: int, rows: Sequence[int | None]) -> Tensor:
    mean = old.mean(axis, keepdim=True)
    return torch.cat([mean if row is None else old.narrow(axis, row, 1) for row in rows], axis)


def _share_out(offsets: Tensor, copies: Mapping[int, Origin]) -> None:
    """Give a copy as much of its origin's probability as it has of its voxels."""
    for number, origin in copies.items():
        share = min(MOST_SHARE, max(LEAST_SHARE, origin.share))
        offsets[number] += math.log(share / (1 - share))


def _notes(
    base: Model,
    counts: tuple[int, int, int],
    known: Sequence[str],
    learnt: Sequence[str],
    channels: Sequence[str],
    channel_rows: Sequence[int | None],
) -> list[str]:
    kept, partly, new = counts
    total = sum(counts)
    first = f"the first of {base.members} networks of " if base.members > 1 else ""
    notes = [
        f"starts from {first}{base.name}: {kept} of {total} layers' weights kept whole, {partly} in part, {new} new"
    ]
    if known:
        notes.append(f"{base.name} knows already: {', '.join(known)}")
    if learnt:
        notes.append(f"begun anew: {', '.join(learnt)}")
    dropped = _dropped(base, [*known, *learnt])
    if dropped:
        notes.append(f"no longer answered: {', '.join(dropped)}")
    fresh = [name for name, row in zip(channels, channel_rows, strict=True) if row is None]
    if fresh:
        notes.append(f"new input channels, begun as the mean of the old: {', '.join(fresh)}")
    return notes
