"""Load a model before it is asked for, so that the first click is as quick as the second."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

from napari_resmed.errors import ModelError
from napari_resmed.events import Event, Progress, Started
from napari_resmed.models.catalogue import find_model
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.warm import warm_network

__all__ = ["warm_up"]


def warm_up(model: str, device: str = "auto", precision: str = "auto") -> Generator[Event, None, None]:
    """Load the libraries and the network of ``model``, and of the one that finds its part.

    Raises
    ------
    ModelError
        If there is no such model or it is damaged.
    """
    yield Started(f"Loading {model}")
    chosen, machine = find_model(model), choose_machine(device, precision)
    warm_network(chosen, machine)
    if chosen.found_by:
        with suppress(ModelError):  # it may never be needed
            warm_network(find_model(chosen.found_by.model), machine)
    yield Progress("Loaded", 1.0)
