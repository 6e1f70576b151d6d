"""What nnU-Net's U-Nets have in common: the convolution with its norm, and the way up."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Convolution", "Decoder", "Sizes", "three"]

Sizes = Sequence[Sequence[int]]


class Decoder(nn.Module):
    """The decoder of a U-Net, whose encoder a subclass brings.

    Parameters
    ----------
    out_channels:
        Channels of scores.
    features, kernel_sizes, strides:
        Of every level.
    decoder_convs:
        Convolutions of every level of the decoder, deepest first; one less than levels.
    deep_supervision:
        Whether coarser levels answer too while training.
    conv_bias:
        Whether convolutions before a norm have a bias of their own.
    """

    def __init__(
        self,
        out_channels: int,
        features: Sequence[int],
        kernel_sizes: Sizes,
        strides: Sizes,
        decoder_convs: Sequence[int],
        deep_supervision: bool,
        conv_bias: bool,
    ) -> None:
        super().__init__()
        self.deep_supervision = deep_supervision
        self.up, self.decoder, self.heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for depth, count in zip(range(len(features) - 1, 0, -1), decoder_convs, strict=True):
            wide, below = features[depth - 1], features[depth]
            stride = three(strides[depth])
            self.up.append(nn.ConvTranspose3d(below, wide, stride, stride, bias=conv_bias))
            widths = [2 * wide, *[wide] * count]
            kernel = kernel_sizes[depth - 1]
            self.decoder.append(
                nn.Sequential(*(Convolution(widths[k], wide, kernel, (1, 1, 1), conv_bias) for k in range(count)))
            )
            self.heads.append(nn.Conv3d(wide, out_channels, 1))

    def decode(self, seen: Sequence[Tensor]) -> Tensor | list[Tensor]:
        """Scores of what the encoder's levels gave, finest first."""
        state = seen[-1]
        answers = []
        deep = self.training and self.deep_supervision
        for depth, (up, level, head) in enumerate(zip(self.up, self.decoder, self.heads, strict=True), 1):
            state = level(torch.cat([up(state), seen[-1 - depth]], 1))
            if deep or depth == len(self.heads):
                answers.append(head(state))
        return answers[::-1] if deep else answers[-1]


class Convolution(nn.Module):
    """Convolution, instance norm, and where it is wanted a leaky ReLU."""

    def __init__(
        self, width: int, wide: int, kernel: Sequence[int], stride: Sequence[int], bias: bool, active: bool = True
    ) -> None:
        super().__init__()
        padding = three([(size - 1) // 2 for size in kernel])
        self.conv = nn.Conv3d(width, wide, three(kernel), three(stride), padding, bias=bias)
        self.norm = nn.InstanceNorm3d(wide, eps=1e-5, affine=True)
        self.active = active

    def forward(self, state: Tensor) -> Tensor:
        """One step."""
        state = self.norm(self.conv(state))
        return nn.functional.leaky_relu(state, 0.01, inplace=not self.training) if self.active else state


def three(sizes: Sequence[int]) -> tuple[int, int, int]:
    """The sizes as torch wants them."""
    z, y, x = sizes
    return int(z), int(y), int(x)
