"""Trained weights that are no model of this program: a file of anyone's, or one of MONAI's networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from napari_resmed.train.classify.monais import MEDICALNET, PREFIX, PRETRAINED

__all__ = ["Weights", "WeightsButton"]


@dataclass(frozen=True)
class Weights:
    """Where a classifier's first weights come from.

    Parameters
    ----------
    source:
        As ``base`` of :func:`napari_resmed.jobs.train.train`.
    name:
        What it is called in the dock.
    fetched:
        Whether they come from the internet.
    """

    source: str
    name: str
    fetched: bool = False

    @property
    def note(self) -> str:
        """What a person should know, as rich text."""
        if self.fetched:
            return f"{escape(self.name)}: MONAI <b>fetches it from the internet</b> when the training begins."
        return f"Begins with the weights in {escape(self.name)}, as far as they fit; the training tells which."

    @property
    def parameters(self) -> dict[str, Any]:
        """What they are in :func:`napari_resmed.jobs.train.train`."""
        return {"base": self.source, "download": self.fetched}


class WeightsButton(QToolButton):
    """A menu of them.

    Signals
    -------
    chosen(Weights)
        Start from these.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText("…")
        self.setToolTip("Weights from elsewhere: a file (torchvision, MONAI, MedicalNet), or MONAI's own")
        self.setAccessibleName("Weights from elsewhere")
        self.setStyleSheet("QToolButton::menu-indicator { image: none; }")  # it would cover the text
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.addAction("A file of weights…").triggered.connect(lambda *_: self._ask())
        self.fetched = QMenu("MONAI's, from the internet", menu)
        menu.addMenu(self.fetched)
        for name in PRETRAINED:
            kind = "volumes" if name in MEDICALNET else "pictures"
            self.fetched.addAction(f"{name} (of {kind})").triggered.connect(partial(self._choose_monais, name))
        self.setMenu(menu)

    def _ask(self) -> None:
        kinds = "Weights (*.pt *.pth *.ckpt *.tar);;All files (*)"
        chosen, _ = QFileDialog.getOpenFileName(self, "A file of trained weights", "", kinds)
        if chosen:
            self.chosen.emit(Weights(chosen, Path(chosen).name))

    def _choose_monais(self, name: str, *_: Any) -> None:
        self.chosen.emit(Weights(f"{PREFIX}{name}", f"MONAI's {name}", fetched=True))
