"""The Load DICOM dock: choose a folder or a file, see its series, open one or several."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.io.dicom import Series
from napari_resmed.viewer.dicom.series_details import SeriesDetails
from napari_resmed.viewer.dicom.series_list import SeriesList
from napari_resmed.viewer.dicom.series_reader import SeriesReader
from napari_resmed.viewer.layers import LayerData
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.dropped import dropped_paths
from napari_resmed.viewer.parts.in_turns import in_turns
from napari_resmed.viewer.parts.invitation import Invitation
from napari_resmed.viewer.parts.palette import palette_of
from napari_resmed.viewer.parts.progress_line import ProgressLine
from napari_resmed.viewer.parts.series_volumes import can_open
from napari_resmed.viewer.parts.shown_volume import add_layers
from napari_resmed.viewer.parts.words import plain_words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["LoadDicomWidget"]

# Pixels; every dock of ours fits.
HEIGHT = 560
_FILES = "DICOM files and archives (*.dcm *.dicom *.ima *.zip DICOMDIR);;All files (*)"
# Images first, then what lies on them, then what is no picture.
_ORDER = {"image": 0, "labels": 1, "other": 2}


class LoadDicomWidget(QWidget):
    """Open DICOM series.

    Parameters
    ----------
    napari_viewer:
        The viewer that gets the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._began = 0.0
        self.is_running = False
        self._reader = SeriesReader(self)
        self._reader.found.connect(self._on_found)
        self._reader.read.connect(self._on_read)
        self._reader.progressed.connect(self._on_progress)
        self._reader.failed.connect(self._on_failed)
        self.destroyed.connect(partial(_stop, self._reader.finish))
        self._build()
        self._show_running(False)

    def _build(self) -> None:
        self.setAcceptDrops(True)
        invitation = Invitation(
            "Open DICOM images",
            "Choose the folder of a study, or drop one here: a folder, files, a DICOMDIR or a zip archive.",
            "&Choose folder…",
            "A file or an archive…",
        )
        invitation.accepted.connect(self.choose_folder)
        invitation.second_wanted.connect(self.choose_file)
        self.pages = QStackedWidget()
        self.pages.addWidget(invitation)
        self.pages.addWidget(self._build_list())
        self.progress = ProgressLine()
        self.progress.cancel_wanted.connect(self._reader.cancel)
        self.status = plain_words()
        layout = QVBoxLayout(self)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)

    def _build_list(self) -> QWidget:
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setStyleSheet("font-weight: bold")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.other_button = QPushButton("Other")
        self.other_button.setToolTip("Look for series somewhere else")
        menu = QMenu(self.other_button)
        menu.addAction("A folder…").triggered.connect(lambda *_: self.choose_folder())
        menu.addAction("A file or an archive…").triggered.connect(lambda *_: self.choose_file())
        self.other_button.setMenu(menu)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.other_button)
        self.list = SeriesList(partial(palette_of, self._viewer))
        self.list.chosen.connect(self._on_chosen)
        self.list.open_wanted.connect(self.open)
        self.list.picture_wanted.connect(self._reader.picture)
        self._reader.pictured.connect(self.list.show_picture)
        self.details = SeriesDetails()
        self.details.remedy_wanted.connect(self.open)
        self.open_button = QPushButton("&Open")
        self.open_button.setDefault(True)
        self.open_button.setMinimumHeight(32)
        self.open_button.clicked.connect(lambda *_: self.open())
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(head)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.details)
        layout.addWidget(self.open_button)
        return page

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, and high enough for some series."""
        return QSize(DOCK_WIDTH, HEIGHT)

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._reader.close()
        return super().event(event)

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802
        """Take files and folders that are dragged over the dock."""
        if dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802
        """Look for series in what is dropped on the dock."""
        paths = dropped_paths(event)
        if paths:
            event.acceptProposedAction()
            self.look_into(paths)

    def choose_folder(self) -> None:
        """Ask for a folder."""
        chosen = QFileDialog.getExistingDirectory(self, "A folder of DICOM images")
        if chosen:
            self.look_into([Path(chosen)])

    def choose_file(self) -> None:
        """Ask for a file, a DICOMDIR or an archive."""
        chosen, _ = QFileDialog.getOpenFileNames(self, "DICOM files, a DICOMDIR or a zip archive", "", _FILES)
        if chosen:
            self.look_into([Path(one) for one in chosen])

    @property
    def series(self) -> tuple[Series, ...]:
        """What is listed, from the top."""
        return self.list.series

    def look_into(self, places: Sequence[Path]) -> None:
        """List the series behind files, folders or an archive; returns at once."""
        self._places = list(places)
        self._begin("Looking for series…")
        self._reader.find(places)

    def open(self, remedy: str = "") -> None:
        """Open the chosen series; returns at once.

        Parameters
        ----------
        remedy:
            What to do about an irregular one, of its ``remedies``.
        """
        series = [one for one in self.list.selected if remedy or can_open(one)]
        if not series or self.is_running:
            return
        self._began = time.monotonic()
        self._begin("Reading…")
        self._reader.open(series, remedy)

    def cancel(self) -> None:
        """Stop what runs."""
        self._reader.cancel()

    def _begin(self, what: str) -> None:
        self.progress.show_done(0)
        self.status.setText(what)
        self._show_running(True)

    def _show_running(self, running: bool) -> None:
        self.is_running = running
        self.progress.setVisible(running)
        self.pages.setEnabled(not running)
        self.status.setVisible(bool(self.status.text()))
        if not running:
            self._on_chosen()

    def _on_progress(self, what: str, done: float) -> None:
        if self.is_running:
            self.progress.show_done(done)
            self.status.setText(what)

    def _on_found(self, series: list[Series]) -> None:
        place = self._places[0]
        self.title.setText(place.name if len(self._places) == 1 else f"{len(self._places)} files")
        self.title.setToolTip(str(place if len(self._places) == 1 else place.parent))
        self.list.show_series(sorted(series, key=lambda one: _ORDER[one.kind]))
        self.pages.setCurrentIndex(1)
        self.list.setFocus()
        usable = sum(can_open(one) for one in series)
        others = len(series) - usable
        words = f"{usable} series can be opened" if usable else "No series can be opened as it is"
        self.status.setText(words + (f", {others} cannot as they are: the reason stands with each." if others else "."))
        self._show_running(False)

    def _on_chosen(self) -> None:
        chosen = self.list.selected
        usable = [one for one in chosen if can_open(one)]
        self.details.show_series(chosen)
        self.open_button.setText(f"&Open {len(usable)} series" if len(usable) > 1 else "&Open")
        self.open_button.setEnabled(bool(usable))
        self.open_button.setToolTip(
            "Read what is chosen, and show it as layers"
            if usable
            else "What is chosen cannot be opened as it is"
            if chosen
            else "Choose a series first"
        )

    def _on_read(self, layers: list[LayerData], notes: list[str]) -> None:
        in_turns(self, self._add(layers, notes))

    def _add(self, layers: list[LayerData], notes: list[str]) -> Iterator[None]:
        """Add the layers; the window breathes at every ``yield``."""
        shown = []
        try:
            for layer in add_layers(self._viewer, layers):
                if layer is not None:
                    shown.append(layer)
                yield
        except Exception:  # whatever napari says of a layer, the dock goes on
            self._show_running(False)
            raise
        for note in notes:
            show_warning(note)
        seconds = time.monotonic() - self._began
        names = shown[0].name if len(shown) == 1 else f"{len(shown)} series"
        said = f"Opened {names} in {seconds:.1f} s." if shown else "Nothing was opened."
        self.status.setText("\n".join([said, *notes]))
        self._show_running(False)

    def _on_failed(self, why: str) -> None:
        self.status.setText(why or "Cancelled; nothing was opened.")
        self._show_running(False)
        if why:
            show_error(why)


def _stop(finish: Any, *_: Any) -> None:
    finish()
