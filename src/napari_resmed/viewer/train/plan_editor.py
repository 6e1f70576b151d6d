"""The plan of a training to read, and to change for the next one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFontDatabase, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

__all__ = ["PlanEditor"]

# Entries of a plan that say what is learnt from; those are chosen in the dock.
_OF_THE_DATA = ("name", "training", "held_out", "left_out", "reasons", "base", "labels", "classes", "channels")


class PlanEditor(QWidget):
    """A window of its own with the plan as JSON; only entries that were changed replace those of the next plan.

    Signals
    -------
    changed()
        ``changes`` are others.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Plan of the training")
        self.resize(560, 640)
        self._plan: dict[str, Any] = {}
        self._is_written = True
        self.changes: dict[str, Any] = {}
        note = QLabel(
            "Everything that was decided before the training began, and why (reasons). Change an entry and it holds "
            "for the next training instead of what the program would decide."
        )
        note.setWordWrap(True)
        self.text = QPlainTextEdit()
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("The plan as JSON")
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.use_button = QPushButton("&Use for the next training")
        self.use_button.clicked.connect(self.use)
        self.reset_button = QPushButton("&As the program decides")
        self.reset_button.clicked.connect(self.reset)
        buttons = QHBoxLayout()
        buttons.addWidget(self.reset_button)
        buttons.addStretch()
        buttons.addWidget(self.use_button)
        layout = QVBoxLayout(self)
        layout.addWidget(note)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.problem)
        layout.addLayout(buttons)

    @property
    def has_plan(self) -> bool:
        """Whether there is a plan to show."""
        return bool(self._plan)

    def show_plan(self, plan: Mapping[str, Any]) -> None:
        """The plan of the training that just began; changes made for it are in it, and stay in force."""
        self._plan = dict(plan)
        self._renew()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Write what is to be seen; a plan may name thousands of cases, and is rarely looked at."""
        super().showEvent(event)
        if not self._is_written:
            self._write()

    def _renew(self) -> None:
        self._is_written = False
        if self.isVisible():
            self._write()
        self._tell()

    def _write(self) -> None:
        self._is_written = True
        self.text.setPlainText(json.dumps({**self._plan, **self.changes}, indent=2, ensure_ascii=False))

    def use(self) -> None:
        """Take the entries that were changed; says what is wrong where the text is no plan."""
        try:
            values = json.loads(self.text.toPlainText())
        except json.JSONDecodeError as problem:
            self.problem.setText(f"This is no JSON: {problem.msg} in line {problem.lineno}.")
            return
        if not isinstance(values, dict):
            self.problem.setText("Found no JSON object, expected the entries of a plan in braces.")
            return
        unknown = [name for name in values if name not in self._plan]
        if unknown:
            self.problem.setText(f"A plan has no entry “{unknown[0]}”; its entries are {', '.join(self._plan)}.")
            return
        changed = {name: value for name, value in values.items() if value != {**self._plan, **self.changes}[name]}
        refused = [name for name in changed if name in _OF_THE_DATA]
        if refused:
            self.problem.setText(f"“{refused[0]}” comes from the data and the choices in the dock; change it there.")
            return
        self.changes = {**self.changes, **changed}
        self._tell()
        self.changed.emit()

    def reset(self) -> None:
        """Forget the changes."""
        self.changes = {}
        self._renew()
        self.changed.emit()

    def _tell(self) -> None:
        names = ", ".join(self.changes)
        self.problem.setText(f"Changed for the next training: {names}." if names else "")
