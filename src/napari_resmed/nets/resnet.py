"""Residual networks as feature extractors, 2D and 3D (He et al., CVPR 2016, arXiv 1512.03385).

Weights are named as in MONAI, MedicalNet and torchvision, whose checkpoints so fit. Not built on MONAI's class: its
identity shortcut passes no gradient where it strides, and it has no weighted one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv, Pool
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn

__all__ = ["DEPTHS", "FIRST_KERNELS", "SHORTCUTS", "ResNet"]

# Blocks of the four stages, and whether they are bottlenecks (the paper's table 1; 10 layers as in MedicalNet).
DEPTHS: dict[int, tuple[tuple[int, int, int, int], bool]] = {
    10: ((1, 1, 1, 1), False),
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
}
SHORTCUTS = ("projection", "identity", "none")
# Of the first convolution, by how often the image is halved before the first stage.
FIRST_KERNELS = (3, 5, 7)
# A bottleneck's last convolution widens by this.
WIDENING = 4


class ResNet(nn.Module):
    """Takes ``(batch, in_channels, [z,] y, x)`` and gives features ``(batch, width, ...)`` of the last stage.

    Parameters
    ----------
    depth:
        One of :data:`DEPTHS`.
    spatial_dims, in_channels:
        2 or 3; channels of images.
    features:
        Of the four stages, before a bottleneck widens them.
    shortcut:
        How a block's input reaches its sum where the block strides or widens: ``"projection"`` by a 1x1 convolution,
        ``"identity"`` by leaving out voxels and filling up with zero features. ``"none"`` leaves out every shortcut:
        a plain network, to compare with.
    blend:
        None for y = H(x) + x; else a of the weighted shortcut y = a H(x) + (1 - a) x, strictly between 0 and 1.
    learn_blend:
        Whether every block learns its own a, beginning with ``blend``.
    halvings:
        How often the image is halved before the first stage: 2 as published, by a convolution of 7 voxels and by
        pooling; 1 by a convolution of 5 voxels; 0 not at all, a convolution of 3 voxels keeps the size: for images of
        some tens of voxels.
    small_images:
        The same as no halvings, whatever they are: what models made before there were halvings say.
    norm:
        A norm of MONAI's.
    """

    def __init__(
        self,
        depth: int = 18,
        spatial_dims: int = 3,
        in_channels: int = 1,
        features: Sequence[int] = (64, 128, 256, 512),
        shortcut: str = "projection",
        blend: float | None = None,
        learn_blend: bool = False,
        small_images: bool = False,
        norm: str = "batch",
        halvings: int = 2,
    ) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise ValueError(f"depth {depth}, expected one of {', '.join(map(str, DEPTHS))}")
        if shortcut not in SHORTCUTS:
            raise ValueError(f"shortcut {shortcut!r}, expected one of {', '.join(SHORTCUTS)}")
        if blend is not None and not 0 < blend < 1:
            raise ValueError(f"blend {blend}, expected a number between 0 and 1")
        if learn_blend and (blend is None or shortcut == "none"):
            raise ValueError("learn_blend needs a blend to begin with, and a shortcut")
        if halvings not in range(len(FIRST_KERNELS)):
            raise ValueError(f"halvings {halvings}, expected 0, 1 or 2")
        blocks, bottleneck = DEPTHS[depth]
        halvings = 0 if small_images else halvings
        kernel = FIRST_KERNELS[halvings]
        self.conv1 = Conv[Conv.CONV, spatial_dims](
            in_channels, features[0], kernel, stride=2 if halvings else 1, padding=kernel // 2, bias=False
        )
        self.bn1 = get_norm_layer(norm, spatial_dims, features[0])
        self.maxpool = Pool[Pool.MAX, spatial_dims](3, stride=2, padding=1) if halvings == 2 else nn.Identity()
        self.width = features[0]
        stages: list[nn.Module] = []
        for count, wide in zip(blocks, features, strict=True):
            stage: list[_Block] = []
            for place in range(count):
                stride = 2 if place == 0 and stages else 1
                stage.append(
                    _Block(self.width, wide, stride, spatial_dims, bottleneck, shortcut, blend, learn_blend, norm)
                )
                self.width = stage[-1].width
            stages.append(nn.Sequential(*stage))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Features of an image."""
        state: Tensor = self.maxpool(torch.relu(self.bn1(self.conv1(image))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            state = stage(state)
        return state


class _Block(nn.Module):
    """relu(H(x) + shortcut(x)), basic or bottleneck, or the weighted mean of the two."""

    def __init__(
        self,
        width: int,
        wide: int,
        stride: int,
        spatial_dims: int,
        bottleneck: bool,
        shortcut: str,
        blend: float | None,
        learn_blend: bool,
        norm: str,
    ) -> None:
        super().__init__()
        conv = Conv[Conv.CONV, spatial_dims]
        self.width = wide * WIDENING if bottleneck else wide
        if bottleneck:
            self.conv1 = conv(width, wide, 1, bias=False)
            self.conv2 = conv(wide, wide, 3, stride=stride, padding=1, bias=False)
            self.conv3 = conv(wide, self.width, 1, bias=False)
        else:
            self.conv1 = conv(width, wide, 3, stride=stride, padding=1, bias=False)
            self.conv2 = conv(wide, wide, 3, padding=1, bias=False)
        self.bn1 = get_norm_layer(norm, spatial_dims, wide)
        self.bn2 = get_norm_layer(norm, spatial_dims, wide)
        self.bn3 = get_norm_layer(norm, spatial_dims, self.width) if bottleneck else None
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or width != self.width:
            self.downsample = (
                nn.Sequential(
                    conv(width, self.width, 1, stride=stride, bias=False),
                    get_norm_layer(norm, spatial_dims, self.width),
                )
                if shortcut == "projection"
                else _Thinned(self.width, stride)
            )
        self.plain = shortcut == "none"
        # As its logit: whatever is learnt, a stays between 0 and 1.
        logit = None if blend is None else torch.logit(torch.tensor(blend))
        self.blend: Tensor | None
        if logit is not None and learn_blend:
            self.blend = nn.Parameter(logit)
        else:
            self.register_buffer("blend", logit, persistent=False)

    def forward(self, state: Tensor) -> Tensor:
        out = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(state)))))
        if self.bn3 is not None:
            out = self.bn3(self.conv3(torch.relu(out)))
        if self.plain:
            return torch.relu(out)
        straight = self.downsample(state)
        if self.blend is None:
            return torch.relu(out + straight)
        return torch.relu(torch.lerp(straight, out, torch.sigmoid(self.blend).to(out.dtype)))


class _Thinned(nn.Module):
    """Every ``stride``-th voxel, and zeros for the features that are new: a shortcut without weights."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.width, self.stride = width, stride

    def forward(self, state: Tensor) -> Tensor:
        place = (slice(None), slice(None), *[slice(None, None, self.stride)] * (state.dim() - 2))
        thin = state[place]
        missing = self.width - thin.shape[1]
        return torch.cat([thin, thin.new_zeros((thin.shape[0], missing, *thin.shape[2:]))], 1) if missing else thin
