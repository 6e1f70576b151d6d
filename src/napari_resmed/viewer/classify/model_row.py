"""The classifiers to choose from."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QSizePolicy, QWidget

from napari_resmed.models.catalogue import list_models
from napari_resmed.models.model import CLASSIFICATION, Model
from napari_resmed.viewer.classify.in_words import about
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.running_job import RunningJob
from napari_resmed.viewer.parts.words import words

__all__ = ["ModelRow"]

_NO_MODEL = (
    "No model that classifies is installed. Train one in the Train dock (learn “a class for each image”), or import "
    "one in the Models dock."
)


class ModelRow(QWidget):
    """A choice of models, and a line about the chosen one; the worker loads it as soon as it is chosen.

    Signals
    -------
    changed()
        Another model is chosen.
    layers_known(list)
        Which layers of the chosen one can be looked at: each with ``name, size``.
    """

    changed = Signal()
    layers_known = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: Path | None = None
        self.choice = QComboBox()
        self.choice.setToolTip("The model that tells what the image is")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.choice.currentIndexChanged.connect(self._on_chosen)
        self.note = words()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("&Model", self.choice)
        form.addRow("", self.note)
        models_changed().happened.connect(self.fill)

    @property
    def model(self) -> Model | None:
        """The chosen one."""
        found: Model | None = self.choice.currentData()
        return found

    def fill(self) -> None:
        """The list of models, read anew; the chosen one stays."""
        chosen = self.choice.currentText()
        models, _ = list_models(CLASSIFICATION)  # what cannot be read the Models dock tells
        self.choice.blockSignals(True)
        self.choice.clear()
        for model in models:
            self.choice.addItem(model.name, model)
        self.choice.setCurrentIndex(max(0, self.choice.findText(chosen)))
        self.choice.blockSignals(False)
        self._on_chosen()

    def _on_chosen(self) -> None:
        model = self.model
        self.note.setText(_NO_MODEL if model is None else escape(about(model)))
        self.note.setToolTip("" if model is None else model.description)
        if (model.folder if model is not None else None) != self._shown:
            self._shown = model.folder if model is not None else None
            self.changed.emit()
        if model is not None:
            # Load libraries and model while the person is still looking for the button.
            warming = RunningJob(self)
            warming.finished.connect(partial(self._on_layers, model))
            warming.start("class_layers", {"model": str(model.folder)})

    def _on_layers(self, model: Model, layers: list[dict[str, Any]], _: float) -> None:
        if self.model is not None and self.model.folder == model.folder:
            self.layers_known.emit(layers)
