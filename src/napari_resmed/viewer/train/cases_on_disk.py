"""Cases on disk to learn from, in place of the layers of the window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from napari_resmed.case import Dataset
from napari_resmed.errors import ResMedError
from napari_resmed.io.datasets import read_dataset
from napari_resmed.io.datasets.classes import read_classes
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.words import words

__all__ = ["CasesOnDisk"]


class CasesOnDisk(QWidget):
    """One line that says what is learnt from, and a button to choose a folder or a table.

    Parameters
    ----------
    aside:
        Looks into what is chosen.
    classes:
        Whether each case is to have a class, rather than labels.

    Signals
    -------
    changed()
        Something else was chosen, or what was chosen has been looked into.
    said(str)
        Something to tell the person.
    """

    changed = Signal()
    said = Signal(str)

    def __init__(self, aside: Background, parent: QWidget | None = None, *, classes: bool = False) -> None:
        super().__init__(parent)
        self._aside = aside
        self._classes = classes
        self.data: Path | None = None  # None: layers
        self.dataset: Dataset | None = None
        self._painting = False
        self.line = words()
        self.button = QPushButton("From disk")
        self.button.setToolTip(
            "Learn from images on disk: a folder for each class, a CSV with the columns path and class, or MedMNIST"
            if classes
            else "Learn from cases on disk: a folder of nnU-Net or the Decathlon, images/ and labels/, a CSV, or label "
            "maps alone, whose images are painted"
        )
        menu = QMenu(self.button)
        menu.addAction("A folder…").triggered.connect(lambda *_: self._ask_folder())
        menu.addAction("A table (CSV, npz)…" if classes else "A table (CSV)…").triggered.connect(
            lambda *_: self._ask_table()
        )
        self._back_to_layers = menu.addAction("The layers of this window")
        self._back_to_layers.triggered.connect(lambda *_: self.set_data(""))
        self.button.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        row.addWidget(self.button)
        self._describe()

    def set_data(self, path: str) -> None:
        """Learn from cases on disk; an empty path goes back to the layers of the window.

        Parameters
        ----------
        path:
            What :func:`napari_resmed.io.datasets.read_dataset` reads; of classes, what
            :func:`napari_resmed.io.datasets.classes.read_classes` does.
        """
        self.data = Path(path) if path else None
        self._look()

    def set_painting(self, painting: bool) -> None:
        """Whether images are painted from label maps, so that those without an image are cases, too."""
        if painting != self._painting:
            self._painting = painting
            if self.data is not None:
                self._look()

    def _look(self) -> None:
        self.dataset = None
        if self.data is not None:
            read = read_classes if self._classes else partial(read_dataset, lonely_labels=self._painting)
            self._aside.run(partial(_found_in, self.data, read), partial(self._on_found, (self.data, self._painting)))
        self._describe()
        self.changed.emit()

    def _on_found(self, wanted: tuple[Path, bool], found: Dataset | str) -> None:
        if wanted != (self.data, self._painting):
            return
        if isinstance(found, str):
            self.set_data("")
            self.said.emit(found)
            show_error(found)
        else:
            self.dataset = found
            self._describe()
            self.changed.emit()

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "A folder of cases to learn from")
        if path:
            self.set_data(path)

    def _ask_table(self) -> None:
        kinds = "Table (*.csv *.npz)" if self._classes else "Table (*.csv)"
        path, _ = QFileDialog.getOpenFileName(self, "A table of cases to learn from", "", kinds)
        if path:
            self.set_data(path)

    def _describe(self) -> None:
        self._back_to_layers.setVisible(self.data is not None)
        self.line.setToolTip(str(self.data or ""))
        if self.data is None:
            self.line.setText(f"Learn from the {'images' if self._classes else 'layers'} of this window")
        elif self.dataset is None:
            self.line.setText(f"Looking into <b>{escape(self.data.name)}</b>…")
        else:
            found = self.dataset
            channels = escape(", ".join(found.channels))
            if self._classes:
                counts = Counter(case.class_name for case in found.cases)
                said = escape(", ".join(f"{counts[name]} {name}" for name in found.classes))
                self.line.setText(f"Learn from <b>{escape(self.data.name)}</b>: {said}; {channels}")
                return
            without = sum(case.labels is None for case in found.cases)
            partly = sum(bool(case.complete_slices) for case in found.cases)
            painted = sum(not case.has_image for case in found.cases)
            asides = [f"{without} of them without labels"] * bool(without)
            asides += [f"{painted} of them label maps alone, whose images are painted"] * bool(painted)
            asides += [f"{partly} of them painted on complete slices only"] * bool(partly)
            cases = f"{len(found.cases)} cases" + (f" ({', '.join(asides)})" if asides else "")
            names = escape(", ".join(label.name for label in found.labels))
            self.line.setText(f"Learn from <b>{escape(self.data.name)}</b>: {cases} of {channels}; {names}")


def _found_in(data: Path, read: Callable[[Path], tuple[Dataset, tuple[str, ...]]]) -> Dataset | str:
    """The cases there, or why there are none."""
    try:
        return read(data)[0]
    except ResMedError as problem:
        return str(problem)
    except OSError as problem:
        return f"{data} cannot be read: {(problem.strerror or 'unknown reason').lower()}"
