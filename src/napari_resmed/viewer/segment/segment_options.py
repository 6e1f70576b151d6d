"""The choices of a segmentation that most people leave alone."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QWidget

__all__ = ["SegmentOptions"]

# Below any overlap: the box then shows words.
_THE_MODELS = -0.1


class SegmentOptions(QWidget):
    """Device, precision, overlap, mirrored passes, uncertainty."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.device_choice = QComboBox()
        self.device_choice.addItems(["auto", "cpu", "cuda", "mps"])
        self.precision_choice = QComboBox()
        self.precision_choice.addItems(["auto", "fp32", "bf16", "fp16"])
        self.overlap = QDoubleSpinBox()
        self.overlap.setRange(_THE_MODELS, 0.9)
        self.overlap.setSingleStep(0.1)
        self.overlap.setSpecialValueText("the model's")
        self.overlap.setValue(_THE_MODELS)
        self.overlap.setToolTip("Share of a window that its neighbour repeats; less is faster, more is smoother")
        self.mirrored = QCheckBox("Average mirrored passes")
        self.uncertainty = QCheckBox("Also show where the model is unsure")
        self.kind_choice = QComboBox()
        self.kind_choice.addItems(["entropy", "variance"])
        self.kind_choice.setToolTip(
            "Entropy of the class probabilities; or their variance between mirrored passes, or between the networks of "
            "a model that has several"
        )
        self.kind_choice.setEnabled(False)
        self.uncertainty.toggled.connect(self.kind_choice.setEnabled)
        form = QFormLayout(self)
        form.setContentsMargins(12, 0, 0, 0)
        form.addRow("Device", self.device_choice)
        form.addRow("Precision", self.precision_choice)
        form.addRow("Overlap", self.overlap)
        form.addRow(self.mirrored)
        form.addRow(self.uncertainty)
        form.addRow("as", self.kind_choice)

    @property
    def parameters(self) -> dict[str, Any]:
        """What they are called in :func:`napari_resmed.jobs.segment.segment`."""
        return {
            "device": self.device_choice.currentText(),
            "precision": self.precision_choice.currentText(),
            "overlap": round(self.overlap.value(), 2) if self.overlap.value() >= 0 else None,
            "tta": self.mirrored.isChecked(),
            "uncertainty": self.uncertainty.isChecked(),
            "uncertainty_kind": self.kind_choice.currentText(),
        }
