"""How fast which weights move: the head as it is said, stages of a backbone slower, and at first the head alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from napari_resmed.errors import InputError
from napari_resmed.train.muon import Muon

__all__ = ["OPTIMISERS", "make_optimiser"]

OPTIMISERS = ("adamw", "adam", "sgd", "muon")
MOMENTUM = 0.9


def make_optimiser(
    network: nn.Module,
    kind: str,
    learning_rate: float,
    weight_decay: float,
    layer_decay: float = 1.0,
    frozen_share: float = 0.0,
) -> torch.optim.Optimizer:
    """An optimiser whose groups carry ``share``, of the learning rate, and ``frozen_share``, of the schedule.

    Parameters
    ----------
    network:
        Of segmentation, or one of :mod:`napari_resmed.nets.classifiers`.
    kind:
        One of :data:`OPTIMISERS`.
    learning_rate, weight_decay:
        Of the head; scales and offsets do not decay.
    layer_decay:
        Each stage of a backbone learns so much slower than the one behind it (Howard and Ruder, ACL 2018,
        arXiv 1801.06146, section 3.2); 1 for all alike.
    frozen_share:
        Share of the schedule in which backbones do not learn.

    Raises
    ------
    InputError
        If the kind is unknown.
    """
    if kind not in OPTIMISERS:
        raise InputError(f"found the optimiser {kind!r}, expected {', '.join(OPTIMISERS)}")
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    stages = _stages(network)
    deepest = max(stages.values(), default=0)
    for name, weight in network.named_parameters():
        groups.setdefault((stages.get(name, -1), weight.dim() > 1), []).append(weight)
    made: list[dict[str, Any]] = [
        {
            "params": weights,
            "weight_decay": weight_decay if decays else 0.0,
            "share": 1.0 if stage < 0 else layer_decay ** (deepest + 1 - stage),
            "frozen_share": frozen_share if stage >= 0 else 0.0,
        }
        for (stage, decays), weights in sorted(groups.items(), key=lambda entry: _place(entry[0], bool(stages)))
    ]
    if kind == "sgd":
        return torch.optim.SGD(made, lr=learning_rate, momentum=MOMENTUM, nesterov=True, foreach=True)
    if kind == "muon":
        return Muon(made, lr=learning_rate)
    optimiser = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
    return optimiser(made, lr=learning_rate, foreach=True)


def _place(group: tuple[int, bool], staged: bool) -> tuple[int, bool]:
    """Where a group stands, as in checkpoints from the first on: without stages, kernels before scales and offsets."""
    stage, decays = group
    return stage, decays if staged else not decays


def _stages(network: nn.Module) -> dict[str, int]:
    """For every weight of a backbone, which of its stages it is in, from the image on."""
    found: dict[str, int] = {}
    order: dict[str, dict[str, int]] = {}
    for name, _ in network.named_parameters():
        words = name.split(".")
        if words[0] not in ("backbone", "backbones"):
            continue
        start = 2 if words[0] == "backbones" else 1
        # A trunk inside (DenseNet's features, EfficientNet's blocks) is looked into.
        end = start + (2 if words[start] in ("features", "_blocks", "encoder") else 1)
        known = order.setdefault(".".join(words[:start]), {})
        found[name] = known.setdefault(".".join(words[start:end]), len(known))
    return found
