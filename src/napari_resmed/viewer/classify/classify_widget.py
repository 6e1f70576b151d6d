"""The Classify dock: choose an image, click, read what it is, how sure that is, and where it shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.errors import ResMedError
from napari_resmed.events import Failed, Progress, Started
from napari_resmed.io.images_in import images_in
from napari_resmed.models.model import Model
from napari_resmed.viewer.classify.answer_view import AnswerView
from napari_resmed.viewer.classify.channel_choices import ChannelChoices
from napari_resmed.viewer.classify.classify_options import ClassifyOptions
from napari_resmed.viewer.classify.heat_layer import heat_attributes
from napari_resmed.viewer.classify.in_words import many, not_used
from napari_resmed.viewer.classify.model_row import ModelRow
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import layer_to_volume
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.fold import Fold
from napari_resmed.viewer.parts.in_turns import in_turns
from napari_resmed.viewer.parts.progress_line import ProgressLine
from napari_resmed.viewer.parts.running_job import RunningJob, cancel_all
from napari_resmed.viewer.parts.words import words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ClassifyWidget"]

_log = logging.getLogger(__name__)


class ClassifyWidget(QWidget):
    """Classify the chosen image layer, or a folder of files, with the chosen model.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are offered and who gets the heat map.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._job: RunningJob | None = None
        # Layers of the job under way, and where they lay when it began.
        self._sources: list[tuple[Any, dict[str, Any], tuple[int, ...]]] = []
        self._method = ""
        self._stop_reason = ""
        self.result: dict[str, Any] | None = None  # what was said last
        self.heat: Any = None  # the layer of the last heat map
        # What a closed window still has to stop; a list of its own, since by then this widget is gone.
        self._under_way: list[RunningJob] = []
        self.destroyed.connect(partial(cancel_all, self._under_way))
        self._build()
        self._listening = True
        napari_viewer.layers.events.removed.connect(self._on_removed)
        self.models.fill()
        self._on_images()

    # What is seen ------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, as high as what is in it."""
        return QSize(DOCK_WIDTH, super().sizeHint().height())

    def _build(self) -> None:
        self.channels = ChannelChoices(self._viewer)
        self.channels.changed.connect(self._on_images)
        self.models = ModelRow()
        self.models.changed.connect(self._on_model)
        self.classify_button = QPushButton("&Classify")
        self.classify_button.setDefault(True)
        self.classify_button.setMinimumHeight(32)
        self.classify_button.setToolTip("Tell what the image is; it is not changed, the heat map is a new layer")
        self.classify_button.clicked.connect(self.start)
        self.folder_button = QPushButton("A &folder…")
        self.folder_button.setMinimumHeight(32)
        self.folder_button.setToolTip("Classify every image in a folder, into a CSV file")
        self.folder_button.clicked.connect(self._ask_folder)
        buttons = QHBoxLayout()
        buttons.addWidget(self.classify_button, 1)
        buttons.addWidget(self.folder_button)
        self.progress = ProgressLine()
        self.progress.cancel_wanted.connect(self.cancel)
        self.status = words(selectable=True)
        self.answer = AnswerView(self._viewer)
        self.answer.explanation_wanted.connect(self.explain)
        self.options = ClassifyOptions()
        layout = QVBoxLayout(self)
        layout.addWidget(self.channels)
        layout.addWidget(self.models)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.answer)
        layout.addWidget(Fold("More", self.options))
        layout.addStretch()
        self.models.layers_known.connect(self.options.show_layers)
        self.answer.hide()

    def _show_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        model = self.models.model is not None
        for part in (self.channels, self.models, self.answer):
            part.setEnabled(not running)
        self.classify_button.setEnabled(
            not running and model and any(layer is not None for layer in self.channels.layers)
        )
        self.folder_button.setEnabled(not running and model)

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._let_go()
        return super().event(event)

    def _let_go(self) -> None:
        if self._listening:
            self._listening = False
            self.channels.let_go()
            self.answer.let_go()
            self._viewer.layers.events.removed.disconnect(self._on_removed)
        self.cancel()

    # What can be chosen ------------------------------------------------------------------------------------

    def _on_model(self) -> None:
        model = self.models.model
        self.channels.show_channels(("image",) if model is None else model.channels)
        self.options.show_layers(())
        self._on_images()

    def _on_images(self) -> None:
        if self._job is not None:
            return
        self._show_running(False)
        if not any(layer is not None for layer in self.channels.layers):
            self.status.setText("Open an image first: drop a file on the window; or classify a folder of files.")
        elif not self.answer.isVisibleTo(self):
            self.status.setText("")

    def _on_removed(self, event: Any) -> None:
        if self._job is not None and any(event.value is layer for layer, _, _ in self._sources):
            self._stop_reason = f"{event.value.name} was removed, so its classification was stopped."
            self.cancel()

    @property
    def is_running(self) -> bool:
        """Whether something is being classified."""
        return self._job is not None

    # One image ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Classify the chosen image, and tell where it speaks for the class that is found."""
        if self._job is None:
            self.answer.hide()
        self._classify("")

    def explain(self, of: str) -> None:
        """The same, but tell where it speaks for this class."""
        self._classify(of)

    def _classify(self, of: str) -> None:
        model, chosen = self.models.model, self.channels.layers
        places = [number for number, layer in enumerate(chosen) if layer is not None]
        if self._job is not None or model is None or not places:
            return
        # Taken now, used on the engine's thread: whatever happens to the layers later, the job has its images.
        taken = [(chosen[place].data, attributes_of(chosen[place])) for place in places]
        several = len(chosen) > 1
        options = {"model": str(model.folder), **self.options.parameters, "of": of}
        self._sources = [
            (chosen[place], attributes, np.shape(data[0] if chosen[place].multiscale else data))
            for place, (data, attributes) in zip(places, taken, strict=True)
        ]
        self._method = self.options.method_name

        def parameters() -> dict[str, Any]:
            volumes = [layer_to_volume(data, attributes) for data, attributes in taken]
            case = {"name": volumes[0].name, "images": volumes, "channels": places}
            return {"images": [case] if several else volumes, **options}

        self._run(parameters, partial(self._on_finished, model))

    def _on_finished(self, model: Model, result: dict[str, Any], seconds: float) -> None:
        in_turns(self, self._show_result(model, result, seconds))

    def _show_result(self, model: Model, result: dict[str, Any], seconds: float) -> Iterator[None]:
        """Put the answer into the dock and its reason into the viewer; the window breathes at every ``yield``."""
        (said,) = result["images"]
        if not said["predicted"]:
            self._on_failed(Failed(f"{said['path']} is {said['quality']}"))
            return
        layer = None
        if said["heat"] is not None:
            source = self._of_heat(result, said)
            name = f"{source[1]['name']} {said['explained']} {self._method}"
            try:
                data, attributes = heat_attributes(said["heat"], name, source[1], source[2])
            except ResMedError as problem:
                self._on_failed(Failed(str(problem)))
                return
            yield
            layer = Image(data, **attributes)
            yield
            former = self.heat
            if former in self._viewer.layers and _lies_as(former, layer):
                # napari takes long to remove a large layer.
                former.data, former.metadata = layer.data, layer.metadata
                layer = former
            else:
                self._add(layer, source[0])
            yield
        self.heat, self.result = layer, said
        self._end()
        self.answer.show_answer(said, layer, model)
        self.answer.show()
        self.status.setText(f"Classified <b>{escape(self._sources[0][1]['name'])}</b> in {seconds:.1f} s.")

    def _add(self, layer: Image, source: Any) -> None:
        """The heat lies on top, and its image is the active layer: the next click is about that one again."""
        self._viewer.add_layer(layer)
        if source in self._viewer.layers:
            self._viewer.layers.selection.active = source

    def _of_heat(
        self, result: Mapping[str, Any], said: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any], tuple[int, ...]]:
        """The layer in whose image the heat lies."""
        names = [
            name for name, layer in zip(self.channels.names, self.channels.layers, strict=True) if layer is not None
        ]
        if len(self._sources) > 1 and len(names) == len(self._sources) and said["channel"] in names:
            return self._sources[names.index(said["channel"])]
        return self._sources[0]

    # A folder ----------------------------------------------------------------------------------------------

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A folder of images to classify")
        if not folder:
            return
        proposed = str(Path(folder).with_name(f"{Path(folder).name}_classes.csv"))
        table, _ = QFileDialog.getSaveFileName(self, "The table of answers", proposed, "Table (*.csv)")
        if table:
            self.classify_folder(Path(folder), Path(table if table.lower().endswith(".csv") else f"{table}.csv"))

    def classify_folder(self, folder: Path, table: Path) -> None:
        """Classify every image in a folder, into a CSV file; and their heat maps beside it, where that is ticked."""
        model = self.models.model
        if self._job is not None or model is None:
            return
        options = {"model": str(model.folder), **self.options.parameters, "table": str(table), "explain": False}
        if self.options.folder_maps.isChecked():
            options["heat_folder"] = str(table.with_name(f"{table.stem}_heat"))
        self._sources = []
        self._run(
            lambda: {"images": [str(path) for path in images_in([folder])], **options}, partial(self._on_many, table)
        )

    def _on_many(self, table: Path, result: dict[str, Any], seconds: float) -> None:
        self._end()
        self.answer.hide()
        self.status.setText(many(result["images"], table, seconds))
        self.status.setToolTip(not_used(result["images"]))

    # The work ----------------------------------------------------------------------------------------------

    def _run(self, parameters: Any, finished: Any) -> None:
        job = RunningJob(self)
        job.progressed.connect(self._on_progress)
        job.warned.connect(show_warning)
        job.finished.connect(finished)
        job.failed.connect(self._on_failed)
        self._job, self._stop_reason = job, ""
        self._under_way[:] = [job]
        self.progress.show_done(0)
        self.status.setText("Starting…")
        self.status.setToolTip("")
        self._show_running(True)
        job.start("classify", parameters)

    def cancel(self) -> None:
        """Stop the classification under way."""
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

    def _on_failed(self, event: Failed) -> None:
        self._end()
        if event.kind == "cancelled":
            said = self._stop_reason or "Cancelled. Nothing was made."
            self.status.setText(escape(said))
            show_info(said)
            return
        message = event.message[:1].upper() + event.message[1:].rstrip(".") + "."
        self.status.setText(escape(message))
        show_error(message)
        _log.debug("%s", event.detail)  # only where a person asks for it: it may name files


def _lies_as(former: Image, layer: Image) -> bool:
    """Whether it is the same map made anew, in the same place."""
    same = former.name == layer.name and former.data.shape == layer.data.shape
    return same and bool(np.allclose(former.extent.world, layer.extent.world))
