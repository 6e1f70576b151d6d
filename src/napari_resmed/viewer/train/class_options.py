"""What only the training of a classifier asks: a search before it, and which part is held out."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QWidget

__all__ = ["ClassTrainOptions"]

# Parts that are held out in turn, as is usual.
FOLDS = 5


class ClassTrainOptions(QWidget):
    """Minutes of a search, and the fold."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = QDoubleSpinBox()
        self.search.setRange(0, 100_000)
        self.search.setDecimals(1)
        self.search.setSpecialValueText("none")
        self.search.setSuffix(" min")
        self.search.setToolTip(
            "Look for better hyper-parameters first, in short trainings on a part of what is learnt from; beside the "
            "time above. Needs Optuna: pip install “napari-resmed[search]”"
        )
        self.fold_choice = QComboBox()
        self.fold_choice.addItem("a share, by lot", None)
        for part in range(FOLDS):
            self.fold_choice.addItem(f"part {part + 1} of {FOLDS}", part)
        self.fold_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.fold_choice.setToolTip(
            "What the model is judged by, never a patient on both sides. Five trainings, each with another part, hold "
            "every patient out once"
        )
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Search", self.search)
        form.addRow("Held out", self.fold_choice)

    @property
    def parameters(self) -> dict[str, Any]:
        """What they are called in :func:`napari_resmed.jobs.train.train`."""
        part = self.fold_choice.currentData()
        return {"search": self.search.value() or None, "fold": None if part is None else (int(part), FOLDS)}
