"""A training as it is watched: how far it is, its curves, what it makes of a held-out slice, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_resmed.events import Metric, Progress, Started
from napari_resmed.labels import Label, LabelSet
from napari_resmed.viewer.parts.ask_and_save import ask_and_save
from napari_resmed.viewer.parts.duration import duration
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.curves import Curves
from napari_resmed.viewer.train.dice_table import DiceTable
from napari_resmed.viewer.train.judged import AREA, DICE
from napari_resmed.viewer.train.look import LookView

__all__ = ["TrainView"]

# Notes of the job that are shown at once; all are in the tooltip.
NOTES_SHOWN = 3
NOTE_LENGTH = 120
# What the job does when the loop has ended already.
_NOTHING_TO_STOP = ("Judging the result", "Writing the model")


class TrainView(QWidget):
    """Shows one training at a time.

    Signals
    -------
    stop_wanted(), cancel_wanted()
        A button was pressed.
    """

    stop_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._judged = DICE
        self._labels: tuple[Label, ...] = ()
        self._notes: list[str] = []
        self._step = 0
        self._ending = False
        self._ink = (240, 241, 242)
        self.summary = words()
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.status = words(selectable=True)
        self.stop_button = QPushButton("&Stop and keep the best")
        self.stop_button.setToolTip("End now; the best so far becomes the model")
        self.stop_button.clicked.connect(self.stop_wanted)
        self.cancel_button = QPushButton("&Cancel")
        self.cancel_button.setToolTip("End now without a model; the training can be resumed")
        self.cancel_button.clicked.connect(self.cancel_wanted)
        self.notes = words(small=True)
        self.dice = DiceTable()
        self.dice.save_table.connect(self._ask_and_save_table)
        self.dice.save_curves.connect(self._ask_and_save_curves)
        self.curves = Curves()
        self.look = LookView()
        self.look_note = words(small=True)
        self.look_note.setText("A slice it does not learn from. Outlines: your labels. Colours: its answer now.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.stop_button, 1)
        buttons.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.summary)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addLayout(buttons)
        layout.addWidget(self.dice)
        layout.addWidget(self.curves)
        layout.addWidget(self.look)
        layout.addWidget(self.look_note)
        layout.addWidget(self.notes)
        self._show_results(False)
        self.end()

    def begin(self, summary: str, ink: tuple[int, int, int]) -> None:
        """A training began; ``ink`` is the colour of text in this window. The plan tells what it is judged by."""
        self._labels, self._notes, self._step, self._ending = (), [], 0, False
        self.summary.setText(summary)
        self.progress.setValue(0)
        self.status.setText("Starting…")
        self._ink = ink
        self.curves.begin(ink)
        self.look.show_look(None)
        self._show_results(False)
        self._show_running(True)

    def end(self, said: str = "") -> None:
        """The training is over; ``said`` is how it ended, as rich text."""
        self._show_running(False)
        self.status.setText(said)
        self.status.setVisible(bool(said))

    def ending(self, said: str, *, may_cancel: bool) -> None:
        """The training was asked to end."""
        self._ending = True
        self.status.setText(said)
        self.stop_button.setEnabled(False)
        self.cancel_button.setEnabled(may_cancel)

    def say(self, text: str) -> None:
        """Say something beside any training."""
        self.status.setText(escape(text))
        self.status.setVisible(bool(text))

    def _show_running(self, running: bool) -> None:
        for part in (self.summary, self.progress, self.status, self.stop_button, self.cancel_button):
            part.setVisible(running)
        self.stop_button.setEnabled(False)
        self.cancel_button.setEnabled(True)

    def _show_results(self, shown: bool) -> None:
        for part in (self.dice, self.curves, self.look, self.look_note, self.notes):
            part.setVisible(shown)

    # What the job tells ------------------------------------------------------------------------------------

    def show_progress(self, event: Progress | Started) -> None:
        """What is done now, and how long it will take."""
        if isinstance(event, Started):
            if not event.what.startswith("Training "):  # what of a model was kept, and what is new
                self.add_note(event.what)
            return
        self.progress.setValue(round(event.done * 1000))
        left = f", {duration(event.seconds_left)} left" if event.seconds_left and not self._ending else ""
        if event.what in _NOTHING_TO_STOP:
            self.stop_button.setEnabled(False)
        step = f", step {self._step}" if self._step and event.what == "Training" else ""
        self.status.setText(f"{event.what}{step}{left}")

    def add_note(self, note: str) -> None:
        """Something to know, e.g. a case that was left out."""
        self._notes.append(note)
        shown = [f"• {escape(_shortened(text))}" for text in self._notes[:NOTES_SHOWN]]
        if len(self._notes) > NOTES_SHOWN:
            shown.append(f"… and {len(self._notes) - NOTES_SHOWN} more")
        self.notes.setText("<br>".join(shown))
        self.notes.setToolTip("\n".join(self._notes))
        self.notes.show()

    def show_metric(self, event: Metric) -> None:
        """A point of a curve; with the first figure of what is held out there is a best to keep."""
        self._step = max(self._step, event.step)
        self.curves.show()
        self.curves.add(event.name, event.value, event.step)
        if event.name == f"mean {self._judged.word}" and not self._ending:
            self.stop_button.setEnabled(True)

    def show_plan(self, plan: Mapping[str, Any]) -> None:
        """Names and colours of what is learnt, and what it is judged by."""
        classes = plan.get("classes")
        self._judged = AREA if classes else DICE
        self.curves.begin(self._ink, self._judged)
        if classes:
            values = range(1, len(classes) + 1)
            named = zip(LabelSet().completed(values), classes, strict=True)
            self._labels = tuple(replace(label, name=name) for label, name in named)
        else:
            self._labels = tuple(LabelSet.from_json(plan["labels"]))
        self.curves.set_labels({label.name: label.colour for label in self._labels})
        self.look.set_labels([label.colour for label in self._labels])

    def show_look(self, look: Mapping[str, Any]) -> None:
        """The held-out slice as the model sees it now."""
        self.look.show()
        self.look.show_look(look)
        self.look_note.show()

    def show_result(self, result: Mapping[str, Any]) -> None:
        """Before and after, and the whole history."""
        colours = {label.name: label.colour for label in self._labels}
        self.dice.show_dice(result["before"], result["after"], colours, self._judged)
        self.dice.show()
        self.curves.show_history(result["history"], list(result["after"]))
        self.curves.show()

    # Files -------------------------------------------------------------------------------------------------

    def _ask_and_save_table(self) -> None:
        ask_and_save(self, "Save the figures", f"{self._judged.key}.csv", self.dice.save)

    def _ask_and_save_curves(self) -> None:
        ask_and_save(self, "Save the curves", "curves.png", self.curves.save, "Picture (*.png);;Drawing (*.svg)")


def _shortened(note: str) -> str:
    return note if len(note) <= NOTE_LENGTH else f"{note[: NOTE_LENGTH - 1].rstrip()}…"
