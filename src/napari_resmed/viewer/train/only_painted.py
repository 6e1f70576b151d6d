"""Whether what is not painted is unknown, and on which slices it is background all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_resmed.labels import Label
from napari_resmed.train.painted import BACKGROUND, Painted
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.complete_slices import complete_slices
from napari_resmed.viewer.train.pairs import Pair
from napari_resmed.viewer.train.slices_box import SlicesBox

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["OnlyPainted"]


class OnlyPainted(QWidget):
    """A tick that is proposed from what is painted, one line that says why, and marks for slices.

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
        self._by_hand = False
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

    @property
    def is_ticked(self) -> bool:
        """Whether what is not painted is unknown."""
        return bool(self.tick.isChecked())

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
        background = any(label.name.casefold() == BACKGROUND for label in labels)
        partly = [
            painted
            for pair, painted in known
            if complete_slices(pair.labels) or painted.is_partly(tuple(np.abs(pair.labels.scale[-3:])))
        ]
        if not self._by_hand:
            self.tick.setChecked(background or bool(partly))
        note = "What is not painted counts as background."
        if self.is_ticked:
            note = "What is not painted counts as unknown, not as background."
            if partly and not self._by_hand:
                along = partly[0].slices[partly[0].axis]
                painted_slices = f"{int(along.sum())} of {len(along)} slices are painted"
                note = f"{painted_slices}: the rest counts as unknown, not as background."
            elif background:
                note = "Background is painted too: the rest counts as unknown."
            self.slices.show_pairs(pairs, known)
        self.note.setText(note)
        self.slices.setVisible(self.is_ticked)

    def show_slice(self) -> None:
        """Another slice is seen, or another layer is active."""
        if self.is_ticked:
            self.slices.show_slice()

    def _on_ticked(self) -> None:
        self._by_hand = True
        self.changed.emit()
