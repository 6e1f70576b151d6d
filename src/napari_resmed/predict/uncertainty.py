"""How unsure a model is of every voxel, 0 (sure) to 1, and of every structure.

Of one pass there is the entropy of its class probabilities. Of several (mirrored windows, the networks of an ensemble)
there is the entropy of their mean probabilities, in which their disagreement counts, or the disagreement alone: their
variance (Lakshminarayanan et al., NeurIPS 2017; Wang et al., Neurocomputing 2019).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["KINDS", "Doubt", "entropy"]

KINDS = ("entropy", "variance")
# Rows of a window whose probabilities are looked at together, so that no copy of a whole window's is made.
ROWS = 8


class Doubt:
    """Gathers the passes over windows, and tells how unsure they are together.

    Parameters
    ----------
    kind:
        ``"entropy"`` of the mean of the probabilities; or ``"variance"`` of the probabilities between passes, summed
        over classes, and of classes that overlap twice the largest.
    overlapping:
        Whether each class is there or not for itself.
    """

    def __init__(self, kind: str, overlapping: bool) -> None:
        self._kind, self._overlapping = kind, overlapping
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._passes = 0
        self._sum: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, scores: Tensor) -> None:
        """Take the scores ``(batch, class, z, y, x)`` of a pass, turned back."""
        if self._sum is None:
            self._sum = torch.zeros_like(scores)
            self._squares = torch.zeros_like(scores if self._overlapping else scores[:, :1])
        assert self._squares is not None
        self._passes += 1
        for start in range(0, scores.shape[2], ROWS):
            rows = slice(start, start + ROWS)
            shares = scores[:, :, rows].sigmoid() if self._overlapping else scores[:, :, rows].softmax(1)
            self._sum[:, :, rows] += shares
            if self._kind == "variance":
                squares = shares.square_()
                self._squares[:, :, rows] += squares if self._overlapping else squares.sum(1, keepdim=True)

    def taken(self) -> Tensor:
        """0..1 ``(batch, 1, z, y, x)`` of what was added; it begins anew."""
        assert self._sum is not None
        assert self._squares is not None
        mean, squares = self._sum.div_(self._passes), self._squares.div_(self._passes)
        self.forget()
        if self._kind == "entropy":
            return torch.cat(
                [_entropy(mean[:, :, k : k + ROWS], self._overlapping, 1) for k in range(0, mean.shape[2], ROWS)], 2
            )
        if self._overlapping:
            return (2 * (squares - mean.square_())).amax(1, keepdim=True).clamp_(0, 1)
        return (squares - mean.square_().sum(1, keepdim=True)).clamp_(0, 1)


def entropy(scores: Tensor, overlapping: bool) -> Tensor:
    """Shannon entropy of one pass over its maximum, ``(z, y, x)``; of classes that overlap, of the least sure one.

    Parameters
    ----------
    scores:
        ``(class, z, y, x)``.
    overlapping:
        Whether each class is there or not for itself.
    """
    return torch.stack([_entropy_of(scores[:, k].float(), overlapping) for k in range(scores.shape[1])])


def _entropy_of(scores: Tensor, overlapping: bool) -> Tensor:
    if overlapping:
        return _entropy(scores.sigmoid(), True, 0)[0]
    logs = torch.log_softmax(scores, 0)
    return -(logs.exp() * logs).sum(0) / math.log(max(2, scores.shape[0]))


def _entropy(shares: Tensor, overlapping: bool, axis: int) -> Tensor:
    each: Tensor = torch.special.entr(shares)
    if overlapping:
        each = (each + torch.special.entr(1 - shares)).amax(axis, keepdim=True).div_(math.log(2))
    else:
        each = each.sum(axis, keepdim=True).div_(math.log(max(2, shares.shape[axis])))
    return each.clamp_(0, 1)
