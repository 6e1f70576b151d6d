"""What a new model begins with, what it is called, how long it may take, and the choices most people leave alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_resmed.models.catalogue import list_bases, own_models_folder
from napari_resmed.models.model import Model
from napari_resmed.models.names import name_trouble, slug
from napari_resmed.train.own_trainings import free_name
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.class_options import ClassTrainOptions
from napari_resmed.viewer.train.plan_editor import PlanEditor
from napari_resmed.viewer.train.weights_elsewhere import Weights, WeightsButton

__all__ = ["MoreTrainOptions", "TrainOptions"]

DEFAULT_MINUTES = 10.0
# Classes that make up a name between them.
_MOST_IN_A_NAME = 2
SCRATCH = "nothing (from scratch)"
_CARE = {"bold": "bold: learns fast", "normal": "normal", "careful": "careful: keeps what it knows"}
# Share of the training images that are painted from labels.
_IMAGES = {None: "as they are", 0.5: "half painted from labels", 1.0: "all painted from labels"}


class TrainOptions(QWidget):
    """Start from, name, minutes; each is proposed until the person says otherwise.

    Signals
    -------
    renamed()
        The new model is called something else.
    """

    renamed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models: list[Model] = []
        self._classify = False
        self._channels = 1
        self._weights: Weights | None = None  # from elsewhere, as chosen last
        self._proposed = ("", "")  # model and reason
        self._proposed_name = ""
        self._stem = "my-model"
        self.base_choice = QComboBox()
        self.base_choice.setToolTip("What the new model begins with")
        self.base_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.base_choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.base_choice.addItem(SCRATCH, None)
        self.base_note = words(small=True)
        self.name_edit = QLineEdit()
        self.name_edit.setToolTip("The name of the model that will be made")
        self.name_note = words(small=True)
        self.minutes = _Minutes()
        self.minutes.setRange(0.05, 100_000)
        self.minutes.setDecimals(2)
        self.minutes.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.minutes.setValue(DEFAULT_MINUTES)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip("How long it may take; you can stop earlier and keep the best")
        self.weights_button = WeightsButton()
        self.weights_button.chosen.connect(self.take_weights)
        self.weights_button.hide()
        base = QHBoxLayout()
        base.addWidget(self.base_choice, 1)
        base.addWidget(self.weights_button)
        label = QLabel("Start &from")
        label.setBuddy(self.base_choice)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(label, base)
        form.addRow(self.base_note)
        form.addRow("&New model", self.name_edit)
        form.addRow(self.name_note)
        form.addRow("T&ime", self.minutes)
        self.base_choice.currentIndexChanged.connect(self._describe_base)
        self.name_edit.textChanged.connect(self._describe_name)
        models_changed().happened.connect(self.read_models)
        self.read_models()
        self._describe_base()

    @property
    def base(self) -> Model | None:
        """The model to start from."""
        found = self.base_choice.currentData()
        return found if isinstance(found, Model) else None

    @property
    def begins_with(self) -> str:
        """The name of what the new model begins with; empty: from scratch."""
        return "" if self.base_choice.currentData() is None else str(self.base_choice.currentText())

    @property
    def start(self) -> dict[str, Any]:
        """The same as :func:`napari_resmed.jobs.train.train` calls it."""
        found = self.base_choice.currentData()
        if isinstance(found, Weights):
            return found.parameters
        return {"base": "" if found is None else str(found.folder)}

    @property
    def name(self) -> str:
        """Of the new model."""
        return str(self.name_edit.text().strip())

    def read_models(self) -> None:
        """The list of models, read anew; the chosen one stays."""
        self._models = list_bases("classify" if self._classify else "segment")
        self._fill_bases()
        self._propose_name()

    def take_weights(self, weights: Weights) -> None:
        """Start from weights that are no model of ours."""
        self._weights = weights
        self._fill_bases()
        self.base_choice.setCurrentIndex(self.base_choice.findText(weights.name))

    def set_task(self, task: str) -> None:
        """Offer what a model for this task (``"segment"`` or ``"classify"``) may begin with."""
        self._classify = task == "classify"
        self.weights_button.setVisible(self._classify)
        self._proposed = ("", "")
        self.read_models()

    def propose(
        self,
        *,
        channels: int,
        structures: Sequence[str],
        made_by: str = "",
        modalities: set[str] = frozenset(),  # type: ignore[assignment]
        little: bool = False,
        folder: str = "",
    ) -> None:
        """Fit the proposals to what is learnt from.

        Parameters
        ----------
        channels:
            How many images a case has.
        structures:
            Names of what is learnt.
        made_by:
            The model whose answer was corrected.
        modalities, little:
            Kinds of images, and whether only few slices are painted.
        folder:
            Name of the folder with the cases, where they come from disk.
        """
        if channels != self._channels:
            self._channels = channels
            self._fill_bases()
        knows = [model.name for model in self._models if modalities and set(model.channels) == modalities]
        proposed = ("", "")
        if made_by:
            proposed = (made_by, "whose answer you corrected")
        elif little and knows:
            proposed = (knows[0], "which knows such images: little is painted here")
        if proposed != self._proposed:
            self._proposed = proposed
            self.base_choice.setCurrentIndex(max(0, self.base_choice.findText(proposed[0]) if proposed[0] else 0))
            self._describe_base()
        named = [name for name in structures if not re.fullmatch(r"label \d+", name)]
        stem = slug(folder) or (slug(named[0]) if len(structures) == len(named) == 1 else "")
        if self._classify:
            stem = slug(folder) or ("" if len(structures) > _MOST_IN_A_NAME else slug("-or-".join(structures)))
        self._stem = stem or "my-model"
        self._propose_name()

    def _fill_bases(self) -> None:
        chosen = self.begins_with
        # The first layer is fitted to other channels; models that know as many come first.
        fitting = sorted(self._models, key=lambda model: len(model.channels) != self._channels)
        self.base_choice.blockSignals(True)
        self.base_choice.clear()
        self.base_choice.addItem(SCRATCH, None)
        for model in fitting:
            self.base_choice.addItem(model.name, model)
        if self._weights is not None and self._classify:
            self.base_choice.addItem(self._weights.name, self._weights)
        self.base_choice.setCurrentIndex(max(0, self.base_choice.findText(chosen) if chosen else 0))
        self.base_choice.blockSignals(False)
        self._describe_base()

    def _describe_base(self) -> None:
        base, weights = self.base, self.base_choice.currentData()
        self.base_note.setVisible(weights is not None)
        if isinstance(weights, Weights):
            self.base_note.setText(weights.note)
            self.base_note.setToolTip(weights.source)
        if base is not None:
            why = f", {self._proposed[1]}" if self._proposed[0] == base.name else ""
            other = len(base.channels) != self._channels and not self._classify
            knows = (
                f" It knows {len(base.channels)} channel{'s' * (len(base.channels) > 1)}, here are {self._channels}."
            )
            self.base_note.setText(f"Begins with what {escape(base.name)} learnt{why}.{knows * other}")
            self.base_note.setToolTip(base.description)
        self._propose_name()

    def _propose_name(self) -> None:
        """A name that is free, unless the person gave one."""
        if self.name_edit.text() not in ("", self._proposed_name):
            return
        stem = f"my-{re.sub(r'^my-|-[0-9]+$', '', self.base.name)}" if self.base is not None else self._stem
        self._proposed_name = free_name(stem, (model.name for model in self._models))
        self.name_edit.setText(self._proposed_name)

    def _describe_name(self) -> None:
        name = self.name
        exists = not name_trouble(name) and (own_models_folder() / name).exists()
        self.name_note.setText(f"Takes the place of the model {escape(name)} when it is done." if exists else "")
        self.name_note.setVisible(exists)
        self.renamed.emit()


class _Minutes(QDoubleSpinBox):
    """Minutes without zeros behind the point."""

    def textFromValue(self, value: float) -> str:  # noqa: N802
        return f"{value:g}"


class MoreTrainOptions(QWidget):
    """Care, device, precision, memory, seed, and the plan."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classify = False
        self.care_choice = QComboBox()
        for care, said in _CARE.items():
            self.care_choice.addItem(said, care)
        self.care_choice.setCurrentIndex(1)
        self.care_choice.setToolTip("How far the weights may move from where they start")
        self.images_choice = QComboBox()
        for share, said in _IMAGES.items():
            self.images_choice.addItem(said, share)
        self.images_choice.setToolTip(
            "Few images but many labels: paint training images of any contrast from the label maps. Folders of label "
            "maps alone are painted anyway; with any painting, labels on disk without an image are learnt from, too"
        )
        self.device_choice = QComboBox()
        self.device_choice.addItems(["auto", "cpu", "cuda", "mps"])
        self.precision_choice = QComboBox()
        self.precision_choice.addItems(["auto", "fp32", "bf16", "fp16"])
        for choice in (self.care_choice, self.device_choice, self.precision_choice, self.images_choice):
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.memory = QSpinBox()
        self.memory.setRange(0, 10_000_000)
        self.memory.setSingleStep(512)
        self.memory.setSpecialValueText("auto")
        self.memory.setSuffix(" MB")
        self.memory.setToolTip("How much prepared data may be in memory; auto: a quarter of what is free")
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip("The same seed, data and plan give the same training")
        self.of_classes = ClassTrainOptions()
        self.plan_button = QPushButton("Plan…")
        self.plan_button.setToolTip("Everything that was decided for the last training; can be changed for the next")
        self.plan_button.clicked.connect(self._show_plan)
        self.plan_note = words(small=True)
        self.plan = PlanEditor(self)
        self.plan.changed.connect(self._describe_plan)
        form = QFormLayout(self)
        form.setContentsMargins(12, 0, 0, 0)
        form.addRow("Care", self.care_choice)
        form.addRow("Images", self.images_choice)
        form.addRow(self.of_classes)
        form.addRow("Device", self.device_choice)
        form.addRow("Precision", self.precision_choice)
        form.addRow("Memory", self.memory)
        form.addRow("Seed", self.seed)
        form.addRow(self.plan_button, self.plan_note)
        self.of_classes.hide()
        self._describe_plan()

    @property
    def parameters(self) -> dict[str, Any]:
        """What they are called in :func:`napari_resmed.jobs.train.train`."""
        return {
            "care": self.care_choice.currentData(),
            "device": self.device_choice.currentText(),
            "precision": self.precision_choice.currentText(),
            "memory_mb": float(self.memory.value()) or None,
            "seed": self.seed.value(),
            "synthetic": None if self._classify else self.images_choice.currentData(),
            **(self.of_classes.parameters if self._classify else {}),
            "plan": dict(self.plan.changes) or None,
        }

    def set_task(self, task: str) -> None:
        """Ask what a training for this task (``"segment"`` or ``"classify"``) has to know."""
        self._classify = task == "classify"
        self.images_choice.setEnabled(not self._classify)  # of classes nothing can be painted
        self.of_classes.setVisible(self._classify)
        self.plan.reset()  # that of a classifier has other entries
        self.show_plan({})

    def show_plan(self, plan: dict[str, Any]) -> None:
        """The plan of the training that just began."""
        self.plan.show_plan(plan)
        self._describe_plan()

    def _show_plan(self) -> None:
        self.plan.show()
        self.plan.raise_()
        self.plan.activateWindow()

    def _describe_plan(self) -> None:
        self.plan_button.setEnabled(self.plan.has_plan)
        if self.plan.changes:
            self.plan_note.setText(f"changed for the next: {', '.join(self.plan.changes)}")
        else:
            self.plan_note.setText("of the last training" if self.plan.has_plan else "is made when training begins")
