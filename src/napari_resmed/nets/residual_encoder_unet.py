"""The U-Net with a residual encoder, as nnU-Net v2 builds it (Isensee et al., MICCAI 2024, arXiv 2404.09556).

An encoder of residual blocks whose shortcut averages where the block strides (He et al., "Bag of tricks", CVPR 2019), a
decoder of few plain ones. MONAI has no such network; its weights can be taken from nnU-Net's one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from napari_resmed.nets.unet_parts import Convolution, Decoder, Sizes, three

__all__ = ["ResidualEncoderUNet"]


class ResidualEncoderUNet(Decoder):
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
        super().__init__(out_channels, features, kernel_sizes, strides, decoder_convs, deep_supervision, conv_bias)
        self.stem = Convolution(in_channels, features[0], kernel_sizes[0], (1, 1, 1), conv_bias)
        width, levels = features[0], []
        for wide, kernel, stride, count in zip(features, kernel_sizes, strides, blocks, strict=True):
            steps = [stride, *[(1, 1, 1)] * (count - 1)]
            widths = [width, *[wide] * count]
            levels.append(
                nn.Sequential(*(_Block(widths[k], wide, kernel, step, conv_bias) for k, step in enumerate(steps)))
            )
            width = wide
        self.encoder = nn.ModuleList(levels)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Scores of an image."""
        seen = []
        state = self.stem(image)
        for level in self.encoder:
            state = level(state)
            seen.append(state)
        return self.decode(seen)


class _Block(nn.Module):
    """y = leaky_relu(H(x) + shortcut(x)), the shortcut averaged where H strides and projected where it widens."""

    def __init__(self, width: int, wide: int, kernel: Sequence[int], stride: Sequence[int], bias: bool) -> None:
        super().__init__()
        self.conv1 = Convolution(width, wide, kernel, stride, bias)
        self.conv2 = Convolution(wide, wide, kernel, (1, 1, 1), bias, active=False)
        strided = any(step != 1 for step in stride)
        self.pool = nn.AvgPool3d(three(stride), three(stride)) if strided else nn.Identity()
        self.project: nn.Module = nn.Identity()
        if width != wide:
            self.project = Convolution(width, wide, (1, 1, 1), (1, 1, 1), bias=False, active=False)

    def forward(self, state: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.conv2(self.conv1(state)) + self.project(self.pool(state)), 0.01)
