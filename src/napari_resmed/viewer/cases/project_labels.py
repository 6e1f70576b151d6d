"""The labels of a project in the table, in its files and on the open case."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_resmed.io.project import write_label_set
from napari_resmed.labels import LabelSet
from napari_resmed.viewer.cases.case_desk import CaseDesk
from napari_resmed.viewer.cases.open_case import OpenCase, project_look
from napari_resmed.viewer.cases.project_watch import ProjectWatch
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.label_meanings import labels_in
from napari_resmed.viewer.parts.label_table import LabelTable

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ProjectLabels"]


class ProjectLabels(QObject):
    """Keeps the three alike.

    Parameters
    ----------
    viewer, watch, desk, table:
        Where the open case is shown, what the files say, which case is open, and what is edited.
    files:
        Writes.

    Signals
    -------
    repainted()
        Names or colours are others: pictures of cases are out of date.
    failed(str)
        They could not be written.
    """

    repainted = Signal()
    failed = Signal(str)

    def __init__(
        self, viewer: ViewerModel, watch: ProjectWatch, desk: CaseDesk, table: LabelTable, files: Background
    ) -> None:
        super().__init__(table)
        self._viewer, self._watch, self._desk, self._table, self._files = viewer, watch, desk, table, files
        self._shown = LabelSet()  # what was changed into what the table has: others may change the files meanwhile
        self._held = LabelSet()  # what the files had when they were last read or written
        watch.read.connect(self._on_read)
        desk.shown.connect(self._follow)
        table.chosen.connect(self._choose)
        table.changed.connect(self._write)

    def _on_read(self, labels: LabelSet) -> None:
        if not self._table.is_editing:
            self._held = labels
            if labels != self._table.labels:
                self._show(labels)

    def _follow(self) -> None:
        """Names may be given to the open case elsewhere, as in the Train dock."""
        case = self._desk.now
        if case is not None:
            case.labels.events.features.connect(partial(self._on_named, case))

    def _on_named(self, case: OpenCase, event: Any = None) -> None:
        known = self._table.labels
        names = {label.value: label.name for label in labels_in(case.labels, known.values)}
        # "background" is for labels that no project has: nnU-Net's own is 0.
        named = LabelSet(
            tuple(
                label if names[label.value].casefold() == "background" else label.called(names[label.value])
                for label in known
            )
        )
        if case is self._desk.now and named != known and not self._table.is_editing:
            self._table.show_labels(named)
            self._write(named)

    def _choose(self, value: int) -> None:
        """Paint with the label of a row."""
        case = self._desk.now
        if case is not None:
            self._viewer.layers.selection.active = case.labels
            case.labels.selected_label = value

    def _write(self, labels: LabelSet) -> None:
        project = self._watch.project
        if project is not None:
            before, self._shown = self._shown, labels
            work = partial(write_label_set, project, labels, before)
            self._files.run(work, lambda _: self._on_written(labels), self._on_failed)

    def _on_written(self, labels: LabelSet) -> None:
        self._held = labels
        # Others were typed meanwhile and are on their way: on the case these would look like names given there.
        if labels == self._table.labels:
            self._show_look(labels)

    def _on_failed(self, message: str) -> None:
        self.failed.emit(message)
        self._shown = self._held  # so that what was not written goes with the next change
        if not self._table.is_editing:  # else the name that is being typed would be lost
            self._show(self._held)
        self._watch.refresh()

    def _show(self, labels: LabelSet) -> None:
        self._shown = labels
        self._table.show_labels(labels)
        self._show_look(labels)

    def _show_look(self, labels: LabelSet) -> None:
        case = self._desk.now
        if case is not None:
            look = project_look(labels)
            case.labels.colormap = look["colormap"]
            case.labels.features = look["features"]
        self.repainted.emit()
