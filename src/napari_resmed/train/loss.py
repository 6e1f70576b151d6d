"""What training a segmentation minimises: Dice and cross-entropy over the voxels that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_resmed.predict.answers import merge_background
from napari_resmed.prepare.grid import UNKNOWN

__all__ = ["Batch", "Loss", "dice_and_cross_entropy", "merge_unknown", "segmentation_loss", "supervised"]


class Batch(Protocol):
    """What one step of any training sees: images ``(batch, c, [z,] y, x)``, and what its loss knows of."""

    @property
    def image(self) -> Tensor:
        """float32."""


# Of what a network gives in training, of the batch it was given, and of how much of the training has passed, 0..1.
Loss = Callable[[Any, Any, float], Tensor]

# A score that no softmax lets through, in half precision too.
NEVER = -1e4
# Added to numerator and denominator of Dice: a structure of a few voxels must not swing the loss.
SMOOTH = 1.0
# At the beginning, a class counts in cross-entropy as one over its voxels to this power: structures of a thousandth of
# a patch are then found within hundreds of steps, not thousands. The power falls to nothing along the training, for
# weights like these draw the structures too large.
BALANCE = 0.5


def merge_unknown(scores: Tensor, annotated: Tensor) -> Tensor:
    """Class scores of a case in which some structures were not looked for.

    Where a case's labels say background, any structure that nobody looked for may lie there. So its probability
    counts as background's, and it is never expected by itself: the marginal loss of Shi et al., "Marginal loss and
    exclusion loss for partially supervised multi-organ segmentation", Medical Image Analysis 2021 (arXiv 2007.03868).

    Parameters
    ----------
    scores:
        ``(batch, class, z, y, x)``; class 0 is background.
    annotated:
        bool ``(batch, class)``; background's entry is not read.

    Returns
    -------
    Tensor
        Scores of the same shape, whose softmax is the merged distribution.
    """
    if bool(annotated[:, 1:].all()):
        return scores
    known = annotated.clone()
    known[:, 0] = True
    known = known[:, :, None, None, None]
    background = known.clone()
    background[:, 1:] = ~known[:, 1:]  # background, and whatever nobody looked for
    merged = torch.logsumexp(scores.masked_fill(~background, NEVER), 1, keepdim=True)
    rest = scores[:, 1:].masked_fill(~known[:, 1:], NEVER)
    return torch.cat([merged, rest], 1)


def segmentation_loss(background_classes: int = 1) -> Loss:
    """The loss of a network for segmentation and a batch of :class:`napari_resmed.train.patches.Batch`.

    Classes are balanced by :data:`BALANCE` at the beginning and count by their voxels at the end.

    Parameters
    ----------
    background_classes:
        How many of the network's first classes are background.
    """

    def loss(answers: Any, batch: Any, progress: float = 1.0) -> Tensor:
        if isinstance(answers, Tensor) and answers.dim() == batch.image.dim() + 1:
            answers = answers.unbind(1)  # MONAI's DynUNet stacks its deep outputs
        elif isinstance(answers, Tensor):
            answers = (answers,)
        outputs = [merge_background(answer, background_classes) for answer in answers]
        device = outputs[0].device
        balance = BALANCE * max(0.0, 1 - progress)
        return supervised(outputs, batch.target.to(device), batch.annotated.to(device), balance)

    return loss


def dice_and_cross_entropy(scores: Tensor, target: Tensor, annotated: Tensor, balance: float = 0.0) -> Tensor:
    """Mean cross-entropy plus one minus the mean soft Dice, over known voxels and structures that are there.

    Soft Dice is Milletari's (V-Net, 3DV 2016) without the squares, per patch and structure; the sum of the two is
    nnU-Net's loss (Isensee et al., Nature Methods 2021). Of a structure that was looked for and is not in the patch,
    cross-entropy alone says so: its Dice would all but vanish for one wrong voxel, which teaches a network to answer
    small structures nowhere (measured on head and neck: mean Dice 0.10 after 600 steps). Every patch counts alike, so a
    batch that is split over several devices has the same loss.

    Parameters
    ----------
    scores:
        ``(batch, class, z, y, x)``.
    target:
        Whole numbers ``(batch, z, y, x)``; :data:`napari_resmed.prepare.grid.UNKNOWN` where nothing is known.
    annotated:
        bool ``(batch, class)``: what was looked for in each patch's case.
    balance:
        A voxel counts in cross-entropy as one over the voxels of its class in the patch, to this power; 0: all alike.

    Returns
    -------
    Tensor
        A scalar, float32.
    """
    scores = merge_unknown(scores.float(), annotated)
    batch, classes = scores.shape[:2]
    known = (target != UNKNOWN).flatten(1)
    index = target.clamp_min(0).long().flatten(1)
    log_share = torch.log_softmax(scores, 1).flatten(2)
    surprise = -log_share.gather(1, index[:, None])[:, 0]

    share = log_share.exp() * known[:, None]
    sums = share.sum(2)[:, 1:]
    hit = share.gather(1, index[:, None])[:, 0]
    empty = torch.zeros((batch, classes), device=scores.device)
    both = empty.scatter_add(1, index, hit)[:, 1:]
    sizes = empty.scatter_add(1, index, known.float())
    # Never a class without a voxel: there the sums below are 0.
    weights = sizes.clamp_min(1) ** -balance
    surprises = empty.scatter_add(1, index, surprise * known)
    cross_entropy = ((weights * surprises).sum(1) / (weights * sizes).sum(1).clamp_min(1e-8)).mean()
    sizes = sizes[:, 1:]
    dice = (2 * both + SMOOTH) / (sums + sizes + SMOOTH)
    counted = (annotated[:, 1:] & (sizes > 0)).float()
    return cross_entropy + (((1 - dice) * counted).sum(1) / counted.sum(1).clamp_min(1)).mean()


def supervised(answers: Tensor | Sequence[Tensor], target: Tensor, annotated: Tensor, balance: float = 0.0) -> Tensor:
    """The loss of every output of a network with deep supervision, coarser ones at half the weight of the finer.

    Parameters
    ----------
    answers:
        Scores ``(batch, class, z, y, x)``, or several of them from fine to coarse.
    target, annotated, balance:
        As in :func:`dice_and_cross_entropy`, on the finest grid.
    """
    if isinstance(answers, Tensor):
        return dice_and_cross_entropy(answers, target, annotated, balance)
    total, weights = torch.zeros((), device=target.device), 0.0
    for depth, answer in enumerate(answers):
        weight = 0.5**depth
        small = interpolate(target[:, None].float(), size=answer.shape[2:], mode="nearest")[:, 0].to(target.dtype)
        total = total + weight * dice_and_cross_entropy(answer, small, annotated, balance)
        weights += weight
    return total / weights
