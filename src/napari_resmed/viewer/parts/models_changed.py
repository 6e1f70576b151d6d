"""Word from one dock to the others that there is another model."""

from __future__ import annotations

from functools import cache

from qtpy.QtCore import QObject, Signal

__all__ = ["ModelsChanged", "models_changed"]


class ModelsChanged(QObject):
    """Emitted on the window's thread whenever a model was made, imported or removed.

    Signals
    -------
    happened()
        Whoever shows a list of models reads it again.
    """

    happened = Signal()


@cache
def models_changed() -> ModelsChanged:
    """The one of this napari process."""
    return ModelsChanged()
