"""Load a model before it is asked for, so that the first click is as quick as the second."""

from __future__ import annotations

from collections.abc import Generator

from napari_resmed.events import Event, Progress, Started
from napari_resmed.models.catalogue import find_model
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.warm import warm_network

__all__ = ["warm_up"]


def warm_up(model: str, device: str = "auto", precision: str = "auto") -> Generator[Event, None, None]:
    """Load the libraries and the network of ``model``.

    Raises
    ------
    ModelError
        If there is no such model or it is damaged.
    """
    yield Started(f"Loading {model}")
    warm_network(find_model(model), choose_machine(device, precision))
    yield Progress("Loaded", 1.0)
