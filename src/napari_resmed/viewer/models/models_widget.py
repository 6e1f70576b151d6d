"""The Models dock: what there is, and import, export, remove."""

from __future__ import annotations

import logging
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.errors import ResMedError
from napari_resmed.events import Failed, Progress, Started
from napari_resmed.models.catalogue import list_models, own_models_folder, remove_model
from napari_resmed.models.folder import read_card
from napari_resmed.train.own_trainings import forget_training
from napari_resmed.viewer.models.models_list import ModelsList, comes_from
from napari_resmed.viewer.models.names import proposed_name
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.dropped import dropped_paths
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.progress_line import ProgressLine
from napari_resmed.viewer.parts.running_job import RunningJob, cancel_all
from napari_resmed.viewer.parts.words import words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ModelsWidget"]

_log = logging.getLogger(__name__)

# What a person chooses, what the job calls it, and the ending of the file.
_EXPORTS = (("MONAI bundle…", "bundle", ".zip"), ("TorchScript…", "torchscript", ".ts"), ("ONNX…", "onnx", ".onnx"))


class ModelsWidget(QWidget):
    """The models that can be used; others are brought in here.

    Parameters
    ----------
    napari_viewer:
        The viewer; nothing in it is changed.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._job: RunningJob | None = None
        # What a closed window still has to stop; a list of its own, since by then this widget is gone.
        self._under_way: list[RunningJob] = []
        self.destroyed.connect(partial(cancel_all, self._under_way))
        self.setAcceptDrops(True)
        self._build()
        models_changed().happened.connect(self.read_models)
        self.read_models()

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, as high as what is in it."""
        return QSize(DOCK_WIDTH, super().sizeHint().height())

    def _build(self) -> None:
        self.list = ModelsList()
        self.list.currentItemChanged.connect(self._on_chosen)
        self.import_button = QPushButton("&Import…")
        self.import_button.setDefault(True)
        self.import_button.setMinimumHeight(32)
        self.import_button.setToolTip("A trained nnU-Net v2 or a MONAI bundle, as a folder or a zip file")
        choose = QMenu(self.import_button)
        choose.addAction("A zip file…", self.ask_for_file)
        choose.addAction("A folder…", self.ask_for_folder)
        self.import_button.setMenu(choose)
        self.export_button = QPushButton("&Export")
        self.export_button.setToolTip("Write the chosen model for other programs")
        kinds = QMenu(self.export_button)
        for title, kind, ending in _EXPORTS:
            kinds.addAction(title, partial(self.ask_and_export, kind, ending))
        self.export_button.setMenu(kinds)
        self.remove_button = QPushButton("&Remove")
        self.remove_button.clicked.connect(self.ask_to_remove)
        self._build_question()
        self.progress = ProgressLine()
        self.progress.cancel_wanted.connect(self.cancel)
        self.status = words(selectable=True)
        self.card = QTextBrowser()
        self.card.setOpenExternalLinks(True)
        self.card.setMinimumHeight(120)
        buttons = QGridLayout()
        buttons.addWidget(self.import_button, 0, 0, 1, 2)
        buttons.addWidget(self.export_button, 1, 0)
        buttons.addWidget(self.remove_button, 1, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        layout.addWidget(self.question)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.card, 1)
        self._show_running(False)

    def _build_question(self) -> None:
        """Asked in the dock itself: nothing here stops the rest of the window."""
        self.question = QWidget()
        self._question_words: QLabel = words()
        self.yes_button = QPushButton("Remove it")
        self.yes_button.clicked.connect(self._remove)
        self.no_button = QPushButton("Keep it")
        self.no_button.clicked.connect(self.question.hide)
        row = QHBoxLayout()
        row.addWidget(self.yes_button)
        row.addWidget(self.no_button)
        layout = QVBoxLayout(self.question)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._question_words)
        layout.addLayout(row)
        self.question.hide()

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.cancel()
        return super().event(event)

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802
        """Folders and zip files may be dropped."""
        if any(path.is_dir() or path.suffix.lower() == ".zip" for path in dropped_paths(event)):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802
        """Import what was dropped; one after the other would need a list nobody asked for."""
        paths = dropped_paths(event)
        if paths:
            event.acceptProposedAction()
            self.import_from(paths[0])

    # The list ----------------------------------------------------------------------------------------------

    def read_models(self) -> None:
        """Look again at what there is."""
        models, problems = list_models()
        self.list.show_models(models)
        self._on_chosen()
        if problems and self._job is None:
            self.status.setText("<br>".join(escape(f"Left out: {problem}") for problem in problems))

    def _on_chosen(self, *_: Any) -> None:
        self.question.hide()
        model = self.list.chosen
        self._show_running(self._job is not None)
        if model is None:
            self.card.setMarkdown("")
            return
        try:
            self.card.setMarkdown(read_card(model))
        except OSError as problem:
            self.card.setPlainText(f"The card of {model.name} cannot be read: {problem.strerror or problem}")

    def _show_running(self, running: bool) -> None:
        chosen = self.list.chosen
        self.progress.setVisible(running)
        self.import_button.setEnabled(not running)
        self.export_button.setEnabled(not running and chosen is not None)
        built_in = chosen is not None and comes_from(chosen) == "built in"
        self.remove_button.setEnabled(not running and chosen is not None and not built_in)
        self.remove_button.setToolTip(
            "Built-in models stay" if built_in else "Delete the chosen model from this computer"
        )

    @property
    def is_running(self) -> bool:
        """Whether a model is being imported or exported."""
        return self._job is not None

    # Import ------------------------------------------------------------------------------------------------

    def ask_for_file(self) -> None:
        """Ask for a zip file, and import it."""
        name, _ = QFileDialog.getOpenFileName(self, "Import a model", "", "Zip files (*.zip)")
        if name:
            self.import_from(Path(name))

    def ask_for_folder(self) -> None:
        """Ask for a folder, and import it."""
        name = QFileDialog.getExistingDirectory(self, "Import a model's folder")
        if name:
            self.import_from(Path(name))

    def import_from(self, source: Path) -> None:
        """Import a model under a name after its file; it is chosen when it is there."""
        places = own_models_folder()
        taken = {model.name for model in list_models()[0]}
        if places.is_dir():
            taken |= {place.name for place in places.iterdir()}
        folder = places / proposed_name(source, taken)
        self._start("import_model", {"source": str(source), "folder": str(folder)}, self._on_imported)

    def _on_imported(self, result: dict[str, Any], seconds: float) -> None:
        self._end()
        models_changed().happened.emit()
        self.list.choose(result["name"])
        text = f"Imported {result['name']}: {result['labels']} labels, in {seconds:.1f} s"
        self.status.setText(f"{escape(text)}. It is in the list of <b>Segment</b> now.")
        show_info(text)

    # Export ------------------------------------------------------------------------------------------------

    def ask_and_export(self, kind: str, ending: str) -> None:
        """Ask for the name of a file, and write the chosen model there."""
        model = self.list.chosen
        if model is None:
            return
        name, _ = QFileDialog.getSaveFileName(self, "Export the model", f"{model.name}{ending}", f"*{ending}")
        if not name:
            return
        out = name if name.lower().endswith(ending) else name + ending
        self._start("export_model", {"model": str(model.folder), "out": out, "kind": kind}, self._on_exported)

    def _on_exported(self, result: dict[str, Any], seconds: float) -> None:
        self._end()
        text = f"Wrote {Path(result['out']).name} in {seconds:.1f} s"
        self.status.setText(escape(f"{text}. {result['note']}").strip())
        show_info(text)
        if result["note"]:
            show_warning(result["note"])

    # Remove ------------------------------------------------------------------------------------------------

    def ask_to_remove(self) -> None:
        """Ask in the dock whether the chosen model should go."""
        model = self.list.chosen
        if model is not None:
            self._question_words.setText(f"Delete <b>{escape(model.name)}</b> from this computer? It cannot be undone.")
            self.question.show()
            self.no_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _remove(self) -> None:
        self.question.hide()
        model = self.list.chosen
        if model is None:
            return
        try:
            forget_training(remove_model(model.name))
        except ResMedError as problem:
            self.status.setText(escape(str(problem)))
            show_error(str(problem))
            return
        self.status.setText(escape(f"Removed {model.name}."))
        models_changed().happened.emit()

    # The work ----------------------------------------------------------------------------------------------

    def _start(self, what: str, parameters: dict[str, Any], finished: Any) -> None:
        if self._job is not None:
            return
        job = RunningJob(self)
        job.progressed.connect(self._on_progress)
        job.warned.connect(show_warning)
        job.finished.connect(finished)
        job.failed.connect(self._on_failed)
        self._job = job
        self._under_way[:] = [job]
        self.question.hide()
        self.progress.show_done(0)
        self.status.setText("Starting…")
        self._show_running(True)
        job.start(what, parameters)

    def cancel(self) -> None:
        """Stop importing or exporting; nothing half-written stays."""
        if self._job is not None:
            self.status.setText("Stopping…")
            self._job.cancel()

    def _on_progress(self, event: Progress | Started) -> None:
        self.status.setText(escape(self.progress.show_event(event)))

    def _end(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job = None
        self._under_way.clear()
        self._show_running(False)

    def _on_failed(self, event: Failed) -> None:
        self._end()
        if event.kind == "cancelled":
            self.status.setText("Cancelled.")
            show_info("Cancelled.")
            return
        self.status.setText(escape(event.message))
        show_error(event.message)
        _log.debug("%s", event.detail)  # only where a person asks for it: it may name files
