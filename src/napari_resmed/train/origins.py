"""What a trained network takes new structures for: where each of them begins when it is trained on."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import numpy as np
import torch
from torch import nn

from napari_resmed.models.model import Model
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.sliding_window import sliding_window
from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.train.held_out import known_box
from napari_resmed.train.store import Prepared
from napari_resmed.train.transfer import Origin

__all__ = ["find_origins"]


def find_origins(
    base: Model, network: nn.Module, machine: Machine, cases: Iterable[Prepared], labels: Sequence[str]
) -> Generator[None, None, dict[str, Origin]]:
    """The class that most voxels of each structure are given, and the structure's share of it.

    Parameters
    ----------
    base, network:
        The trained model and its network, on the machine's device.
    cases:
        A few, on its grid; their target's class ``k + 1`` is ``labels[k]``.
    labels:
        The structures.

    Yields
    ------
    None
        Between two windows.
    """
    count = len(base.class_values)
    together = np.zeros((1 + len(labels), count))  # voxels by what they are and what the network takes them for
    for case in cases:
        box = known_box(case.target, base.patch)
        image = torch.from_numpy(case.image[(slice(None), *box)].astype(np.float32))
        windows = sliding_window(image, network, machine, classes=count, patch=base.patch, overlap=0.25)
        while True:
            try:
                next(windows)
            except StopIteration as end:
                found = end.value.argmax(0).numpy()
                break
            yield
        target = case.target[box]
        known = target != UNKNOWN
        np.add.at(together, (target[known], found[known]), 1)
    origins = {}
    for number, name in enumerate(labels, 1):
        if together[number].any():
            row = int(together[number].argmax())
            origins[name] = Origin(row, float(together[number, row] / together[:, row].sum()))
    return origins
