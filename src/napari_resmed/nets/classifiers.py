"""Networks that tell what an image as a whole is: by the image, by its frames, by its modalities.

All take ``(batch, in_channels, [t,] [z,] y, x)`` and give scores ``(batch, out_channels)``. A channel that is zero
everywhere is a modality that is not there; ``drop_channels`` leaves some out in training, so that the network can do
without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_resmed.nets.attention import GatedAttention, Mixer
from napari_resmed.nets.backbones import build_backbone

__all__ = ["BranchClassifier", "ImageClassifier", "SequenceClassifier"]

# Voxels of frames that go through a backbone together where nothing is learnt, so that a long series of volumes takes
# no more memory than a short one.
VOXELS_AT_A_TIME = 2**20


class ImageClassifier(nn.Module):
    """Features of a backbone, their mean over the image, and a linear layer.

    Parameters
    ----------
    spatial_dims, in_channels, out_channels:
        2 or 3; channels of images; classes.
    backbone, backbone_arguments:
        See :func:`napari_resmed.nets.backbones.build_backbone`.
    dropout:
        Share of the features left out in training.
    drop_channels:
        Share of the channels left out in training; never all of an image's.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        backbone: str = "resnet18",
        backbone_arguments: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
        drop_channels: float = 0.0,
    ) -> None:
        super().__init__()
        self.drop_channels = drop_channels
        self.backbone, width = build_backbone(backbone, spatial_dims, in_channels, backbone_arguments)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, out_channels)

    def forward(self, image: Tensor) -> Tensor:
        """Scores."""
        if self.training and self.drop_channels:
            image = _without_some(image, self.drop_channels)
        features = self.backbone(image).flatten(2).mean(2)
        scores: Tensor = self.head(self.dropout(features))
        return scores


class SequenceClassifier(nn.Module):
    """A backbone over every slice or frame, a mixer that knows their order, and attention over them.

    Takes ``(batch, in_channels, frames, [z,] y, x)``. Where gradients are not asked for, few frames at a time.

    Parameters
    ----------
    spatial_dims:
        3 or 4: frames count as an axis of the image, whose backbone is 2D or 3D.
    in_channels, out_channels, backbone, backbone_arguments, dropout, drop_channels:
        As of :class:`ImageClassifier`.
    mixer, hidden:
        See :class:`napari_resmed.nets.attention.Mixer`.
    pooling:
        ``"attention"``, or ``"mean"``: every frame counts alike.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        backbone: str = "resnet18",
        backbone_arguments: Mapping[str, Any] | None = None,
        mixer: str = "gru",
        hidden: int = 128,
        pooling: str = "attention",
        dropout: float = 0.0,
        drop_channels: float = 0.0,
    ) -> None:
        super().__init__()
        if spatial_dims not in (3, 4):
            raise ValueError(f"spatial_dims {spatial_dims}, expected 3 or 4: frames, [slices,] rows and columns")
        if pooling not in ("attention", "mean"):
            raise ValueError(f"pooling {pooling!r}, expected attention or mean")
        self.drop_channels = drop_channels
        self.backbone, width = build_backbone(backbone, spatial_dims - 1, in_channels, backbone_arguments)
        self.mixer = Mixer(mixer, width, hidden, dropout=dropout)
        self.attention = GatedAttention(self.mixer.width) if pooling == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.mixer.width, out_channels)

    def forward(self, image: Tensor) -> Tensor:
        """Scores."""
        return self.answer(image)[0]

    def answer(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and how much each frame counted: ``(batch, frames)``, summing to 1."""
        if self.training and self.drop_channels:
            image = _without_some(image, self.drop_channels)
        batch, frames = image.shape[0], image.shape[2]
        each = image.transpose(1, 2).flatten(0, 1)
        vectors = self.mixer(self._vectors(each).reshape(batch, frames, -1))
        if self.attention is None:
            mean, weights = vectors.mean(1), vectors.new_full((batch, frames), 1 / frames)
        else:
            mean, weights = self.attention(vectors)
        return self.head(self.dropout(mean)), weights

    def _vectors(self, each: Tensor) -> Tensor:
        """Of every frame ``(n, in_channels, [z,] y, x)``."""
        at_a_time = max(1, VOXELS_AT_A_TIME // each[0, 0].numel())
        # What is learnt from is normalised over all of them.
        parts = [each] if self.training or torch.is_grad_enabled() else torch.split(each, at_a_time)
        return torch.cat([self.backbone(part).flatten(2).mean(2) for part in parts])


class BranchClassifier(nn.Module):
    """A backbone for every modality, and attention over what is there of them.

    Parameters
    ----------
    spatial_dims, in_channels, out_channels, backbone, backbone_arguments, dropout, drop_channels:
        As of :class:`ImageClassifier`; every channel is a modality.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        backbone: str = "resnet18",
        backbone_arguments: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
        drop_channels: float = 0.0,
    ) -> None:
        super().__init__()
        self.drop_channels = drop_channels
        made = [build_backbone(backbone, spatial_dims, 1, backbone_arguments) for _ in range(in_channels)]
        self.backbones = nn.ModuleList(branch for branch, _ in made)
        width = made[0][1]
        self.attention = GatedAttention(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, out_channels)

    def forward(self, image: Tensor) -> Tensor:
        """Scores."""
        return self.answer(image)[0]

    def answer(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and how much each modality counted: ``(batch, in_channels)``, summing to 1."""
        if self.training and self.drop_channels:
            image = _without_some(image, self.drop_channels)
        present = _present(image)
        # An image of nothing is answered all the same, by what all modalities say of it.
        present = present | ~present.any(1, keepdim=True)
        each = zip(self.backbones, image.tensor_split(image.shape[1], 1), strict=True)
        vectors = torch.stack([backbone(channel).flatten(2).mean(2) for backbone, channel in each], 1)
        mean, weights = self.attention(vectors, present)
        return self.head(self.dropout(mean)), weights


def _present(image: Tensor) -> Tensor:
    """Which channels are there: bool ``(batch, channel)``."""
    return (image != 0).flatten(2).any(2)


def _without_some(image: Tensor, share: float) -> Tensor:
    """The image with whole channels at zero; where all that are there would go, all stay."""
    kept = torch.rand(image.shape[:2], device=image.device) >= share
    kept = kept | ~(kept & _present(image)).any(1, keepdim=True)
    return image * kept.to(image.dtype).reshape(*kept.shape, *[1] * (image.dim() - 2))
