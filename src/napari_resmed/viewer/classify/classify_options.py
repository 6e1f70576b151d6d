"""The choices of a classification that most people leave alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSizePolicy, QWidget

__all__ = ["ClassifyOptions"]

# As the job calls them, and what to say of each.
_METHODS = (
    ("layer-cam", "LayerCAM", "Quick: by several layers of the network together, which points most closely"),
    ("grad-cam", "Grad-CAM", "Quick: by the gradients of the answer in a layer of the network"),
    ("grad-cam++", "Grad-CAM++", "Quick; several separate places count fully"),
    ("occlusion", "occlusion (slow)", "Covers part after part of the image and sees how much less sure the answer is"),
    ("", "none", "Only the probabilities"),
)
# Those that look at a layer of the network.
_BY_LAYER = ("layer-cam", "grad-cam", "grad-cam++")


class ClassifyOptions(QWidget):
    """How and at which layer it is explained, mirrored passes, device, precision."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.method_choice = QComboBox()
        for method, said, tip in _METHODS:
            self.method_choice.addItem(said, method)
            self.method_choice.setItemData(self.method_choice.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.method_choice.setToolTip("How it is found out which places speak for a class")
        self.layer_choice = QComboBox()
        self.layer_choice.setToolTip("Early layers show fine detail, late ones what the answer is made from")
        for choice in (self.method_choice, self.layer_choice):
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.folder_maps = QCheckBox("Write heat maps of a folder's images, too")
        self.mirrored = QCheckBox("Average mirrored passes")
        self.mirrored.setToolTip("Along the axes that the model was trained to see mirrored; most see none")
        self.device_choice = QComboBox()
        self.device_choice.addItems(["auto", "cpu", "cuda", "mps"])
        self.precision_choice = QComboBox()
        self.precision_choice.addItems(["auto", "fp32", "bf16", "fp16"])
        form = QFormLayout(self)
        form.setContentsMargins(12, 0, 0, 0)
        form.addRow("Explain by", self.method_choice)
        form.addRow("at the layer", self.layer_choice)
        form.addRow(self.folder_maps)
        form.addRow(self.mirrored)
        form.addRow("Device", self.device_choice)
        form.addRow("Precision", self.precision_choice)
        self.method_choice.currentIndexChanged.connect(self._on_method)
        self._last = ""
        self.show_layers(())

    def show_layers(self, layers: Sequence[Mapping[str, Any]]) -> None:
        """Offer layers, each with ``name, size``; the last one stands first. The chosen one stays, if it is there."""
        chosen = self.layer_choice.currentData()
        self._last = "×".join(str(edge) for edge in layers[0]["size"]) if layers else ""
        self.layer_choice.clear()
        self.layer_choice.addItem("", "")
        for layer in layers:
            if layer["name"]:
                size = "×".join(str(edge) for edge in layer["size"])
                self.layer_choice.addItem(f"{layer['name']} ({size})", layer["name"])
        self.layer_choice.setCurrentIndex(max(0, self.layer_choice.findData(chosen)))
        self._on_method()

    def _on_method(self) -> None:
        method = self.method_choice.currentData()
        self.layer_choice.setEnabled(method in _BY_LAYER)
        last = f"the last ({self._last})" if self._last else "the last"
        self.layer_choice.setItemText(0, "several together" if method == _METHODS[0][0] else last)

    @property
    def method_name(self) -> str:
        """What the method is called."""
        return str(self.method_choice.currentText().removesuffix(" (slow)"))

    @property
    def parameters(self) -> dict[str, Any]:
        """What they are called in :func:`napari_resmed.jobs.classify.classify`."""
        method = self.method_choice.currentData()
        return {
            "device": self.device_choice.currentText(),
            "precision": self.precision_choice.currentText(),
            "tta": self.mirrored.isChecked() and self.mirrored.isEnabled(),
            "explain": bool(method),
            "method": method or _METHODS[0][0],
            "layer": self.layer_choice.currentData() if self.layer_choice.isEnabled() else "",
        }
