"""Filters and a small network on their responses, the same at every voxel: what Scribble learns, as a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_resmed.nets.contrast import BINS, curved
from napari_resmed.nets.filter_bank import FilterBank

__all__ = ["AT_A_TIME", "VoxelHead", "VoxelNet", "apply_head", "standardized"]

# Responses farther than this many deviations from the mean count as that far.
FARTHEST = 6.0
# Voxels that are answered at a time.
AT_A_TIME = 1 << 16


class VoxelHead(nn.Module):
    """Several small networks of one hidden layer side by side, whose answers are averaged.

    Parameters
    ----------
    features, classes:
        Numbers in, classes out.
    members, hidden:
        How many networks, and of how many hidden units each.
    """

    def __init__(self, features: int, classes: int, members: int = 4, hidden: int = 24) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(members, features, hidden) / features**0.5)
        self.first_bias = nn.Parameter(torch.randn(members, 1, hidden) * 0.3)
        self.second = nn.Parameter(torch.randn(members, hidden, classes) * 0.1)
        self.second_bias = nn.Parameter(torch.zeros(members, 1, classes))

    def by_member(self, features: Tensor) -> Tensor:
        """Scores ``(member, n, class)`` of features ``(n, features)`` or ``(member, n, features)``."""
        hidden = torch.tanh(features @ self.first + self.first_bias)
        return hidden @ self.second + self.second_bias

    def forward(self, features: Tensor) -> Tensor:
        """Scores ``(n, class)`` of features ``(n, features)``: the mean over the members."""
        members, count, _ = self.first.shape
        # As one network: the members' hidden units side by side.
        first = self.first.permute(1, 0, 2).reshape(count, -1)
        hidden = torch.addmm(self.first_bias.reshape(-1), features, first).tanh()
        return torch.addmm(self.second_bias.mean(0).reshape(-1), hidden, self.second.flatten(0, 1) / members)


class VoxelNet(nn.Module):
    """Class scores of every voxel from filter responses around it.

    Parameters
    ----------
    in_channels, out_channels:
        Channels of the image, classes.
    spacing_mm, scales_mm, context_mm:
        Of the :class:`FilterBank`.
    members, hidden:
        Of the :class:`VoxelHead`.
    """

    curves: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spacing_mm: Sequence[float],
        scales_mm: Sequence[float],
        context_mm: Sequence[float],
        members: int,
        hidden: int,
    ) -> None:
        super().__init__()
        self.bank = FilterBank(spacing_mm, scales_mm, context_mm)
        features = in_channels * self.bank.responses
        self.register_buffer("curves", torch.linspace(0, 1, BINS + 1).repeat(in_channels, 1))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.head = VoxelHead(features, out_channels, members, hidden)

    def forward(self, image: Tensor) -> Tensor:
        """Scores ``(batch, class, z, y, x)`` of images ``(batch, channels, z, y, x)``, in float32 whatever is usual.

        Deviations are differences of what is nearly equal, of which half precision leaves little.
        """
        with torch.autocast(image.device.type, enabled=False):
            return self._answer(image.float())

    def _answer(self, image: Tensor) -> Tensor:
        return torch.stack([self._one(responses) for responses in self.bank(curved(image, self.curves))])

    def _one(self, responses: Tensor) -> Tensor:
        return apply_head(self.head, responses, self.mean, self.scale)


def apply_head(head: VoxelHead, responses: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Scores ``(class, ...)`` of responses ``(features, ...)``, piece by piece."""
    flat = responses.flatten(1)
    found = torch.empty((head.second.shape[2], flat.shape[1]), dtype=torch.float32, device=flat.device)
    for start in range(0, flat.shape[1], AT_A_TIME):
        part = flat[:, start : start + AT_A_TIME].T.float()
        found[:, start : start + AT_A_TIME] = head(standardized(part, mean, scale)).T
    return found.reshape(-1, *responses.shape[1:])


def standardized(features: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Features ``(n, features)`` in deviations from the mean."""
    return ((features - mean) / scale).clamp(-FARTHEST, FARTHEST)
