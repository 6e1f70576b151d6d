"""Which layers of a classifier can be looked at."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch

from napari_resmed.errors import ModelError
from napari_resmed.events import Event, Progress, Started
from napari_resmed.models.catalogue import find_model
from napari_resmed.predict.classes import as_batch
from napari_resmed.predict.explain.layers import layer_sizes
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.warm import warm_network

__all__ = ["class_layers"]


def class_layers(
    model: str, device: str = "auto", precision: str = "auto"
) -> Generator[Event, None, list[dict[str, Any]]]:
    """Load a classifier, so that the first click is quick, and tell its layers.

    Parameters
    ----------
    model, device, precision:
        As of :func:`napari_resmed.jobs.classify.classify`.

    Returns
    -------
    list
        ``name, size`` of the last layer of every size, the deepest first; the name of the last one is empty.

    Raises
    ------
    ModelError
        If there is no such model, it is damaged, or does not classify.
    """
    known = find_model(model)
    if not known.classifies:
        raise ModelError(f"the model {known.name} tells where something is, not what an image is; segment with it")
    yield Started(f"Loading {known.name}")
    machine = choose_machine(device, precision)
    network = warm_network(known, machine)
    batch = as_batch(torch.zeros((len(known.channels), *known.image_shape))).to(machine.device)
    found = [{"name": name, "size": list(size)} for name, size in layer_sizes(network, batch).items()]
    yield Progress("Loaded", 1.0)
    return found
