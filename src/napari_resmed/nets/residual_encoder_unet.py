"""The U-Net with a residual encoder, as nnU-Net v2 builds it (Isensee et al., MICCAI 2024, arXiv 2404.09556).

An encoder of residual blocks whose shortcut averages where the block strides (He et al., "Bag of tricks", CVPR 2019), a
decoder of few plain ones. MONAI has no such network; its weights can be taken from nnU-Net's one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ResidualEncoderUNet"]

Sizes = Sequence[Sequence[int]]


class ResidualEncoderUNet(nn.Module):
    """Takes ``(batch, in_channels, z, y, x)`` and gives scores ``(batch, out_channels, z, y, x)``.

    While training with ``deep_supervision`` it gives a list: the same, and coarser ones of the levels below.

    Parameters
    ----------
    in_channels, out_channels:
        Channels of images and scores.
    features:
        Of every level.
    kernel_sizes, strides:
        ``(z, y, x)`` of every level; the first level's stride is 1.
    blocks:
        Residual blocks of every level of the encoder.
    decoder_convs:
        Convolutions of every level of the decoder, deepest first; one less than levels.
    deep_supervision:
        Whether coarser levels answer too while training.
    conv_bias:
        Whether convolutions before a norm have a bias of their own.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        features: Sequence[int],
        kernel_sizes: Sizes,
        strides: Sizes,
        blocks: Sequence[int],
        decoder_convs: Sequence[int],
        deep_supervision: bool = False,
        conv_bias: bool = True,
    ) -> None:
        super().__init__()
        self.deep_supervision = deep_supervision
        self.stem = _Convolution(in_channels, features[0], kernel_sizes[0], (1, 1, 1), conv_bias)
        width, levels = features[0], []
        for wide, kernel, stride, count in zip(features, kernel_sizes, strides, blocks, strict=True):
            steps = [stride, *[(1, 1, 1)] * (count - 1)]
            widths = [width, *[wide] * count]
            levels.append(
                nn.Sequential(*(_Block(widths[k], wide, kernel, step, conv_bias) for k, step in enumerate(steps)))
            )
            width = wide
        self.encoder = nn.ModuleList(levels)
        self.up, self.decoder, self.heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for depth, count in zip(range(len(features) - 1, 0, -1), decoder_convs, strict=True):
            wide, below = features[depth - 1], features[depth]
            stride = _three(strides[depth])
            self.up.append(nn.ConvTranspose3d(below, wide, stride, stride, bias=conv_bias))
            widths = [2 * wide, *[wide] * count]
            kernel = kernel_sizes[depth - 1]
            self.decoder.append(
                nn.Sequential(*(_Convolution(widths[k], wide, kernel, (1, 1, 1), conv_bias) for k in range(count)))
            )
            self.heads.append(nn.Conv3d(wide, out_channels, 1))

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Scores of an image."""
        seen = []
        state = self.stem(image)
        for level in self.encoder:
            state = level(state)
            seen.append(state)
        answers = []
        deep = self.training and self.deep_supervision
        for depth, (up, level, head) in enumerate(zip(self.up, self.decoder, self.heads, strict=True), 1):
            state = level(torch.cat([up(state), seen[-1 - depth]], 1))
            if deep or depth == len(self.heads):
                answers.append(head(state))
        return answers[::-1] if deep else answers[-1]


class _Convolution(nn.Module):
    """Convolution, instance norm, and where it is wanted a leaky ReLU."""

    def __init__(
        self, width: int, wide: int, kernel: Sequence[int], stride: Sequence[int], bias: bool, active: bool = True
    ) -> None:
        super().__init__()
        padding = _three([(size - 1) // 2 for size in kernel])
        self.conv = nn.Conv3d(width, wide, _three(kernel), _three(stride), padding, bias=bias)
        self.norm = nn.InstanceNorm3d(wide, eps=1e-5, affine=True)
        self.active = active

    def forward(self, state: Tensor) -> Tensor:
        state = self.norm(self.conv(state))
        return nn.functional.leaky_relu(state, 0.01, inplace=not self.training) if self.active else state


class _Block(nn.Module):
    """y = leaky_relu(H(x) + shortcut(x)), the shortcut averaged where H strides and projected where it widens."""

    def __init__(self, width: int, wide: int, kernel: Sequence[int], stride: Sequence[int], bias: bool) -> None:
        super().__init__()
        self.conv1 = _Convolution(width, wide, kernel, stride, bias)
        self.conv2 = _Convolution(wide, wide, kernel, (1, 1, 1), bias, active=False)
        strided = any(step != 1 for step in stride)
        self.pool = nn.AvgPool3d(_three(stride), _three(stride)) if strided else nn.Identity()
        self.project: nn.Module = nn.Identity()
        if width != wide:
            self.project = _Convolution(width, wide, (1, 1, 1), (1, 1, 1), bias=False, active=False)

    def forward(self, state: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.conv2(self.conv1(state)) + self.project(self.pool(state)), 0.01)


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    z, y, x = sizes
    return int(z), int(y), int(x)
