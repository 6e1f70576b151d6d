"""Buttons that mark slices as painted completely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_resmed.train.painted import Painted
from napari_resmed.viewer.parts.complete_slices import complete_slices, current_slice, mark
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.pairs import Pair

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["SlicesBox"]


class SlicesBox(QWidget):
    """Marks the slice that is seen, all painted ones, or none.

    Parameters
    ----------
    viewer:
        Whose slice is seen.
    active:
        Gives the active layer.

    Signals
    -------
    marked()
        Other slices are complete now.
    """

    marked = Signal()

    def __init__(self, viewer: ViewerModel, active: Callable[[], Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._active = viewer, active
        self._known: Sequence[tuple[Pair, Painted]] = []
        self._pairs: Sequence[Pair] = []
        self.slice_button = QPushButton()
        self.slice_button.setCheckable(True)
        self.slice_button.setToolTip(
            "On the slice you see, everything unpainted is background.\nPress again to take the mark away."
        )
        self.slice_button.clicked.connect(self._mark_slice)
        self.all_button = QPushButton("All &painted ones")
        self.all_button.setToolTip("Mark every slice on which something is painted as complete")
        self.all_button.clicked.connect(self._mark_painted)
        self.note = words(small=True)
        self.unmark_button = QPushButton("&Unmark")
        self.unmark_button.setToolTip("Take all marks away")
        self.unmark_button.clicked.connect(self._unmark_all)
        buttons = QHBoxLayout()
        buttons.addWidget(self.slice_button, 1)
        buttons.addWidget(self.all_button)
        told = QHBoxLayout()
        told.addWidget(self.note, 1)
        told.addWidget(self.unmark_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addLayout(told)

    def show_pairs(self, pairs: Sequence[Pair], known: Sequence[tuple[Pair, Painted]]) -> None:
        """Offer to mark slices of these pairs; ``known`` are those that were looked through."""
        self._pairs, self._known = pairs, known
        self.show_slice()

    def show_slice(self) -> None:
        """Another slice is seen, or another layer is active."""
        layer = self._marked_layer()
        here = current_slice(self._viewer, layer) if layer is not None else None
        marks = complete_slices(layer) if layer is not None else []
        self.slice_button.setEnabled(here is not None)
        self.slice_button.setChecked(here in marks)
        self.slice_button.setText("This &slice is complete" + (" ✓" if here in marks else ""))
        self.all_button.setEnabled(any(painted.counts for _, painted in self._known))
        count = sum(len(complete_slices(pair.labels)) for pair in self._pairs)
        self.unmark_button.setVisible(count > 0)
        if count:
            marked = f"{count} slice{'s are' if count > 1 else ' is'} marked"
            self.note.setText(f"{marked}: what is unpainted there is background.")
        else:
            self.note.setText("Mark slices on which nothing is left to paint: there the rest is background.")

    def _marked_layer(self) -> Labels | None:
        """The labels whose slices the button marks: the active ones where they are ticked."""
        ticked = [pair.labels for pair in self._pairs]
        active = self._active()
        return active if active in ticked else ticked[0] if ticked else None

    def _mark_slice(self) -> None:
        layer = self._marked_layer()
        here = current_slice(self._viewer, layer) if layer is not None else None
        if layer is not None and here is not None:
            mark(layer, [here], here not in complete_slices(layer))
        self.marked.emit()

    def _mark_painted(self) -> None:
        for pair, painted in self._known:
            if painted.counts:
                axis = painted.axis
                mark(pair.labels, [(axis, int(index)) for index in np.flatnonzero(painted.slices[axis])])
        self.marked.emit()

    def _unmark_all(self) -> None:
        for pair in self._pairs:
            mark(pair.labels, complete_slices(pair.labels), False)
        self.marked.emit()
