"""Give a trained U-Net more channels, so that it answers as before and has room to learn more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_resmed.nets import build_network

__all__ = ["widened"]


def widened(
    weights: Mapping[str, Tensor], channels: Sequence[int], arguments: Mapping[str, Any], seed: int
) -> dict[str, Tensor]:
    """Weights of a ``UNetWithHead`` that answer what those of a narrower one answer.

    The new channels see the old ones, and no old channel hears a new one before training says so (Net2Net's idea,
    arXiv:1511.05641, with fresh channels instead of doubled ones). The norm has no weights and is each channel's own,
    so the answer stays the same.

    Parameters
    ----------
    weights:
        Of a network of these arguments, but for its channels.
    channels:
        Of that one, outermost first.
    arguments:
        Of the wider network, whose norm has no weights.
    seed:
        Of the new channels.

    Raises
    ------
    ValueError
        If it has more channels at some level, or other levels.
    """
    wide = arguments["channels"]
    if len(channels) != len(wide) or any(old > new for old, new in zip(channels, wide, strict=True)):
        raise ValueError(f"a network of {list(channels)} channels, expected at most {wide}")
    torch.manual_seed(seed)
    fresh = build_network("UNetWithHead", arguments).state_dict()
    return {name: _put_into(fresh[name].clone(), old.float(), name, channels, wide) for name, old in weights.items()}


def _put_into(new: Tensor, old: Tensor, name: str, channels: Sequence[int], wide: Sequence[int]) -> Tensor:
    """The old weights of one layer where the old channels are among the new; see :func:`widened`."""
    if old.ndim == 1:
        new[: len(old)] = old
        return new
    if name.endswith("2.0.conv.weight"):
        # On the way up a layer hears what its level saw on the way down, then what comes from below; and as the
        # convolution is transposed, its weights have these first.
        level = name.count("submodule")
        skip = channels[level]
        hears = torch.cat([torch.arange(skip), wide[level] + torch.arange(old.shape[0] - skip)])
        new[:, : old.shape[1]] = 0
        new[hears, : old.shape[1]] = old
        return new
    new[: old.shape[0]] = 0
    new[: old.shape[0], : old.shape[1]] = old
    return new
