"""Whether what is not painted is unknown, and on which slices it is background all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_resmed.labels import Label
from napari_resmed.train.painted import BACKGROUND, Painted
from napari_resmed.viewer.parts.complete_slices import complete_slices
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.pairs import Pair
from napari_resmed.viewer.train.slices_box import SlicesBox

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["OnlyPainted"]


class OnlyPainted(QWidget):
    """A tick that is proposed from what is painted, one line that says why, and marks for slices.

    Of several pairs each has its own, which the table of pairs shows; the tick here is then that of all.

    Parameters
    ----------
    viewer, active:
        As in :class:`SlicesBox`.

    Signals
    -------
    changed()
        The person ticked, or marked slices.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, active: Callable[[], Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._said: WeakKeyDictionary[Labels, bool] = WeakKeyDictionary()
        self._proposed: WeakKeyDictionary[Labels, bool] = WeakKeyDictionary()
        self._pairs: Sequence[Pair] = []
        self.tick = QCheckBox("&Only what is painted")
        self.tick.setToolTip(
            "Ticked: what is not painted is unknown, and not learnt from.\n"
            "Not ticked: what is not painted is background."
        )
        self.tick.clicked.connect(self._on_ticked)
        self.note = words(small=True)
        self.slices = SlicesBox(viewer, active)
        self.slices.marked.connect(self.changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.tick, self.note, self.slices):
            layout.addWidget(part)

    def of(self, labels: Labels) -> bool:
        """Whether what is not painted in this layer is unknown: as the person said, else as it looks."""
        return self._said.get(labels, self._proposed.get(labels, False))

    def say(self, labels: Labels, only_painted: bool) -> None:
        """Say it of one layer."""
        self._said[labels] = only_painted
        self.changed.emit()

    def propose(self, pairs: Sequence[Pair], known: Sequence[tuple[Pair, Painted]], labels: Sequence[Label]) -> None:
        """Fit tick and words to what is painted, unless the person ticked.

        Parameters
        ----------
        pairs, known:
            What is learnt from, and those of them that were looked through.
        labels:
            What is painted there.
        """
        self.setVisible(bool(known))
        self._pairs = pairs
        named = {label.value for label in labels if label.name.casefold() == BACKGROUND}
        partly = [
            (pair, painted)
            for pair, painted in known
            if complete_slices(pair.labels) or painted.is_partly(tuple(np.abs(pair.labels.scale[-3:])))
        ]
        for pair, painted in known:
            self._proposed[pair.labels] = bool(named & painted.counts.keys())
        for pair, _ in partly:
            self._proposed[pair.labels] = True
        ticked = [pair for pair in pairs if self.of(pair.labels)]
        some = Qt.CheckState.PartiallyChecked if ticked else Qt.CheckState.Unchecked
        self.tick.setCheckState(Qt.CheckState.Checked if pairs and len(ticked) == len(pairs) else some)
        self.tick.setText("&Only what is painted" + (", in all of them" if len(pairs) > 1 else ""))
        by_itself = [painted for pair, painted in partly if pair.labels not in self._said]
        if not ticked:
            note = "What is not painted counts as background."
        elif len(ticked) < len(pairs):
            note = f"In {len(ticked)} of {len(pairs)} what is not painted counts as unknown; else it is background."
        elif by_itself:
            along = by_itself[0].slices[by_itself[0].axis]
            painted_slices = f"{int(along.sum())} of {len(along)} slices are painted"
            note = f"{painted_slices}: the rest counts as unknown, not as background."
        elif named and not any(pair.labels in self._said for pair in ticked):
            note = "Background is painted too: the rest counts as unknown."
        else:
            note = "What is not painted counts as unknown, not as background."
        self.slices.show_pairs(ticked, [one for one in known if self.of(one[0].labels)])
        self.note.setText(note)
        self.slices.setVisible(bool(ticked))

    def show_slice(self) -> None:
        """Another slice is seen, or another layer is active."""
        if self.tick.checkState() != Qt.CheckState.Unchecked:
            self.slices.show_slice()

    def _on_ticked(self) -> None:
        """The tick of all: on, unless it is on for all already."""
        ticked = not all(self.of(pair.labels) for pair in self._pairs)
        self._said.update((pair.labels, ticked) for pair in self._pairs)
        self.changed.emit()
