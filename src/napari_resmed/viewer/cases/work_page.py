"""What the Cases dock shows of a project: how far it is, its cases, and what can be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from napari.utils.notifications import show_warning
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.io.project import Project, ProjectCase, State
from napari_resmed.models.catalogue import list_models
from napari_resmed.viewer.cases.cases_list import CasesList
from napari_resmed.viewer.cases.state_marks import mark_icon
from napari_resmed.viewer.parts.fold import Fold
from napari_resmed.viewer.parts.label_table import LabelTable
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.palette import Palette
from napari_resmed.viewer.parts.picture_row import THUMBNAIL
from napari_resmed.viewer.parts.words import words

__all__ = ["WorkPage"]

# napari draws a tool button alike whether it is pressed or not.
_COUNT_STYLE = (
    "QToolButton { border: 1px solid transparent; border-radius: 3px; padding: 2px }"
    "QToolButton:checked { border-color: gray; font-weight: bold }"
)


class WorkPage(QWidget):
    """The list of cases and the buttons around it.

    Parameters
    ----------
    palette:
        Gives the window's colours.

    Signals
    -------
    other_wanted(), next_wanted(), accept_wanted(), predict_wanted(), train_wanted(), more_wanted()
        A button was pressed: another project, the next case, accept or take back, predict the rest, train, add images.
    whole_wanted()
        All of the open case is painted, not some slices alone.
    filtered()
        Cases of another state are to be shown; see ``only``.
    """

    other_wanted = Signal()
    next_wanted = Signal()
    accept_wanted = Signal()
    predict_wanted = Signal()
    train_wanted = Signal()
    more_wanted = Signal()
    whole_wanted = Signal()
    filtered = Signal()

    def __init__(self, palette: Callable[[], Palette], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.only: State | None = None
        self._may_predict = False  # whether a case is left to predict, and nothing is under way
        self.list = CasesList(palette)
        self.list.setMinimumHeight(3 * (THUMBNAIL + 10))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._build_head())
        layout.addLayout(self._build_counts())
        layout.addWidget(self.list, 1)
        layout.addWidget(self._build_partly())
        layout.addLayout(self._build_go_on())
        layout.addLayout(self._build_predict())
        layout.addWidget(self._build_train())
        layout.addWidget(self._build_fold())
        self._fill_models()
        models_changed().happened.connect(self._fill_models)

    def _build_head(self) -> QHBoxLayout:
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setStyleSheet("font-weight: bold")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        other = QPushButton("Other…")
        other.setToolTip("Open another project, or make one of another folder of images")
        other.clicked.connect(self.other_wanted)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(other)
        return head

    def _build_counts(self) -> QGridLayout:
        counts = QGridLayout()
        counts.setSpacing(4)
        self.count_buttons: dict[State, QToolButton] = {}
        for place, state in enumerate(State):
            button = QToolButton()
            button.setIcon(mark_icon(state))
            button.setIconSize(QSize(14, 14))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setCheckable(True)
            button.setStyleSheet(_COUNT_STYLE)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setToolTip(f"Show only cases that are {state}; click again for all")
            button.clicked.connect(partial(self._filter, state))
            counts.addWidget(button, place // 2, place % 2)
            self.count_buttons[state] = button
        return counts

    def _build_partly(self) -> QWidget:
        """What is said of a case that is painted on some slices only."""
        self.partly = QWidget()
        self.partly_words = words(small=True)
        self.whole_button = QPushButton("&Whole case")
        self.whole_button.setToolTip("All of the case is painted: what is unpainted is background, on every slice")
        self.whole_button.clicked.connect(self.whole_wanted)
        row = QHBoxLayout(self.partly)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.partly_words, 1)
        row.addWidget(self.whole_button)
        return self.partly

    def _build_go_on(self) -> QHBoxLayout:
        self.next_button = QPushButton("&Next case")
        self.next_button.setDefault(True)
        self.next_button.setMinimumHeight(32)
        self.next_button.setToolTip(
            "Save, and open the case that the model was least sure of, or one not started (N in this dock, Alt+N)"
        )
        self.next_button.clicked.connect(self.next_wanted)
        self.accept_button = QPushButton("&Accept")
        self.accept_button.setMinimumHeight(32)
        self.accept_button.clicked.connect(self.accept_wanted)
        go_on = QHBoxLayout()
        go_on.addWidget(self.accept_button, 1)
        go_on.addWidget(self.next_button, 2)
        return go_on

    def add_keys(self, dock: QWidget) -> None:
        """N and A anywhere in the dock."""
        for key, signal in (("N", self.next_wanted), ("A", self.accept_wanted)):
            shortcut = QShortcut(QKeySequence(key), dock)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(signal)

    def _build_predict(self) -> QHBoxLayout:
        self.model_choice = QComboBox()
        self.model_choice.setToolTip("The model that predicts")
        self.model_choice.setAccessibleName("Model")
        self.model_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.predict_button = QPushButton("&Predict the rest")
        self.predict_button.setToolTip("Segment every case that is not started, in the background")
        self.predict_button.clicked.connect(self.predict_wanted)
        predict = QHBoxLayout()
        predict.addWidget(self.model_choice, 1)
        predict.addWidget(self.predict_button, 1)
        return predict

    def _build_train(self) -> QPushButton:
        self.train_button = QPushButton("&Train on accepted")
        self.train_button.clicked.connect(self.train_wanted)
        return self.train_button

    def _build_fold(self) -> QWidget:
        """What is needed now and then."""
        self.labels = LabelTable(may_grow=True)
        self.add_button = QPushButton("Add images…")
        self.add_button.setToolTip("Bring another folder of images into this project")
        self.add_button.clicked.connect(self.more_wanted)
        box = QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.labels)
        layout.addWidget(self.add_button)
        self.fold = Fold("Labels and more", box)
        return self.fold

    def _fill_models(self) -> None:
        """The list of models, read anew; the chosen one stays."""
        chosen = self.model_choice.currentText()
        models, problems = list_models("segmentation")
        self.model_choice.clear()
        for model in models:
            self.model_choice.addItem(model.name, model)
            self.model_choice.setItemData(self.model_choice.count() - 1, model.description, Qt.ItemDataRole.ToolTipRole)
        self.model_choice.setCurrentIndex(max(0, self.model_choice.findText(chosen)))
        for problem in problems:
            show_warning(f"A model was left out: {problem}")
        self._show_predict()

    def _show_predict(self) -> None:
        self.predict_button.setEnabled(self._may_predict and self.model_choice.count() > 0)

    def begin(self, project: Project) -> None:
        """Show another project; its cases are yet to come."""
        self.only = None
        self.list.clear()
        for button in self.count_buttons.values():
            button.setChecked(False)
        self.title.setText(project.folder.name)
        self.title.setToolTip(str(project.folder))

    def show_cases(self, cases: Sequence[ProjectCase], open_name: str, unsaved: bool, busy: bool) -> None:
        """Show cases, which of them is open, and what can be done now."""
        self.list.show_cases(cases, self.only)
        self.list.show_open(open_name, unsaved)
        state = next((case.state for case in cases if case.name == open_name), State.NOT_STARTED)
        accepted = state is State.ACCEPTED
        self.accept_button.setEnabled(bool(open_name))
        self.accept_button.setText("Take &back" if accepted else "&Accept")
        self.accept_button.setToolTip(
            "Take the case out of those that are trained on"
            if accepted
            else "These labels are right: train on them, and go on to the next case (A in this dock, Alt+A)"
        )
        counts = {state: sum(one.state is state for one in cases) for state in State}
        for one, button in self.count_buttons.items():
            button.setText(f"{counts[one]} {one}")
        self.train_button.setText(f"&Train on accepted ({counts[State.ACCEPTED]})")
        self.train_button.setEnabled(counts[State.ACCEPTED] > 0)
        self.train_button.setToolTip(
            "Open the Train dock with the accepted cases"
            if counts[State.ACCEPTED]
            else "Accept a case first: only accepted ones are trained on"
        )
        self._may_predict = counts[State.NOT_STARTED] > 0 and not busy
        self._show_predict()
        self.next_button.setEnabled(bool(cases))

    def show_complete(self, slices: int) -> None:
        """Show how many slices of the open case are marked as complete."""
        self.partly.setVisible(slices > 0)
        are = f"{slices} slices are" if slices > 1 else "1 slice is"
        self.partly_words.setText(f"{are} complete. Elsewhere, what is unpainted is unknown, not background.")

    def _filter(self, state: State, checked: bool) -> None:
        self.only = state if checked else None
        for other, button in self.count_buttons.items():
            button.setChecked(checked and other is state)
        self.filtered.emit()
