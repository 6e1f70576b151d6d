"""The Classify dock: choose an image, click, read what it is, how sure that is, and where it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout

from napari_resmed.errors import ResMedError
from napari_resmed.events import Failed
from napari_resmed.io.images_in import images_in
from napari_resmed.models.model import Model
from napari_resmed.viewer.classify.answer_view import AnswerView
from napari_resmed.viewer.classify.channel_choices import ChannelChoices
from napari_resmed.viewer.classify.classify_options import ClassifyOptions
from napari_resmed.viewer.classify.heat_layer import heat_attributes
from napari_resmed.viewer.classify.in_words import many, not_used
from napari_resmed.viewer.classify.judgement import Judgement
from napari_resmed.viewer.classify.model_row import ModelRow
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import layer_to_volume
from napari_resmed.viewer.parts.add_in_parts import add_aside
from napari_resmed.viewer.parts.fold import Fold
from napari_resmed.viewer.parts.in_turns import in_turns
from napari_resmed.viewer.parts.job_dock import JobDock

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ClassifyWidget"]


class ClassifyWidget(JobDock):
    """Classify the chosen image layer, or a folder of files, with the chosen model.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are offered and who gets the heat map.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        # Layers of the job under way, and where they lay when it began.
        self._sources: list[tuple[Any, dict[str, Any], tuple[int, ...]]] = []
        self._method = ""
        self._answered: list[Any] = []  # what the answer that is shown is of: a layer or None for every channel
        self.result: dict[str, Any] | None = None  # what was said last
        self.heat: Any = None  # the layer of the last heat map
        self._build()
        self._listening = True
        napari_viewer.layers.events.removed.connect(self._on_removed)
        self.models.fill()
        self._on_images()

    # What is seen ------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.channels = ChannelChoices(self._viewer)
        self.channels.changed.connect(self._on_images)
        self.models = ModelRow()
        self.models.changed.connect(self._on_model)
        self.start_button.setText("&Classify")
        self.start_button.setToolTip("Tell what the image is; it is not changed, the heat map is a new layer")
        self.folder_button = QPushButton("A &folder…")
        self.folder_button.setMinimumHeight(32)
        self.folder_button.setToolTip("Classify every image in a folder, into a CSV file")
        self.folder_button.clicked.connect(self._ask_folder)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button, 1)
        buttons.addWidget(self.folder_button)
        self.answer = AnswerView(self._viewer)
        self.answer.explanation_wanted.connect(self.explain)
        self.judgement = Judgement()
        self.judgement.wanted.connect(self.judge)
        self.options = ClassifyOptions()
        layout = QVBoxLayout(self)
        layout.addWidget(self.channels)
        layout.addWidget(self.models)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.answer)
        layout.addWidget(self.judgement)
        layout.addWidget(Fold("More", self.options))
        layout.addStretch()
        self.models.layers_known.connect(self.options.show_layers)
        self._hide_answers()

    def can_start(self) -> bool:
        """Whether there are an image and a model."""
        return self.models.model is not None and any(layer is not None for layer in self.channels.layers)

    def show_running(self) -> None:
        """Nothing can be chosen while something is being classified."""
        super().show_running()
        for part in (self.channels, self.models, self.answer, self.judgement):
            part.setEnabled(not self.is_running)
        self.folder_button.setEnabled(not self.is_running and self.models.model is not None)

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        if self._listening:
            self._listening = False
            self.channels.let_go()
            self.answer.let_go()
            self._viewer.layers.events.removed.disconnect(self._on_removed)

    # What can be chosen ------------------------------------------------------------------------------------

    def _on_model(self) -> None:
        model = self.models.model
        self.channels.show_channels(("image",) if model is None else model.channels)
        self.options.show_layers(())
        self.options.mirrored.setEnabled(model is not None and bool(model.mirror_axes))
        self._hide_answers()  # another model's
        self._on_images()

    def _on_images(self) -> None:
        if self.is_running:
            return
        self.show_running()
        if not any(layer is not None for layer in self.channels.layers):
            self.answer.hide()
            self.status.setText("Open an image first: drop a file on the window; or classify a folder of files.")
        elif not self.answer.isVisibleTo(self):
            self.status.setText("")

    def _on_removed(self, event: Any) -> None:
        if self.is_running and any(event.value is layer for layer, _, _ in self._sources):
            self.stop_reason = f"{event.value.name} was removed, so its classification was stopped."
            self.cancel()

    # One image ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Classify the chosen image, and tell where it speaks for the class that is found."""
        if not self.is_running:
            self._hide_answers()
        self._classify(self.channels.layers, "")

    def explain(self, of: str) -> None:
        """Tell where the image that was answered last speaks for this class, whichever is chosen now."""
        gone = [layer for layer in self._answered if layer is not None and layer not in self._viewer.layers]
        if gone and not self.is_running:
            text = f"{gone[0].name} was removed, so it cannot be asked why; classify an image that is still there."
            self.show_failure(Failed(text))
            return
        self._classify(self._answered, of)

    def _classify(self, chosen: list[Any], of: str) -> None:
        model = self.models.model
        places = [number for number, layer in enumerate(chosen) if layer is not None]
        if self.is_running or model is None or not places:
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

        self.run("classify", parameters, partial(self._on_finished, model, chosen))

    def _on_finished(self, model: Model, chosen: list[Any], result: dict[str, Any], seconds: float) -> None:
        in_turns(self, self._show_result(model, chosen, result, seconds))

    def _show_result(self, model: Model, chosen: list[Any], result: dict[str, Any], seconds: float) -> Iterator[None]:
        """Put the answer into the dock and its reason into the viewer; the window breathes at every ``yield``."""
        (said,) = result["images"]
        if not said["predicted"]:
            self.show_failure(Failed(f"{said['path']} is {said['quality']}"))
            return
        layer = None
        if said["heat"] is not None:
            source = self._of_heat(chosen, said)
            name = f"{source[1]['name']} {said['explained']} {self._method}"
            try:
                data, attributes = heat_attributes(said["heat"], name, source[1], source[2])
            except ResMedError as problem:
                self.show_failure(Failed(str(problem)))
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
                # It lies on top, and its image stays active: the next click is about that one again.
                yield from add_aside(layer, self._viewer, source[0])
            yield
        self.heat, self.result, self._answered = layer, said, chosen
        self.end_job()
        self.answer.show_answer(said, layer, model, chosen)
        self.answer.show()
        self.say_done(f"Classified <b>{escape(self._sources[0][1]['name'])}</b> in {seconds:.1f} s.")

    def _of_heat(self, chosen: list[Any], said: Mapping[str, Any]) -> tuple[Any, dict[str, Any], tuple[int, ...]]:
        """The layer in whose image the heat lies."""
        names = [name for name, layer in zip(self.channels.names, chosen, strict=True) if layer is not None]
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
        if self.is_running or model is None:
            return
        options = {"model": str(model.folder), **self.options.parameters, "table": str(table), "explain": False}
        if self.options.folder_maps.isChecked():
            options["heat_folder"] = str(table.with_name(f"{table.stem}_heat"))
        self._sources = []
        self.run(
            "classify",
            lambda: {"images": [str(path) for path in images_in([folder])], **options},
            partial(self._on_many, folder, table),
        )

    def _on_many(self, folder: Path, table: Path, result: dict[str, Any], seconds: float) -> None:
        self.end_job()
        self._hide_answers()
        self.say_done(many(result["images"], table, seconds))
        self.status.setToolTip(not_used(result["images"]))
        if any(image["predicted"] for image in result["images"]):
            self.judgement.offer(folder, table, result["classes"])

    def judge(self, truth: str) -> None:
        """Compare the answers to the last folder with what is true: a CSV, a MedMNIST file, or a folder per class."""
        if self.is_running:
            return
        answers, report = self.judgement.answers, self.judgement.report
        parameters = {"predictions": str(answers), "truth": truth, "report": str(report)}
        self.run("evaluate_classes", parameters, self._on_judged)

    def _on_judged(self, result: dict[str, Any], seconds: float) -> None:
        self.end_job()
        self.judgement.show_judged(result)
        where = f"{self.judgement.report.name}/report.html"
        self.say_done(f"Compared in {seconds:.1f} s. The report is in <b>{escape(where)}</b>.")

    def _hide_answers(self) -> None:
        self.answer.hide()
        self.judgement.hide()


def _lies_as(former: Image, layer: Image) -> bool:
    """Whether it is the same map made anew, in the same place."""
    same = former.name == layer.name and former.data.shape == layer.data.shape
    return same and bool(np.allclose(former.extent.world, layer.extent.world))
