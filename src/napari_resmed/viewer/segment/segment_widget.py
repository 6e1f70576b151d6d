"""The Segment dock: choose an image, click, get named structures and their volumes."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_error, show_warning
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSizePolicy, QVBoxLayout

from napari_resmed.errors import ResMedError
from napari_resmed.events import Failed
from napari_resmed.models.catalogue import list_models
from napari_resmed.models.model import Model
from napari_resmed.review.misfit import first_for
from napari_resmed.viewer.label_look import warm_labels
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import layer_to_volume, result_to_layer
from napari_resmed.viewer.parts.fold import Fold
from napari_resmed.viewer.parts.image_choice import ImageChoice
from napari_resmed.viewer.parts.in_turns import in_turns
from napari_resmed.viewer.parts.job_dock import JobDock
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.running_job import RunningJob
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.segment.segment_options import SegmentOptions
from napari_resmed.viewer.segment.volume_table import VolumeTable

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["SegmentWidget"]


class SegmentWidget(JobDock):
    """Segment the chosen image layer with the chosen model.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are offered and who gets the result.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._source: Any = None  # the layer being segmented
        self._chosen = False  # whether a person chose the model
        self._place: tuple[dict[str, Any], tuple[int, ...]] = ({}, ())  # where it lay when the job began
        self.result: Any = None  # the Labels layer of the last segmentation
        self._build()
        self._fill_models()
        self._propose_model()
        models_changed().happened.connect(self._fill_models)
        self._listening = True
        napari_viewer.layers.events.removed.connect(self._on_removed)
        self._warm_up()

    # What is seen ------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.image_choice = ImageChoice(self._viewer)
        self.image_choice.setToolTip("The image layer to segment")
        self.image_choice.filled.connect(self._on_images)
        self.model_choice = QComboBox()
        self.model_choice.setToolTip("The model that segments it")
        self.model_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model_choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.model_choice.currentIndexChanged.connect(self._describe_model)
        self.model_choice.activated.connect(self._on_model_chosen)
        self.image_choice.currentIndexChanged.connect(self._propose_model)
        self.model_note = words()
        self.quick = QCheckBox()
        self.quick.setToolTip("A coarser answer in a fraction of the time")
        self.quick.hide()  # until there is a model that knows one
        form = QFormLayout()
        form.addRow("&Image", self.image_choice)
        form.addRow("&Model", self.model_choice)
        form.addRow("", self.model_note)
        form.addRow("", self.quick)

        self.start_button.setText("&Segment")
        self.start_button.setToolTip("Segment the image; it is not changed, the result is a new layer")
        self.table = VolumeTable()
        self.table.label_chosen.connect(self._select_label)
        self.options = SegmentOptions()

        layout = QVBoxLayout(self)
        layout.addLayout(form)
        self.add_job_rows(layout)
        layout.addWidget(self.table, 1)
        layout.addWidget(Fold("More", self.options))
        layout.addStretch()
        self.table.hide()
        self._on_images()

    def let_go(self) -> None:
        """Stop listening to the viewer."""
        if self._listening:
            self._listening = False
            self.image_choice.let_go()
            self._viewer.layers.events.removed.disconnect(self._on_removed)

    # What can be chosen ------------------------------------------------------------------------------------

    def can_start(self) -> bool:
        """Whether there is an image."""
        return self.image_choice.count() > 0

    def _fill_models(self) -> None:
        """The list of models, read anew; the chosen one stays."""
        chosen = self.model_choice.currentText()
        models, problems = list_models("segmentation")
        self.model_choice.clear()
        for model in models:
            self.model_choice.addItem(model.name, model)
        self.model_choice.setCurrentIndex(max(0, self.model_choice.findText(chosen)))
        for problem in problems:
            show_warning(f"A model was left out: {problem}")
        if not models:
            self.model_note.setText("No model is installed.")

    def _on_model_chosen(self) -> None:
        self._chosen = True

    def _propose_model(self) -> None:
        """Another model where this one is for other images, until a person chooses."""
        layer = self.image_choice.currentData()
        # Others (multiscale, lazy) would have to be computed, which may take any time.
        if self._chosen or layer is None or not isinstance(layer.data, np.ndarray):
            return
        models = [self.model_choice.itemData(index) for index in range(self.model_choice.count())]
        try:
            image = layer_to_volume(layer.data, attributes_of(layer))
        except ResMedError:  # told when it is segmented
            return
        present = self.model_choice.currentIndex()
        if models and "t" not in image.axes:
            first = [models[present], *models]
            proposed = first_for(image, [one for one in first if len(one.channels) == image.channels] or first)
            self.model_choice.setCurrentIndex(next(n for n, model in enumerate(models) if model is proposed))

    def _describe_model(self) -> None:
        model: Model | None = self.model_choice.currentData()
        if model is None:
            return
        needs = model.preparation
        edges = [f"{mm:.3g}" for mm in needs.spacing_mm]
        size = edges[0] if len(set(edges)) == 1 else " × ".join(edges)
        at = "" if needs.own_spacing or needs.size else f" at {size} mm"
        kind = ", ".join(model.channels)
        self.model_note.setText(f"{kind}, {len(model.labels)} structures{at}")
        self.model_note.setToolTip(model.description)
        self.quick.setText(f"&Quick look at {model.quick_spacing_mm:g} mm")
        self.quick.setVisible(bool(model.quick_spacing_mm))

    def _on_images(self) -> None:
        if self.is_running:
            return
        self.show_running()
        if not self.can_start():
            self.status.setText("Open an image first: drop a file or a DICOM folder on the window.")
        elif not self.table.isVisibleTo(self):
            self.status.setText("")

    def _on_removed(self, event: Any) -> None:
        if self.is_running and event.value is self._source:
            self.stop_reason = f"{event.value.name} was removed, so its segmentation was stopped."
            self.cancel()

    # The click ---------------------------------------------------------------------------------------------

    def _warm_up(self) -> None:
        """Load libraries and model while the person is still looking for the button."""
        Thread(target=warm_labels, name="resmed-warm-labels", daemon=True).start()
        model: Model | None = self.model_choice.currentData()
        if model is not None:
            self._warming = RunningJob(self)
            self._warming.start("warm_up", {"model": str(model.folder)})

    def start(self) -> None:
        """Segment the chosen image."""
        if self.is_running:
            return
        layer, model = self.image_choice.currentData(), self.model_choice.currentData()
        if layer is None or model is None:
            show_error("Nothing to segment: open an image first.")
            return
        # Taken now, used on the engine's thread: whatever happens to the layer later, the job has its image.
        data, attributes = layer.data, attributes_of(layer)
        quick = self.quick.isChecked() and bool(model.quick_spacing_mm)
        options = {"model": str(model.folder), "quick": quick, **self.options.parameters}
        self._source = layer
        self._place = (attributes, np.shape(data[0] if layer.multiscale else data))
        self.table.hide()
        self.run("segment", lambda: {"image": layer_to_volume(data, attributes), **options})

    def end_job(self) -> None:
        """Be ready for the next."""
        self._source = None
        super().end_job()

    def take_result(self, result: dict[str, Any], seconds: float) -> None:
        """Put the result into the viewer."""
        in_turns(self, self._show_result(result, seconds))

    def _show_result(self, result: dict[str, Any], seconds: float) -> Iterator[None]:
        """The same in parts; the window breathes at every ``yield``."""
        labels = result["labels"]
        try:
            data, attributes, _ = result_to_layer(labels, *self._place)
            yield
            if result["uncertainty"] is not None:
                yield from self._show_uncertainty(result)
        except ResMedError as problem:
            self.show_failure(Failed(str(problem)))
            return
        layer = Labels(data, opacity=0.5, **attributes)
        yield
        self.result = self._viewer.add_layer(layer)
        yield
        self.end_job()
        self.table.show_rows(result["table"], labels.labels)
        self.table.show()
        self.say_done(
            f"Made <b>{escape(layer.name)}</b>: {len(result['table'])} structures in {seconds:.1f} s. "
            f"Correct it with the brush, or save it with File › Save selected layers."
        )

    def _show_uncertainty(self, result: dict[str, Any]) -> Iterator[None]:
        data, attributes, _ = result_to_layer(result["uncertainty"], *self._place)
        attributes |= {
            "name": f"{result['labels'].name} uncertainty",
            "colormap": "magma",
            "blending": "additive",
            "contrast_limits": (0.0, 1.0),
            "visible": False,
        }
        attributes["metadata"]["resmed"]["meta"] = {"made_by": result["made_by"]}
        yield
        layer = Image(data, **attributes)
        yield
        self._viewer.add_layer(layer)
        yield

    def job_cancelled(self) -> None:
        """Say that nothing was changed, or why it was stopped."""
        super().job_cancelled()
        self._warm_up()  # stopping may have cost the worker

    def _select_label(self, value: int) -> None:
        """Choose the label of a clicked row, so that the brush paints it and its name is seen."""
        if self.result is not None and self.result in self._viewer.layers:
            self._viewer.layers.selection.active = self.result
            self.result.selected_label = value
