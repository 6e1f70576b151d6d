"""The plain U-Net, as nnU-Net v2 builds it (Isensee et al., Nature Methods 2021).

MONAI's DynUNet is another network where kernels differ between levels or a level has not two convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from napari_resmed.nets.unet_parts import Convolution, Decoder, Sizes

__all__ = ["PlainConvUNet"]


class PlainConvUNet(Decoder):
    """Takes and gives what :class:`napari_resmed.nets.residual_encoder_unet.ResidualEncoderUNet` does.

    Parameters
    ----------
    in_channels, out_channels:
        Channels of images and scores.
    features:
        Of every level.
    kernel_sizes, strides:
        ``(z, y, x)`` of every level; the first convolution of a level strides.
    encoder_convs:
        Convolutions of every level of the encoder.
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
        encoder_convs: Sequence[int],
        decoder_convs: Sequence[int],
        deep_supervision: bool = False,
        conv_bias: bool = True,
    ) -> None:
        super().__init__(out_channels, features, kernel_sizes, strides, decoder_convs, deep_supervision, conv_bias)
        width, levels = in_channels, []
        for wide, kernel, stride, count in zip(features, kernel_sizes, strides, encoder_convs, strict=True):
            steps = [stride, *[(1, 1, 1)] * (count - 1)]
            widths = [width, *[wide] * count]
            levels.append(
                nn.Sequential(*(Convolution(widths[k], wide, kernel, step, conv_bias) for k, step in enumerate(steps)))
            )
            width = wide
        self.encoder = nn.ModuleList(levels)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Scores of an image."""
        seen, state = [], image
        for level in self.encoder:
            state = level(state)
            seen.append(state)
        return self.decode(seen)
