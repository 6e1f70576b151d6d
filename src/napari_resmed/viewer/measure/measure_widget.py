"""The Measure dock: choose labels and an image, click, get a table."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFormLayout, QVBoxLayout

from napari_resmed.errors import InputError
from napari_resmed.viewer.measure.figures_table import FiguresTable
from napari_resmed.viewer.measure.layers_to_measure import to_measure
from napari_resmed.viewer.parts.grids import on_one_grid
from napari_resmed.viewer.parts.image_choice import ImageChoice, LabelsChoice, images_of
from napari_resmed.viewer.parts.job_dock import JobDock
from napari_resmed.viewer.parts.label_meanings import label_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["MeasureWidget"]


class MeasureWidget(JobDock):
    """Measure the labels of the chosen layer, and the chosen image within them.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._measured: Any = None  # the layer that the table is of
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
        self.start_button.setText("&Measure")
        self.start_button.setToolTip("Measure every label; nothing is changed")
        self.table = FiguresTable()
        self.table.label_chosen.connect(self._select_label)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        self.add_job_rows(layout)
        layout.addWidget(self.table, 1)
        layout.addStretch()
        self.table.hide()
        self._propose_image()
        self._on_layers()

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        self.labels_choice.let_go()
        self.image_choice.let_go()

    # What can be chosen ------------------------------------------------------------------------------------

    def can_start(self) -> bool:
        """Whether there are labels."""
        return self.labels_choice.count() > 0

    def _on_layers(self) -> None:
        if self.is_running:
            return
        self.show_running()
        if not self.can_start():
            self.status.setText("Nothing to measure yet: segment an image, paint labels, or drop a label file.")
        elif not self.table.isVisibleTo(self):
            self.status.setText("")

    def _propose_image(self, *_: Any) -> None:
        """The image that lies on the labels' grid, where the chosen one does not and none was not asked for."""
        labels = self.labels_choice.currentData()
        chosen = self.image_choice.currentData()
        if labels is None or self.image_choice.none_wanted:
            return
        if chosen is not None and on_one_grid(labels, chosen):
            return
        fitting = (image for image in images_of(self._viewer) if not image.rgb and on_one_grid(labels, image))
        self.image_choice.choose(next(fitting, None))

    # The click ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Measure the chosen labels."""
        labels = self.labels_choice.currentData()
        if self.is_running or labels is None:
            return
        try:
            parameters = to_measure(labels, self.image_choice.currentData())
        except InputError as problem:
            self.status.setText(escape(str(problem)))
            show_error(str(problem))
            return
        self._measured = labels
        self.run("measure", parameters)

    def take_result(self, rows: list[dict[str, Any]], seconds: float) -> None:
        """Show the table."""
        self.end_job()
        self.table.show_rows(rows, partial(label_of, self._measured))
        self.table.setVisible(bool(rows))
        name = escape(self._measured.name)
        if rows:
            self.say_done(f"Measured <b>{name}</b>: {len(rows)} labels in {seconds:.1f} s.")
        else:
            self.say_done(f"<b>{name}</b> holds no label yet.")

    def _select_label(self, value: int) -> None:
        """Choose the label of a clicked row, so that it is found in the image."""
        if self._measured is not None and self._measured in self._viewer.layers:
            self._viewer.layers.selection.active = self._measured
            self._measured.selected_label = value
