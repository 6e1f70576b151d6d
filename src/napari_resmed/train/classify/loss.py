"""What training a classifier minimises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from napari_resmed.train.loss import Loss

__all__ = ["ClassBatch", "class_loss"]


@dataclass(frozen=True, eq=False)
class ClassBatch:
    """What one step sees.

    Parameters
    ----------
    image:
        float32 ``(batch, c, [z,] y, x)``.
    target:
        int64 ``(batch,)``: number of the class.
    """

    image: Tensor
    target: Tensor


def class_loss(weights: Sequence[float] = (), smoothing: float = 0.0, focus: float = 0.0) -> Loss:
    """Cross-entropy of a network's scores and a :class:`ClassBatch`.

    Parameters
    ----------
    weights:
        Of every class; empty: all alike.
    smoothing:
        Share of the truth that is spread over all classes (Szegedy et al., CVPR 2016, arXiv 1512.00567).
    focus:
        Of the focal loss: how much less what is answered well already counts (Lin et al., ICCV 2017,
        arXiv 1708.02002); 0 for plain cross-entropy.
    """

    def loss(scores: Any, batch: Any, progress: float = 0.0) -> Tensor:
        scores, target = scores.float(), batch.target.to(scores.device)
        each = cross_entropy(scores, target, reduction="none", label_smoothing=smoothing)
        if focus:
            sure = torch.softmax(scores, 1).gather(1, target[:, None])[:, 0]
            each = each * (1 - sure) ** focus
        if not weights:
            return each.mean()
        counting = torch.tensor(weights, device=scores.device)[target]
        return (each * counting).sum() / counting.sum()

    return loss
