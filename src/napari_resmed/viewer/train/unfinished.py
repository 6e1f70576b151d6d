"""A training that was not finished: go on with it, or discard it."""

from __future__ import annotations

from functools import partial
from html import escape

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_resmed.models.catalogue import own_models_folder
from napari_resmed.train.own_trainings import discard_training, last_at_work, run_of
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.words import words

__all__ = ["Unfinished"]


class Unfinished(QWidget):
    """Offers one unfinished training; hidden where there is none. What is discarded is asked about first.

    Signals
    -------
    resume_wanted()
        Go on with it.
    discarded(str)
        The training of this name is gone.
    failed(str)
        Why it is not.
    """

    resume_wanted = Signal()
    discarded = Signal(str)
    failed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._files = Background(self)
        self.name = ""
        self.note = words()
        self.resume_button = QPushButton("&Resume")
        self.resume_button.setToolTip("Go on exactly where it was, with the labels and the plan it had")
        self.resume_button.clicked.connect(self.resume_wanted)
        self.discard_button = QPushButton("&Discard…")
        self.discard_button.setToolTip("Remove what there is of it; you are asked first")
        self.discard_button.clicked.connect(self._ask)
        self.question = words()
        self.keep_button = QPushButton("&Keep")
        self.keep_button.clicked.connect(self._leave)
        self.yes_button = QPushButton("Discard &it")
        self.yes_button.clicked.connect(self._discard)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._offer = _above_each_other(self.note, self.resume_button, self.discard_button)
        self._asked = _above_each_other(self.question, self.keep_button, self.yes_button)
        layout.addWidget(self._offer)
        layout.addWidget(self._asked)
        self.show_training("")

    def show_training(self, name: str) -> None:
        """Offer the training of this name; empty: none."""
        if name != self.name or not name:
            self._leave()
        self.name = name
        self.setVisible(bool(name))
        self.note.setText(f"The training of <b>{escape(name)}</b> is unfinished.")
        self.setToolTip(f"It lies in {run_of(name).path}" if name else "")

    def close_files(self) -> None:
        """Do what was asked for, and nothing more."""
        self._files.close()

    def _ask(self) -> None:
        when = last_at_work(self.name)
        last = f", last at work on {when:%d %B %Y, %H:%M}" if when is not None else ""
        stays = " The model stays." if (own_models_folder() / self.name).exists() else ""
        self.question.setText(
            f"Discard the training of <b>{escape(self.name)}</b>{last}? What it learnt so far goes, and its copies of "
            f"the images and labels it learnt from; your layers and files stay.{stays} It cannot be undone."
        )
        self._offer.hide()
        self._asked.show()
        self.keep_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _leave(self) -> None:
        self._asked.hide()
        self._offer.show()

    def _discard(self) -> None:
        self._leave()
        self.setEnabled(False)
        self._files.run(partial(discard_training, self.name), partial(self._on_done, self.name), self._on_failed)

    def _on_done(self, name: str, _: None) -> None:
        self.setEnabled(True)
        self.discarded.emit(name)

    def _on_failed(self, message: str) -> None:
        self.setEnabled(True)
        self.failed.emit(message)


def _above_each_other(text: QWidget, *buttons: QPushButton) -> QWidget:
    """Words, and buttons in a row below them."""
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button, 1)
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(text)
    layout.addLayout(row)
    return box
