"""Paint is kept every minute, and offered again over an image that has no labels: after a crash, or the next day."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_resmed.labels import LabelSet, count_values
from napari_resmed.viewer.label_look import label_look
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.complete_slices import complete_slices, mark
from napari_resmed.viewer.parts.grids import spatial_shape
from napari_resmed.viewer.parts.label_meanings import labels_in
from napari_resmed.viewer.parts.over_image import COLOURS, attributes_on
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.kept_paint import (
    KeptPaint,
    find_paint,
    forget_paint,
    image_key,
    keep_paint,
    layer_of,
    read_paint,
    when_painted,
)
from napari_resmed.viewer.train.pairs import Pair

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["PaintKeeper"]

_log = logging.getLogger(__name__)

# What may be lost when the power fails.
EVERY_MS = 60_000


class PaintKeeper(QWidget):
    """Writes what is painted over images aside, and a line with what is kept of an image; hidden where there is none.

    Layers that something else saves, as the open case of a project, say so in their metadata and are left to it.

    Parameters
    ----------
    viewer:
        Where kept labels are shown again.
    pairs:
        Gives what is learnt from: that is what is kept.

    Signals
    -------
    said(str)
        Something to tell the person.
    found()
        More or less is kept of an image than was thought.
    """

    said = Signal(str)
    found = Signal()

    def __init__(self, viewer: ViewerModel, pairs: Callable[[], Sequence[Pair]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._pairs = viewer, pairs
        self._files = Background(self)
        # What was painted since it was written. A list of its own: it is written when the window is gone, too.
        self._touched: list[_Painted] = []
        self.destroyed.connect(partial(_keep_what_is_left, self._touched))
        self._words: WeakKeyDictionary[Labels, str] = WeakKeyDictionary()
        self._kept: WeakKeyDictionary[Image, _Found] = WeakKeyDictionary()
        self._offered: Image | None = None
        self._failed = False
        self._every = QTimer(self)
        self._every.timeout.connect(self.save)
        self._every.start(EVERY_MS)
        self.note = words(small=True)
        self.back_button = QPushButton("&Bring back")
        self.back_button.setToolTip("A new Labels layer over the image, as it was painted")
        self.back_button.clicked.connect(self._bring_back)
        self.forget_button = QPushButton("Forget")
        self.forget_button.setToolTip("Remove what was kept of this image")
        self.forget_button.clicked.connect(self._forget)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back_button, 1)
        buttons.addWidget(self.forget_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.note)
        layout.addLayout(buttons)
        self.hide()

    # Keeping -----------------------------------------------------------------------------------------------

    def touch(self, labels: Labels) -> None:
        """Something was painted, or a slice was marked: it will be written within a minute."""
        if (labels.metadata.get(KEY) or {}).get("autosaved") or any(one.labels is labels for one in self._touched):
            return
        pair = next((pair for pair in self._pairs() if pair.labels is labels), None)
        if pair is not None and labels.ndim == 3 and _is_at_hand(labels) and _is_at_hand(pair.images[0]):
            word = self._words.setdefault(labels, uuid.uuid4().hex)
            self._touched.append(_Painted(labels, pair.images[0], word))

    def save(self) -> None:
        """Write what was painted since the last time; returns at once."""
        for one in self._touched:
            self._files.run(one.work(), failed=self._on_failed)
            self._kept.pop(one.image, None)
        self._touched.clear()

    def _on_failed(self, message: str) -> None:
        if not self._failed:  # once: it will be no better in a minute
            self._failed = True
            self.said.emit(message)

    def let_go(self) -> None:
        """Write what was not written yet, and look at nothing any more."""
        self._every.stop()
        self.save()
        self._files.close()

    # Offering ----------------------------------------------------------------------------------------------

    def show_images(self, bare: Sequence[Image]) -> None:
        """Offer what is kept of the first of these images, which have no labels over them."""
        for image in bare:
            if any(one.image is image for one in self._touched):
                self.save()  # its labels were just taken away, perhaps by mistake
            if image not in self._kept and _is_at_hand(image):
                self._kept[image] = _NOTHING
                self._files.run(partial(_look_for, image, image.data), self._on_found, lambda _: None)
        found = next((image for image in bare if self._kept.get(image, _NOTHING).paths), None)
        self._offered = found
        self.setVisible(found is not None)
        if found is not None:
            kept = self._kept[found]
            many = f"{len(kept.paths)} layers of labels" if len(kept.paths) > 1 else "Labels"
            self.note.setText(f"{many} painted over <b>{escape(found.name)}</b> are kept, of {kept.when}.")

    def _on_found(self, result: tuple[Image, _Found]) -> None:
        image, found = result
        self._kept[image] = found
        if found.paths:
            self.found.emit()

    def _bring_back(self) -> None:
        image = self._offered
        for path in self._kept[image].paths if image is not None else ():
            self._files.run(partial(_read, path), partial(self._show, image), self.said.emit)

    def _show(self, image: Image, read: tuple[str, KeptPaint]) -> None:
        word, paint = read
        if image not in self._viewer.layers or paint.voxels.shape != spatial_shape(image):
            return
        look = label_look(paint.labels, COLOURS)
        layer = Labels(paint.voxels, **attributes_on(attributes_of(image), f"{image.name} labels"), **look)
        mark(layer, list(paint.complete_slices))
        self._words[layer] = word  # it goes on where it was
        self._viewer.add_layer(layer)

    def _forget(self) -> None:
        image = self._offered
        if image is not None:
            self._files.run(partial(forget_paint, self._kept[image].paths), failed=self.said.emit)
            self._kept[image] = _NOTHING
            self.found.emit()


@dataclass(frozen=True)
class _Found:
    """The files of an image, the oldest first, and when the last was written, in words."""

    paths: tuple[Path, ...] = ()
    when: str = ""


_NOTHING = _Found()


@dataclass(frozen=True, eq=False)
class _Painted:
    """A layer that was painted on, its image, and the word it is kept under."""

    labels: Labels
    image: Image
    word: str

    def work(self) -> Callable[[], None]:
        """Take what is said of the paint now; the rest is for another thread.

        That copies the voxels, too: of a large image it takes a tenth of a second. A stroke that falls into it is
        written whole a minute later, for it is one that was not written yet.
        """
        labels, data, word = self.labels, self.image.data, self.word
        painted, slices = labels.data, tuple(complete_slices(labels))
        meanings = SimpleNamespace(features=labels.features.copy(), colormap=labels.colormap)

        def work() -> None:
            voxels = np.array(painted)
            found = LabelSet(labels_in(meanings, count_values(voxels)[0].tolist()))
            keep_paint(image_key(data), word, KeptPaint(voxels, found, slices))

        return work


def _is_at_hand(layer: Image | Labels) -> bool:
    """Whether its voxels are in memory or a file's: to look at lazy ones would have them computed."""
    return not layer.multiscale and isinstance(layer.data, np.ndarray)


def _look_for(image: Image, data: Any) -> tuple[Image, _Found]:
    paths = tuple(find_paint(image_key(data)))
    return image, _Found(paths, f"{when_painted(paths[-1]):%d %B %Y, %H:%M}") if paths else _NOTHING


def _read(path: Path) -> tuple[str, KeptPaint]:
    return layer_of(path), read_paint(path)


def _keep_what_is_left(touched: list[_Painted]) -> None:
    """Write what was not written yet of a window that is gone."""
    for one in touched:
        try:
            one.work()()
        except Exception as problem:  # nobody is left to be told but the log
            _log.error("what was painted was not kept: %s", problem)
    touched.clear()
