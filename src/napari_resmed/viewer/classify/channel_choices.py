"""Which image layer is which channel of a classifier."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.image_choice import ImageChoice, images_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ChannelChoices"]

# Channels of one picture, which is one layer: as data sets without names of modalities call them.
_OF_ONE_LAYER = ("red", "green", "blue")
_ABSENT = "not there"


class ChannelChoices(QWidget):
    """One choice of an image; or one for every modality of the model, of which some may be missing.

    Signals
    -------
    changed()
        Other images can be chosen, or another is.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._channels: tuple[str, ...] = ()
        self.choices: list[ImageChoice] = []
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self.show_channels(("image",))

    def show_channels(self, channels: Sequence[str]) -> None:
        """Ask for the images of a model with these channels."""
        names = ("image",) if _is_one_layer(channels) else tuple(channels)
        if names == self._channels:
            return
        self.let_go()
        while self._form.rowCount():
            self._form.removeRow(0)
        self._channels = names
        several = len(names) > 1
        self.choices = [ImageChoice(self._viewer, none=_ABSENT if several else "", follow=not several) for _ in names]
        for name, choice in zip(names, self.choices, strict=True):
            choice.setToolTip(f"The image layer that is the {name}" if several else "The image layer to classify")
            self._form.addRow(name if several else "&Image", choice)
            choice.filled.connect(self._on_filled)
            choice.currentIndexChanged.connect(self.changed)
        self._on_filled()

    @property
    def layers(self) -> list[Any]:
        """A layer for every choice; None for a modality that is not there."""
        return [choice.currentData() for choice in self.choices]

    @property
    def names(self) -> tuple[str, ...]:
        """What the choices are of; ``("image",)`` where there is but one."""
        return self._channels

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for choice in self.choices:
            choice.let_go()

    def _on_filled(self) -> None:
        """Propose the layer that is called like the modality, where none is chosen and none was not asked for."""
        if len(self.choices) > 1:
            called = _by_channel(images_of(self._viewer), self._channels)
            for name, choice in zip(self._channels, self.choices, strict=True):
                if choice.currentData() is None and not choice.none_wanted:
                    choice.choose(called.get(name))
        self.changed.emit()


def _is_one_layer(channels: Sequence[str]) -> bool:
    plain = [f"channel {number + 1}" for number in range(len(channels))]
    return len(channels) == 1 or tuple(channels) == _OF_ONE_LAYER or list(channels) == plain


def _by_channel(layers: Iterable[Any], channels: Sequence[str]) -> dict[str, Any]:
    """The layer that is called like each channel; a layer is but one channel's, so ``T1c`` is not also ``T1``."""
    found: dict[str, tuple[tuple[int, int], Any]] = {}
    for layer in layers:
        fit, name = max((_fit(layer, name), name) for name in channels)
        if fit[0] and (name not in found or fit > found[name][0]):
            found[name] = fit, layer
    return {name: layer for name, (_, layer) in found.items()}


def _fit(layer: Any, name: str) -> tuple[int, int]:
    """How well a layer fits a channel: by its modality, as a word of its name, within a word; then the longer name."""
    name, called = name.casefold(), layer.name.casefold()
    modality = str(layer.metadata.get(KEY, {}).get("modality", "")).casefold()
    word = re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", called)
    kind = 3 if name == modality else 2 if word else 1 if name in called else 0
    return kind, len(name)
