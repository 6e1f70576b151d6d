"""Structures that are painted in some pairs and not in others: absent there, unless nobody looked for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from weakref import WeakKeyDictionary

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from napari_resmed.labels import Label
from napari_resmed.train.painted import BACKGROUND, Painted
from napari_resmed.viewer.parts.complete_slices import complete_slices
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.pairs import Pair

__all__ = ["LookedFor"]

# Pairs that the note names; the menu has them all.
PAIRS_NAMED = 3


class LookedFor(QWidget):
    """A note of what is not painted where, and a menu to say that nobody looked for it; hidden where there is nothing.

    Signals
    -------
    changed()
        The person said something.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unsought: WeakKeyDictionary[Labels, frozenset[int]] = WeakKeyDictionary()
        self._offered: list[tuple[Labels, str, list[Label]]] = []
        self.note = words(small=True)
        self.button = QPushButton("Loo&ked for…")
        self.button.setToolTip("Say which structures nobody looked for in an image: there they are unknown, not absent")
        self.menu = QMenu(self.button)
        self.button.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.note, 1)
        layout.addWidget(self.button)
        self.hide()

    def of(self, labels: Labels) -> frozenset[int]:
        """The values that nobody looked for in this layer; what is painted there nevertheless was looked for."""
        return self._unsought.get(labels, frozenset())

    def say(self, labels: Labels, value: int, looked_for: bool) -> None:
        """Say whether somebody looked for a structure."""
        self._unsought[labels] = self.of(labels) - {value} if looked_for else self.of(labels) | {value}
        self.changed.emit()

    def show_pairs(self, known: Sequence[tuple[Pair, Painted]], labels: Sequence[Label]) -> None:
        """Ask about the structures that are painted in other pairs only.

        Parameters
        ----------
        known:
            The pairs that were looked through.
        labels:
            What is painted in any of them.
        """
        structures = [label for label in labels if label.name.casefold().strip() != BACKGROUND]
        lacking: list[tuple[Labels, list[Label]]] = []
        for pair, painted in known:
            # Where only paint counts, what is unpainted is unknown anyhow.
            if not pair.only_painted or complete_slices(pair.labels):
                absent = [label for label in structures if label.value not in painted.counts]
                lacking += [(pair.labels, absent)] if absent else []
        self.setVisible(bool(lacking))
        lines = [self._line(layer, absent) for layer, absent in lacking[:PAIRS_NAMED]]
        if len(lacking) > PAIRS_NAMED:
            lines.append(f"… and {len(lacking) - PAIRS_NAMED} more")
        self.note.setText("<br>".join(lines))
        self._offer([(layer, layer.name, absent) for layer, absent in lacking])

    def _offer(self, lacking: list[tuple[Labels, str, list[Label]]]) -> None:
        """Fill the menu, one below for each pair; as it is where it offers the same already."""
        if lacking == self._offered:
            return
        self._offered = lacking
        for action in self.menu.actions():
            action.menu().deleteLater()
        self.menu.clear()
        for layer, name, absent in lacking:
            inside = self.menu.addMenu(name)
            for label in absent:
                choice = inside.addAction(f"{label.name} was looked for")
                choice.setCheckable(True)
                choice.setChecked(label.value not in self.of(layer))
                choice.toggled.connect(partial(self.say, layer, label.value))

    def _line(self, layer: Labels, absent: Sequence[Label]) -> str:
        unsought = self.of(layer)
        parts = [
            f"{', '.join(names)} {said}"
            for names, said in (
                ([label.name for label in absent if label.value not in unsought], "counts as absent"),
                ([label.name for label in absent if label.value in unsought], "is unknown"),
            )
            if names
        ]
        return escape(f"Not painted in {layer.name}: {'; '.join(parts)}.")
