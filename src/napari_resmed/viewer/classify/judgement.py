"""How good the answers to a folder of images are: they are compared with the truth, and a report is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QPushButton,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.viewer.parts.short_table import ShortTable
from napari_resmed.viewer.parts.words import words

__all__ = ["Judgement", "truth_within"]

# Columns of the table: the figure's key, what stands above it, and what it is.
_FIGURES = (
    ("precision", "Prec.", "Precision: of those said to be of the class, the share that is"),
    ("recall", "Recall", "Recall (sensitivity): of those of the class, the share that was found"),
    ("f1", "F1", "F1: harmonic mean of precision and recall"),
    ("auc", "AUC", "Area under the ROC curve, this class against the others"),
)
_OF_ALL = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "mean AUC",
    "calibration_error": "calibration error",
}
ROWS_SHOWN = 6


class Judgement(QWidget):
    """Asks for the truth, shows figures of every class and the confusion matrix, and opens the report.

    Signals
    -------
    wanted(str)
        Compare the answers with this truth: a file, or a folder with one per class.
    """

    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = self._table_file = Path()
        self._classes: Sequence[str] = ()
        self.truth_button = QPushButton("Compare with the &truth…")
        self.truth_button.setToolTip(
            "Accuracy, precision, recall, F1, confusion matrix, ROC: by the folders the images lie in, where those are "
            "called like the classes, else by a table with the columns path and class"
        )
        self.truth_button.clicked.connect(self._ask)
        self.report_button = QPushButton("Open the &report")
        self.report_button.setToolTip("Curves, intervals, the surest wrong answers as pictures; in the browser")
        self.report_button.clicked.connect(self._open)
        self.line = words(selectable=True)
        self.figures = _table("Figures of every class")
        self.confusion = _table("Confusion matrix: a row for each true class, a column for each that was said")
        self.confusion.verticalHeader().show()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.truth_button, self.line, self.figures, self.confusion, self.report_button):
            layout.addWidget(part)

    @property
    def report(self) -> Path:
        """The folder of the report: beside the answers."""
        return self._table_file.with_name(f"{self._table_file.stem}_report")

    @property
    def answers(self) -> Path:
        """The table of answers."""
        return self._table_file

    def offer(self, folder: Path, table: Path, classes: Sequence[str]) -> None:
        """To judge the answers in a table, which are to the images in a folder."""
        self._folder, self._table_file, self._classes = folder, table, tuple(classes)
        for part in (self.report_button, self.line, self.figures, self.confusion):
            part.hide()
        self.show()

    def show_judged(self, found: Mapping[str, Any]) -> None:
        """What the job ``evaluate_classes`` gave."""
        told = [
            f"{said} <b>{_figure(found['mean'][key])}</b>{_between(found['intervals'][key])}"
            for key, said in _OF_ALL.items()
        ]
        count = len(found["answers"]["names"])
        self.line.setText(f"{count} images against <b>{escape(found['truth'])}</b>: {', '.join(told)}.")
        names = [of["name"] for of in found["classes"]]
        _fill(
            self.figures,
            ["Class", *(said for _, said, _ in _FIGURES)],
            [[of["name"], *(_figure(of["figures"][key]) for key, _, _ in _FIGURES)] for of in found["classes"]],
        )
        for column, (key, _, tip) in enumerate(_FIGURES, 1):
            self.figures.horizontalHeaderItem(column).setToolTip(tip)
            for row, of in enumerate(found["classes"]):
                self.figures.item(row, column).setToolTip(_between(of["intervals"][key]).strip())
        counts = _numbers(found["confusion"])
        _fill(self.confusion, [f"→ {name}" for name in names], [[str(count) for count in row] for row in counts])
        self.confusion.setVerticalHeaderLabels(names)
        for row, of in enumerate(counts):
            for column, count in enumerate(of):
                said = f"{count} of {names[row]} {'was' if count == 1 else 'were'} said to be {names[column]}"
                self.confusion.item(row, column).setToolTip(said)
        for part in (self.report_button, self.line, self.figures, self.confusion):
            part.show()

    def _ask(self) -> None:
        if truth_within(self._folder, self._classes):
            self.wanted.emit(str(self._folder))
            return
        kinds = "Table or archive (*.csv *.npz)"
        chosen, _ = QFileDialog.getOpenFileName(self, "What the images are", str(self._folder), kinds)
        if chosen:
            self.wanted.emit(chosen)

    def _open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.report / "report.html")))


def truth_within(folder: Path, classes: Sequence[str]) -> bool:
    """Whether the images lie in folders that are called like the classes, perhaps within those of a split."""
    return any(path.is_dir() and path.name in classes for level in ("*", "*/*") for path in folder.glob(level))


def _table(name: str) -> ShortTable:
    table = ShortTable(0, ROWS_SHOWN)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setTabKeyNavigation(False)
    table.setAccessibleName(name)
    table.setToolTip(name)
    return table


def _fill(table: ShortTable, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(list(titles))
    table.setRowCount(len(rows))
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            table.setItem(number, column, QTableWidgetItem(text))
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)


def _numbers(matrix: Any) -> list[list[int]]:
    return [[int(count) for count in row] for row in matrix]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"
