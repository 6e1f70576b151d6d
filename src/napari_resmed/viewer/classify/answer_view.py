"""One answer: the class, whether the image looks as usual, all probabilities, and what counted most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_resmed.io.tables import significant, write_table
from napari_resmed.models.model import Model
from napari_resmed.viewer.classify.class_table import ClassTable, percent
from napari_resmed.viewer.classify.heat_layer import go_to, strongest_in_layer
from napari_resmed.viewer.classify.in_words import calibration, counted
from napari_resmed.viewer.classify.quality_badge import QualityBadge
from napari_resmed.viewer.parts.ask_and_save import ask_and_save
from napari_resmed.viewer.parts.words import words

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

__all__ = ["AnswerView"]


# How much more than the mean slice one must hold to be told of: late layers see thin volumes as one.
STANDS_OUT = 1.02


class AnswerView(QWidget):
    """Shows the last answer; all answers of one model can be saved together.

    Signals
    -------
    explanation_wanted(str)
        The person wants to see where the image speaks for this class.
    """

    explanation_wanted = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None
        self._slices: dict[int, tuple[int, float]] = {}
        self._rows: dict[tuple[str, ...], dict[str, Any]] = {}  # by the layers that were answered
        self._model: Model | None = None
        self._chosen = ""
        self.headline = words(selectable=True)
        self.badge = QualityBadge()
        self.table = ClassTable()
        self.table.class_chosen.connect(self._on_class)
        self.counted = words()
        self.slice_line = words()
        self.slice_button = QPushButton("&Go there")
        self.slice_button.setToolTip("Move the slider to the slice that counted most")
        self.slice_button.clicked.connect(self.go_to_strongest)
        self.why_button = QPushButton("&Why…")
        self.why_button.clicked.connect(self._ask_why)
        self.save_button = QPushButton("Save answers…")
        self.save_button.setToolTip("Save all answers of this model since the dock was opened, as a CSV file")
        self.save_button.clicked.connect(self._ask_and_save)
        line = QHBoxLayout()
        line.addWidget(self.slice_line, 1)
        line.addWidget(self.slice_button)
        buttons = QHBoxLayout()
        buttons.addWidget(self.why_button, 1)
        buttons.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.headline, self.badge, self.table, self.counted):
            layout.addWidget(part)
        layout.addLayout(line)
        layout.addLayout(buttons)
        self._listening: tuple[Any, ...] = (viewer.dims.events.order, viewer.dims.events.ndisplay)
        for emitter in self._listening:
            emitter.connect(self._show_slice)

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for emitter in self._listening:
            emitter.disconnect(self._show_slice)
        self._listening = ()

    def show_answer(
        self, said: Mapping[str, Any], heat: Image | None, model: Model, layers: Sequence[Layer | None]
    ) -> None:
        """An answer of the job ``classify``, the layer of its heat map where there is one, and what was answered.

        An answer to the same layers takes the place of the former one; a model that was trained anew is another one.
        """
        if model != self._model:
            self._model, self._rows = model, {}
        shares = said["probabilities"]
        self._rows[tuple("" if layer is None else str(layer.unique_id) for layer in layers)] = {
            "path": said["path"],
            "predicted": said["predicted"],
            **{f"p_{name}": significant(share) for name, share in shares.items()},
            "quality": said["quality"],
        }
        self.headline.setText(
            f"{escape(said['path'])}: <span style='font-size: large'><b>{escape(said['predicted'])}</b></span>, "
            f"{escape(percent(shares[said['predicted']]))}"
        )
        self.badge.show_quality(said["quality"])
        self.table.show_probabilities(shares)
        self.table.setToolTip(calibration(model))
        self.counted.setText(escape(counted(said["counted"], model.channels)))
        self.counted.setVisible(bool(self.counted.text()))
        self._layer = heat
        self._slices = {} if heat is None else strongest_in_layer(heat, said["strongest"])
        self._on_class(said["explained"] or said["predicted"])
        self._show_slice()

    def go_to_strongest(self) -> None:
        """Move the sliders to what counted most."""
        if self._layer is not None and self._layer in self._viewer.layers:
            go_to(self._viewer, self._layer, self._slices)

    def save(self, path: Path) -> None:
        """Write all answers as CSV: ``path, predicted, p_<class>..., quality``.

        Raises
        ------
        ResMedError
            If it cannot be written there.
        """
        write_table(list(self._rows.values()), path)

    @property
    def strongest(self) -> tuple[int, int] | None:
        """Axis of the heat's layer that has a slider now, and the slice on it that counted most; None for a picture."""
        if self._layer is None or self._layer.ndim == 2:
            return None
        lead = self._viewer.dims.ndim - self._layer.ndim
        hidden = [axis - lead for axis in self._viewer.dims.not_displayed if axis >= lead]
        axis = next(
            (axis for axis in hidden or (0,) if axis in self._slices and self._layer.data.shape[axis] > 1), None
        )
        return None if axis is None else (axis, self._slices[axis][0])

    def _show_slice(self, event: Any = None) -> None:
        found = self.strongest
        layer = self._layer
        told, stands_out = "", False
        if layer is not None and not self._slices:
            told = f"No place speaks for {escape(self._chosen)} at this layer."
        elif layer is not None and found is not None:
            axis, index = found
            count, share = layer.data.shape[axis], self._slices[axis][1]
            what = "frame" if layer.ndim == 4 and axis == 0 else "slice"
            stands_out = share * count > STANDS_OUT
            told = f"No {what} stands out at this layer."
            if stands_out:
                told = f"{what.capitalize()} {index + 1} of {count} counted most: {share * count:.1f} times the mean"
        self.slice_line.setText(told)
        self.slice_line.setVisible(bool(told))
        self.slice_button.setVisible(stands_out)

    def _on_class(self, name: str) -> None:
        self._chosen = name
        self.why_button.setText(f"&Why {name}?" if len(name) < 20 else "&Why that class?")
        self.why_button.setToolTip(f"Show where the image speaks for {name}, by the method under More")

    def _ask_why(self) -> None:
        self.explanation_wanted.emit(self._chosen)

    def _ask_and_save(self) -> None:
        ask_and_save(self, "Save the answers", "answers.csv", self.save)
