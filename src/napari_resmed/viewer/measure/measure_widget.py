"""The Measure dock: choose labels and an image, click, get a table."""

from __future__ import annotations

import logging
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import QFormLayout, QPushButton, QVBoxLayout, QWidget

from napari_resmed.errors import InputError
from napari_resmed.events import Failed, Progress, Started
from napari_resmed.viewer.measure.figures_table import FiguresTable
from napari_resmed.viewer.measure.layers_to_measure import to_measure
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.grids import on_one_grid
from napari_resmed.viewer.parts.image_choice import ImageChoice, LabelsChoice, images_of
from napari_resmed.viewer.parts.label_meanings import label_of
from napari_resmed.viewer.parts.progress_line import ProgressLine
from napari_resmed.viewer.parts.running_job import RunningJob, cancel_all
from napari_resmed.viewer.parts.words import words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["MeasureWidget"]

_log = logging.getLogger(__name__)


class MeasureWidget(QWidget):
    """Measure the labels of the chosen layer, and the chosen image within them.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._job: RunningJob | None = None
        self._measured: Any = None  # the layer that the table is of
        # What a closed window still has to stop; a list of its own, since by then this widget is gone.
        self._under_way: list[RunningJob] = []
        self.destroyed.connect(partial(cancel_all, self._under_way))
        self._build()

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, as high as what is in it."""
        return QSize(DOCK_WIDTH, super().sizeHint().height())

    def _build(self) -> None:
        self.labels_choice = LabelsChoice(self._viewer)
        self.labels_choice.setToolTip("The labels to measure")
        self.image_choice = ImageChoice(self._viewer, none="No image")
        self.image_choice.setToolTip("The image whose brightness is measured within the labels")
        self.labels_choice.filled.connect(self._on_layers)
        self.labels_choice.currentIndexChanged.connect(self._propose_image)
        self.image_choice.filled.connect(self._propose_image)
        form = QFormLayout()
        form.addRow("&Labels", self.labels_choice)
        form.addRow("&Image", self.image_choice)
        self.measure_button = QPushButton("&Measure")
        self.measure_button.setDefault(True)
        self.measure_button.setMinimumHeight(32)
        self.measure_button.setToolTip("Measure every label; nothing is changed")
        self.measure_button.clicked.connect(self.start)
        self.progress = ProgressLine()
        self.progress.cancel_wanted.connect(self.cancel)
        self.status = words(selectable=True)
        self.table = FiguresTable()
        self.table.label_chosen.connect(self._select_label)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.measure_button)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.table, 1)
        layout.addStretch()
        self.table.hide()
        self._propose_image()
        self._on_layers()

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.labels_choice.let_go()
            self.image_choice.let_go()
            self.cancel()
        return super().event(event)

    # What can be chosen ------------------------------------------------------------------------------------

    def _on_layers(self) -> None:
        if self._job is not None:
            return
        self._show_running(False)
        if not self.labels_choice.count():
            self.status.setText("Nothing to measure yet: segment an image, paint labels, or drop a label file.")
        elif not self.table.isVisibleTo(self):
            self.status.setText("")

    def _propose_image(self, *_: Any) -> None:
        """The image that lies on the labels' grid, where the chosen one does not."""
        labels = self.labels_choice.currentData()
        chosen = self.image_choice.currentData()
        if labels is None or (chosen is not None and on_one_grid(labels, chosen)):
            return
        fitting = (image for image in images_of(self._viewer) if not image.rgb and on_one_grid(labels, image))
        self.image_choice.choose(next(fitting, None))

    def _show_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        self.measure_button.setEnabled(not running and self.labels_choice.count() > 0)

    @property
    def is_running(self) -> bool:
        """Whether something is being measured."""
        return self._job is not None

    # The click ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Measure the chosen labels."""
        labels = self.labels_choice.currentData()
        if self._job is not None or labels is None:
            return
        try:
            parameters = to_measure(labels, self.image_choice.currentData())
        except InputError as problem:
            self.status.setText(escape(str(problem)))
            show_error(str(problem))
            return
        job = RunningJob(self)
        job.progressed.connect(self._on_progress)
        job.warned.connect(show_warning)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        self._job, self._measured = job, labels
        self._under_way[:] = [job]
        self.progress.show_done(0)
        self.status.setText("Starting…")
        self._show_running(True)
        job.start("measure", parameters)

    def cancel(self) -> None:
        """Stop measuring."""
        if self._job is not None:
            self.status.setText("Stopping…")
            self._job.cancel()

    def _on_progress(self, event: Progress | Started) -> None:
        self.status.setText(self.progress.show_event(event))

    def _end(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job = None
        self._under_way.clear()
        self._show_running(False)

    def _on_finished(self, rows: list[dict[str, Any]], seconds: float) -> None:
        self._end()
        self.table.show_rows(rows, partial(label_of, self._measured))
        self.table.setVisible(bool(rows))
        name = escape(self._measured.name)
        if rows:
            self.status.setText(f"Measured <b>{name}</b>: {len(rows)} labels in {seconds:.1f} s.")
        else:
            self.status.setText(f"<b>{name}</b> holds no label yet.")

    def _on_failed(self, event: Failed) -> None:
        self._end()
        if event.kind == "cancelled":
            self.status.setText("Cancelled.")
            show_info("Measuring cancelled.")
            return
        self.status.setText(escape(event.message))
        show_error(event.message)
        _log.debug("%s", event.detail)  # only where a person asks for it: it may name files

    def _select_label(self, value: int) -> None:
        """Choose the label of a clicked row, so that it is found in the image."""
        if self._measured is not None and self._measured in self._viewer.layers:
            self._viewer.layers.selection.active = self._measured
            self._measured.selected_label = value
