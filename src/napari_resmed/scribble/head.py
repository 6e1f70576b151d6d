"""Learning from painted voxels what each class looks like, in a fraction of a second."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_resmed.nets.voxel_net import VoxelHead, apply_head, standardized
from napari_resmed.scribble.features import Features
from napari_resmed.scribble.steps import Steps
from napari_resmed.scribble.strokes import Strokes

__all__ = ["classify", "train_head"]

MEMBERS = 4
STEPS = 100
# After so many of them it can be stopped.
PAUSE = 10
RATE = 0.03
DECAY = 0.02
# Deviation of the noise on the features, and share of the features left out, at each step: few voxels say little.
NOISE, LEFT_OUT = 0.1, 0.1
SMOOTHING = 0.02
# Unpainted voxels that are shown as background, for most of an image is: to half of the members, where they weigh as
# much as a class. Those take a stroke narrowly, for what looks just like it; the others take in all that no other
# stroke looks more like.
UNPAINTED = 400


def train_head(features: Features, strokes: Strokes, background: int | None, seed: int = 0) -> Steps[VoxelHead]:
    """Fit the network to painted voxels, in steps; every class weighs alike.

    Parameters
    ----------
    features, strokes:
        On the same grid.
    background:
        Number of the class that most of what is unpainted belongs to; None where there is none. Without it a class
        would be found wherever an image shows what no stroke has touched.
    seed:
        Of the first weights and the noise.
    """
    classes = len(strokes.values)
    chosen = strokes.sample(seed)
    targets = strokes.classes[chosen]
    flat = np.ravel_multi_index(tuple(strokes.places[chosen].T), features.shape)
    weights = 1.0 / np.bincount(targets, minlength=classes).clip(1)[targets]
    painted = len(targets)
    if background is not None:
        others = np.random.default_rng(seed).integers(0, int(np.prod(features.shape)), UNPAINTED)
        others = np.setdiff1d(others, np.ravel_multi_index(tuple(strokes.places.T), features.shape))
        flat = np.concatenate([flat, others])
        targets = np.concatenate([targets, np.full(len(others), background)])
        weights = np.concatenate([weights, np.full(len(others), 1 / max(1, len(others)))])
    picked = features.responses.flatten(1)[:, torch.from_numpy(flat)].T.float()
    known = standardized(picked, features.mean, features.scale)
    by_member = torch.from_numpy(weights).float().repeat(MEMBERS, 1)
    by_member[MEMBERS // 2 :, painted:] = 0
    by_member /= by_member.sum(1, keepdim=True)
    head = yield from _fit(known, torch.from_numpy(targets), by_member, classes, seed)
    return head


def _fit(known: Tensor, targets: Tensor, weights: Tensor, classes: int, seed: int) -> Steps[VoxelHead]:
    """Train the members, each with its own weights ``(member, n)`` of the voxels."""
    generator = torch.Generator().manual_seed(seed)
    members = len(weights)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        torch.manual_seed(seed)
        head = VoxelHead(known.shape[1], classes, members)
        known = known.clone()
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
    rates = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, STEPS)
    repeated, weights = targets.repeat(members), weights.flatten()
    for step in range(STEPS):
        with torch.inference_mode(False), torch.enable_grad():
            noisy = known + NOISE * torch.randn((members, *known.shape), generator=generator)
            noisy *= torch.rand((members, 1, known.shape[1]), generator=generator) >= LEFT_OUT
            scores = head.by_member(noisy / (1 - LEFT_OUT)).flatten(0, 1)
            losses = F.cross_entropy(scores, repeated, reduction="none", label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            (losses * weights).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rates.step()
        if step % PAUSE == PAUSE - 1:
            yield step / STEPS
    return head.eval().requires_grad_(False)


def classify(responses: Tensor, head: VoxelHead, mean: Tensor, scale: Tensor) -> Tensor:
    """Probability ``(class, z, y, x)`` by looks alone, of responses ``(features, z, y, x)`` with their moments."""
    return apply_head(head, responses, mean, scale).softmax(0)
