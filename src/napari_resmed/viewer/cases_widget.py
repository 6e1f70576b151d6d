"""The Cases dock: a folder of images is annotated case by case."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error, show_info, show_warning
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.errors import InputError
from napari_resmed.io.project import (
    NO_LABELS,
    Project,
    ProjectCase,
    State,
    Written,
    accept,
    add_images,
    create_project,
    find_project_of,
    is_project,
    list_cases,
    open_project,
    read_index,
    read_label_set,
    reopen,
    suggest_folder,
    suggest_next,
    write_label_set,
)
from napari_resmed.io.project.sources import find_sources
from napari_resmed.labels import LabelSet
from napari_resmed.models.catalogue import list_models
from napari_resmed.models.model import Model
from napari_resmed.viewer.background import Background
from napari_resmed.viewer.cases_list import THUMBNAIL, CasesList, Palette
from napari_resmed.viewer.label_names import LabelNames
from napari_resmed.viewer.layers import warm_labels
from napari_resmed.viewer.new_project import NewProject
from napari_resmed.viewer.open_case import LoadedCase, OpenCase, label_look, load_case, save_case
from napari_resmed.viewer.predict_rest import PredictRest
from napari_resmed.viewer.state_marks import mark_icon
from napari_resmed.viewer.thumbnails import case_thumbnail

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["CasesWidget"]

_log = logging.getLogger(__name__)

# What may be lost when the power fails.
AUTOSAVE_MS = 60_000
# How soon another window's work is seen in the list.
LOOK_MS = 2_000
# Thumbnails are made at twice their size: sharp on dense screens.
PICTURE = 2 * THUMBNAIL
# napari draws a tool button alike whether it is pressed or not.
_COUNT_STYLE = (
    "QToolButton { border: 1px solid transparent; border-radius: 3px; padding: 2px }"
    "QToolButton:checked { border-color: gray; font-weight: bold }"
)


class CasesWidget(QWidget):
    """Annotate the cases of a project.

    Parameters
    ----------
    napari_viewer:
        The viewer in which cases are shown.

    Signals
    -------
    train_requested(str)
        A person wants to train on the accepted cases of the project in this folder.
    opened(str)
        The layers of a case are there.
    """

    train_requested = Signal(str)
    opened = Signal(str)

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.project: Project | None = None
        self.cases: tuple[ProjectCase, ...] = ()
        # What is open, and what a closed window still has to save and stop: a list of its own, since by then this
        # widget is gone.
        self._open: list[OpenCase] = []
        self._seen: set[str] = set()
        self._wish = ""  # the case that is being opened
        self._steps: Iterator[None] | None = None  # what is left of showing it
        self._news = ""  # what to say once it is shown
        self._empty_accepted = ""  # a case without any label that was to be accepted once already
        self._only: State | None = None
        self._looking = False
        self._files = Background(self)
        self._files.failed.connect(self._complain)
        self._pictures = Background(self, must_finish=False)
        self._pictures.failed.connect(lambda text: _log.debug("no thumbnail: %s", text))
        self._predict = PredictRest(self._files, self)
        self._predict.progressed.connect(self._on_predict_progress)
        self._predict.predicted.connect(self._on_predicted)
        self._predict.ended.connect(self._on_predict_ended)
        self._build()
        self._fill_models()
        self._autosave = QTimer(self)
        self._autosave.timeout.connect(self.save)
        self._autosave.start(AUTOSAVE_MS)
        self._look_timer = QTimer(self)
        self._look_timer.timeout.connect(self.refresh)
        self._look_timer.start(LOOK_MS)
        napari_viewer.layers.events.removed.connect(self._on_removed)
        self._listening = True
        self.destroyed.connect(partial(_at_the_end, self._open, self._predict.jobs, self._files.finish))
        self.destroyed.connect(partial(_stop, self._pictures.finish))
        Thread(target=warm_labels, name="resmed-warm-colours", daemon=True).start()

    # What is seen ------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setAcceptDrops(True)
        self.pages = QStackedWidget()
        self.new_project = NewProject()
        self.new_project.wanted.connect(self.make_project)
        self.new_project.dismissed.connect(self._show_page)
        for page in (self._welcome(), _at_top(self.new_project), self._work()):
            self.pages.addWidget(page)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.cancel_button = QPushButton("&Cancel")
        self.cancel_button.setToolTip("Stop predicting; what is predicted stays")
        self.cancel_button.clicked.connect(self._predict.cancel)
        running = QHBoxLayout()
        running.addWidget(self.progress, 1)
        running.addWidget(self.cancel_button)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.addWidget(self.pages, 1)
        layout.addLayout(running)
        layout.addWidget(self.status)
        self._show_running(False)

    def _welcome(self) -> QWidget:
        """Before there is a project."""
        text = QLabel(
            "<p style='font-size: large'><b>Annotate a folder of images</b></p>"
            "<p>Choose a folder, or drop one here: images, a project, or raw data of nnU-Net.</p>"
        )
        text.setWordWrap(True)
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.choose_button = QPushButton("&Choose folder…")
        self.choose_button.setMinimumHeight(32)
        self.choose_button.setDefault(True)
        self.choose_button.clicked.connect(self.choose)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addStretch()
        layout.addWidget(text)
        layout.addSpacing(8)
        layout.addWidget(self.choose_button)
        layout.addStretch()
        return page

    def _work(self) -> QWidget:
        """With a project."""
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setStyleSheet("font-weight: bold")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        other = QPushButton("Other…")
        other.setToolTip("Open another project, or make one of another folder of images")
        other.clicked.connect(self.choose)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(other)

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

        self.list = CasesList(self._palette)
        self.list.case_chosen.connect(self.open_case)
        self.list.picture_wanted.connect(self._make_picture)
        self.list.setMinimumHeight(3 * (THUMBNAIL + 10))

        self.next_button = QPushButton("&Next case")
        self.next_button.setDefault(True)
        self.next_button.setMinimumHeight(32)
        self.next_button.setToolTip(
            "Save, and open the case that the model was least sure of, or one not started (N in this dock, Alt+N)"
        )
        self.next_button.clicked.connect(self.next_case)
        self.accept_button = QPushButton("&Accept")
        self.accept_button.setMinimumHeight(32)
        self.accept_button.clicked.connect(self.accept)
        for key, slot in (("N", self.next_case), ("A", self.accept)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        go_on = QHBoxLayout()
        go_on.addWidget(self.accept_button, 1)
        go_on.addWidget(self.next_button, 2)

        self.model_choice = QComboBox()
        self.model_choice.setToolTip("The model that predicts")
        self.model_choice.setAccessibleName("Model")
        self.model_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.predict_button = QPushButton("&Predict the rest")
        self.predict_button.setToolTip("Segment every case that is not started, in the background")
        self.predict_button.clicked.connect(self.predict_rest)
        predict = QHBoxLayout()
        predict.addWidget(self.model_choice, 1)
        predict.addWidget(self.predict_button, 1)
        self.train_button = QPushButton("&Train on accepted")
        self.train_button.clicked.connect(self.train)

        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(head)
        layout.addLayout(counts)
        layout.addWidget(self.list, 1)
        layout.addLayout(go_on)
        layout.addLayout(predict)
        layout.addWidget(self.train_button)
        layout.addWidget(self._folded())
        return page

    def _folded(self) -> QWidget:
        """What is needed now and then."""
        self.label_names = LabelNames()
        self.label_names.label_chosen.connect(self._select_label)
        self.label_names.changed.connect(self._rename_labels)
        add = QPushButton("Add images…")
        add.setToolTip("Bring another folder of images into this project")
        add.clicked.connect(self._choose_more)
        box = QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label_names)
        layout.addWidget(add)
        box.hide()
        self.fold = QToolButton()
        self.fold.setText("Labels and more")
        self.fold.setCheckable(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.setArrowType(Qt.ArrowType.RightArrow)

        def turn(opened: bool) -> None:
            box.setVisible(opened)
            self.fold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)

        self.fold.toggled.connect(turn)
        whole = QWidget()
        outer = QVBoxLayout(whole)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.fold)
        outer.addWidget(box)
        return whole

    def _palette(self) -> Palette:
        theme = get_theme(self._viewer.theme)
        text, dim, hovered, opened, accent = (
            QColor(value.as_hex()) for value in (theme.text, theme.text, theme.foreground, theme.primary, theme.current)
        )
        dim.setAlpha(180)
        return text, dim, hovered, opened, accent

    def _show_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        self.cancel_button.setVisible(running and self._predict.is_running)
        self._show_buttons()

    def _show_page(self) -> None:
        self.pages.setCurrentIndex(0 if self.project is None else 2)
        self._show_buttons()

    def _show_buttons(self) -> None:
        if not hasattr(self, "train_button"):
            return
        case = self.open_case_now
        state = self._state_of(case.name) if case else State.NOT_STARTED
        self.accept_button.setEnabled(case is not None)
        accepted = state is State.ACCEPTED
        self.accept_button.setText("Take &back" if accepted else "&Accept")
        self.accept_button.setToolTip(
            "Take the case out of those that are trained on"
            if accepted
            else "These labels are right: train on them, and go on to the next case (A in this dock, Alt+A)"
        )
        counts = {state: sum(one.state is state for one in self._shown_cases()) for state in State}
        for one, button in self.count_buttons.items():
            button.setText(f"{counts[one]} {one}")
        self.train_button.setText(f"&Train on accepted ({counts[State.ACCEPTED]})")
        self.train_button.setEnabled(counts[State.ACCEPTED] > 0)
        self.train_button.setToolTip(
            "Open the Train dock with the accepted cases"
            if counts[State.ACCEPTED]
            else "Accept a case first: only accepted ones are trained on"
        )
        self.predict_button.setEnabled(
            counts[State.NOT_STARTED] > 0 and self.model_choice.count() > 0 and not self._predict.is_running
        )
        self.next_button.setEnabled(bool(self.cases))

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._close()
        return super().event(event)

    def _close(self) -> None:
        if not self._listening:
            return
        self._listening = False
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._autosave.stop()
        self._look_timer.stop()
        self._predict.cancel()
        self._steps = None
        case = self.open_case_now
        if case is not None:
            self.save()
            self._let_go(case)
            show_info(f"Cases was closed: what you paint on {case.name} from now on is not saved to the project.")
        self._files.close()
        self._pictures.forget()
        self._pictures.close()

    # A project ---------------------------------------------------------------------------------------------

    def choose(self) -> None:
        """Ask for a folder: a project, raw data of nnU-Net, or images."""
        start = str(self.project.folder.parent) if self.project else ""
        chosen = QFileDialog.getExistingDirectory(self, "A folder of images, or a project", start)
        if chosen:
            self.open_folder(Path(chosen))

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802
        """Take folders that are dragged over the dock."""
        if _dropped_folder(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802
        """Open a folder that is dropped on the dock."""
        folder = _dropped_folder(event)
        if folder is not None:
            event.acceptProposedAction()
            self.open_folder(folder)

    def open_folder(self, folder: Path) -> None:
        """Open a project, or offer to make one of a folder of images."""
        self.save()
        self._say(f"Looking into {folder.name}…")
        self._files.run(partial(_look_into, folder), partial(self._on_looked, folder))

    def _on_looked(self, folder: Path, found: Project | tuple[int, Path]) -> None:
        if isinstance(found, Project):
            self._take(found)
            return
        number, place = found
        self.new_project.ask(folder, number, place)
        self.pages.setCurrentIndex(1)
        self._say("")

    def make_project(self, images: Path, place: Path) -> None:
        """Make a project of a folder of images and open it."""
        self.new_project.create_button.setEnabled(False)
        self.progress.setValue(0)
        self._show_running(True)
        self._files.run(
            partial(self._run_through, create_project(images, place)), self._on_created, self._on_create_failed
        )

    def _run_through(self, steps: Any) -> Any:
        """Run a generator of progress to its end, on the thread it is called on."""
        tell = self._files.tell
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            tell(partial(self._on_step, step.what, step.done))

    def _on_step(self, what: str, done: float) -> None:
        self.progress.setValue(round(1000 * done))
        self._say(what)

    def _on_created(self, project: Project) -> None:
        self.new_project.create_button.setEnabled(True)
        self._show_running(False)
        self._take(project)
        self._files.run(partial(read_index, project.folder), lambda index: self._tell_left_out(index.left_out))

    def _on_create_failed(self, message: str) -> None:
        self.new_project.create_button.setEnabled(True)
        self._show_running(False)
        self._complain(message)

    def _take(self, project: Project) -> None:
        """Show another project."""
        self._predict.cancel()
        self.save()
        self._close_case()
        self._wish = ""
        self.project, self.cases, self._only = project, (), None
        self._seen.clear()
        self._pictures.forget()
        self.list.clear()
        for button in self.count_buttons.values():
            button.setChecked(False)
        self.title.setText(project.folder.name)
        self.title.setToolTip(str(project.folder))
        self._say("")
        self._show_page()
        self.refresh(welcome=True)

    def _choose_more(self) -> None:
        if self.project is None:
            return
        chosen = QFileDialog.getExistingDirectory(self, "A folder of more images", str(self.project.folder.parent))
        if chosen:
            self.add_images(Path(chosen))

    def add_images(self, images: Path) -> None:
        """Bring more images into the project."""
        if self.project is not None:
            self._files.run(partial(self._run_through, add_images(self.project, images)), self._on_added)

    def _on_added(self, left_out: tuple[tuple[str, str], ...]) -> None:
        self._say("The images were added.")
        self._tell_left_out(left_out)
        self.refresh()

    def _tell_left_out(self, left_out: tuple[tuple[str, str], ...]) -> None:
        if left_out:
            name, why = left_out[0]
            others = f", and {len(left_out) - 1} more (listed in resmed.json)" if len(left_out) > 1 else ""
            self._say(f"Left out: {name}: {why}{others}.")

    # The list ----------------------------------------------------------------------------------------------

    def refresh(self, welcome: bool = False) -> None:
        """Read the list anew: another window may have changed it."""
        if self.project is None or self._looking or not self._listening:
            return
        self._looking = True
        project = self.project
        self._files.run(partial(_read_list, project), partial(self._on_list, project, welcome), self._on_list_failed)

    def _on_list_failed(self, message: str) -> None:
        self._looking = False
        self._say(message)  # not as a notification: it would come every two seconds

    def _on_list(self, project: Project, welcome: bool, found: tuple[tuple[ProjectCase, ...], LabelSet]) -> None:
        self._looking = False
        if project is not self.project:
            return
        if welcome and not self.status.text():
            self._say("Press Next case to begin.")
        self._show_list(found)

    def _show_list(self, found: tuple[tuple[ProjectCase, ...], LabelSet]) -> None:
        cases, labels = found
        before = {case.name: case for case in self.cases}
        self.cases = cases
        for case in cases:
            old = before.get(case.name)
            if old is not None and (old.written, old.state) != (case.written, case.state):
                self.list.forget_picture(case.name)
        if labels != self.label_names.labels and not self.label_names.is_editing:
            self.label_names.show_labels(labels)
            self._show_label_look(labels)
        self._show_cases()

    def _shown_cases(self) -> tuple[ProjectCase, ...]:
        """The cases, the open one as it will be once it is saved."""
        case = self.open_case_now
        if case is None or not case.unsaved:
            return self.cases
        return tuple(
            replace(one, state=State.CORRECTED) if one.name == case.name and one.state is not State.ACCEPTED else one
            for one in self.cases
        )

    def _show_cases(self) -> None:
        case = self.open_case_now
        self.list.show_cases(self._shown_cases(), self._only)
        self.list.show_open(case.name if case else "", bool(case and case.unsaved))
        self._show_buttons()

    def _filter(self, state: State, checked: bool) -> None:
        self._only = state if checked else None
        for other, button in self.count_buttons.items():
            button.setChecked(checked and other is state)
        self._show_cases()

    def _make_picture(self, name: str) -> None:
        if self.project is not None:
            self._pictures.run(
                partial(case_thumbnail, self.project, name, PICTURE),
                partial(self._on_picture, self.project, name),
            )

    def _on_picture(self, project: Project, name: str, picture: Any) -> None:
        if project is self.project:
            self.list.show_picture(name, picture)

    def _state_of(self, name: str) -> State:
        return next((case.state for case in self._shown_cases() if case.name == name), State.NOT_STARTED)

    # A case ------------------------------------------------------------------------------------------------

    @property
    def open_case_now(self) -> OpenCase | None:
        """The case whose layers are shown."""
        return self._open[0] if self._open else None

    def next_case(self) -> None:
        """Save, and open the case that is worth most as the project is now, in whichever window that was done."""
        if self.project is None:
            return
        self.save()
        project = self.project
        self._files.run(partial(_read_list, project), partial(self._open_best, project))

    def _open_best(self, project: Project, found: tuple[tuple[ProjectCase, ...], LabelSet]) -> None:
        if project is not self.project:
            return
        self._show_list(found)
        now = self.open_case_now
        name = suggest_next(self._shown_cases(), self._wish or (now.name if now else ""), self._seen)
        if name:
            case = next(one for one in self._shown_cases() if one.name == name)
            if case.state is State.PREDICTED and case.uncertainty is not None:
                self._news += f"Next {name}, of which the model was least sure."
            self.open_case(name)
        elif self.cases:
            self._say(f"{self._news}Every other case is accepted. Train on them, or add images.")
            self._news = ""

    def open_case(self, name: str) -> None:
        """Save what is open, and show another case."""
        now = self.open_case_now
        if self.project is None or name == (self._wish or (now.name if now else "")):
            return
        self._load(self.project, name)

    def _load(self, project: Project, name: str) -> None:
        self.save()
        self._wish = name
        self._say(f"Opening {name}…")
        self._files.run(
            partial(load_case, project, name), partial(self._on_loaded, project), partial(self._on_load_failed, name)
        )

    def _on_load_failed(self, name: str, message: str) -> None:
        self._seen.add(name)  # else Next case would come back to it at once
        if self._wish == name:
            self._wish = self._news = ""
        self._complain(message)

    def _on_loaded(self, project: Project, loaded: LoadedCase) -> None:
        if project is not self.project or self._wish != loaded.name:
            return  # another one was wished for meanwhile
        if self._steps is not None:
            QTimer.singleShot(10, partial(self._on_loaded, project, loaded))
            return
        self._steps = self._show(project, loaded)
        self._step()

    def _step(self) -> None:
        """Show the next bit of a case. napari takes 0.1 s to add or remove a layer, and the window is free between."""
        if self._steps is None:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
        else:
            QTimer.singleShot(0, self._step)

    def _show(self, project: Project, loaded: LoadedCase) -> Iterator[None]:
        """Put a case in the place of the one that is open; yields between two layers."""
        before = self.open_case_now
        brush: dict[str, Any] = {"selected_label": 1}
        images: list[Any] = []
        if before is not None:
            brush = _brush(before.labels)
            self.save()
            self._let_go(before)
            self._remove(before.labels)  # at once with saving: nothing can be painted on it in between
            yield
        again = before is not None and before.name == loaded.name
        if before is not None and again:
            images = before.images
        else:
            for data, attributes, _ in loaded.images:
                images.append(self._viewer.add_image(data, **attributes))
                yield
        data, attributes, _ = loaded.labels
        labels = self._viewer.add_labels(data, **attributes)
        self._follow(OpenCase(project, loaded.name, loaded.token, loaded.digest, loaded.grid, images, labels))
        _take_brush(labels, brush)
        self._viewer.layers.selection.active = labels
        self._viewer.dims.set_point(self._viewer.dims.ndim - 3, loaded.middle_mm)
        yield
        if before is not None and not again:
            for image in before.images:
                self._remove(image)
                yield
        if not again:
            self._viewer.reset_view()  # another patient lies elsewhere
            self._viewer.dims.set_point(self._viewer.dims.ndim - 3, loaded.middle_mm)
        for note in loaded.notes:
            show_warning(note)
        if self._wish == loaded.name:
            self._wish = ""
            self._say(self._news)
            self._news = ""
        self._show_cases()
        self.opened.emit(loaded.name)

    def _follow(self, case: OpenCase) -> None:
        """Notice what is painted on a case."""
        self._open[:] = [case]
        self._seen.add(case.name)
        touch = partial(self._on_touched, case)
        for emitter in (case.labels.events.paint, case.labels.events.labels_update, case.labels.events.data):
            emitter.connect(touch)
            case.listening.append((emitter, touch))

    def _remove(self, layer: Any) -> None:
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _on_touched(self, case: OpenCase, event: Any = None) -> None:
        first = not case.unsaved
        case.touched = case.unsaved = True
        if first:
            self._show_cases()

    def save(self) -> None:
        """Write the labels of the open case, if they were changed; returns at once."""
        case = self.open_case_now
        if case is None or not case.touched:
            return
        # Always compared with what was written, since undoing a stroke tells nobody.
        snapshot = case.snapshot()
        case.unsaved = False
        self._files.run(
            partial(save_case, case, *snapshot), partial(self._on_saved, case), partial(self._on_save_failed, case)
        )

    def _on_saved(self, case: OpenCase, written: Written | None) -> None:
        if written is not None and written.conflict is not None:
            if not case.told_of_conflict:
                case.told_of_conflict = True
                text = (
                    f"{case.name} was changed in another window meanwhile: theirs stays, yours is kept beside it as "
                    f"{written.conflict.parent.name}/{written.conflict.name}."
                )
                self._say(text)
                show_warning(text)
        elif written is not None:
            changes = {"state": written.state}
            self.cases = tuple(replace(one, **changes) if one.name == case.name else one for one in self.cases)  # type: ignore[arg-type]
            self.list.forget_picture(case.name)
        self._show_cases()
        self.refresh()

    def _on_save_failed(self, case: OpenCase, message: str) -> None:
        case.unsaved = True
        self._complain(message)
        self._show_cases()

    def _close_case(self) -> None:
        """Take the open case's layers away."""
        for _ in self._steps or ():
            pass  # what is being shown is shown to the end, so that all of it can be taken away
        self._steps = None
        case = self.open_case_now
        if case is None:
            return
        self._let_go(case)
        for layer in case.layers:
            self._remove(layer)

    def _let_go(self, case: OpenCase) -> None:
        for emitter, callback in case.listening:
            emitter.disconnect(callback)
        case.listening.clear()
        self._open.clear()

    def _on_removed(self, event: Any) -> None:
        case = self.open_case_now
        if case is not None and event.value in case.layers:
            self.save()
            self._let_go(case)
            self._show_cases()

    # Accepting ---------------------------------------------------------------------------------------------

    def accept(self) -> None:
        """Accept the open case and go on; or take an accepted one back."""
        case = self.open_case_now
        if case is None or self._wish:
            return
        if self._state_of(case.name) is State.ACCEPTED:
            self.save()
            self._files.run(lambda: reopen(case.project, case.name, case.token), partial(self._on_moved, case, False))
            return
        if not np.any(case.labels.data) and self._empty_accepted != case.name:
            self._empty_accepted = case.name
            self._say(f"Nothing is painted on {case.name}. If it truly shows none of the structures, accept it again.")
            return
        self.save()
        self._files.run(partial(_accept, case, case.snapshot()), partial(self._on_moved, case, True))

    def _on_moved(self, case: OpenCase, go_on: bool, written: Written) -> None:
        wanted = State.ACCEPTED if go_on else State.CORRECTED
        if written.state is not wanted:
            self._complain(f"{case.name} was changed in another window meanwhile; look at it again.")
            if case is self.open_case_now and not case.unsaved:
                self._load(case.project, case.name)
            return
        self.cases = tuple(replace(one, state=wanted) if one.name == case.name else one for one in self.cases)
        self.list.forget_picture(case.name)
        self._show_cases()
        if go_on:
            self._news = f"Accepted {case.name}. "
            self._say(self._news)
            if case is self.open_case_now:
                self.next_case()
        self.refresh()

    # Predicting and training -------------------------------------------------------------------------------

    def _fill_models(self) -> None:
        models, problems = list_models()
        for model in models:
            self.model_choice.addItem(model.name, model)
            self.model_choice.setItemData(self.model_choice.count() - 1, model.description, Qt.ItemDataRole.ToolTipRole)
        for problem in problems:
            show_warning(f"A model was left out: {problem}")

    def predict_rest(self) -> None:
        """Segment every case that is not started, in the background."""
        model: Model | None = self.model_choice.currentData()
        if self.project is None or model is None or self._predict.is_running:
            return
        names = [case.name for case in self._shown_cases() if case.state is State.NOT_STARTED]
        if not names:
            self._say("Every case has labels already.")
            return
        self.progress.setValue(0)
        self._predict.start(self.project, names, model, self._is_begun)
        self._show_running(True)

    def _is_begun(self, name: str) -> bool:
        """Whether somebody has begun a case since the row was made."""
        return self._state_of(name) is not State.NOT_STARTED

    def _on_predict_progress(self, what: str, done: float) -> None:
        self.progress.setValue(round(1000 * done))
        self._say(what)

    def _on_predicted(self, name: str) -> None:
        self.list.forget_picture(name)
        self.refresh()
        case = self.open_case_now
        if case is not None and case.name == name and not case.touched and case.token == NO_LABELS:
            self._load(case.project, name)

    def _on_predict_ended(self, message: str) -> None:
        self._show_running(False)
        self._say(message)
        self.refresh()

    def train(self) -> None:
        """Open the Train dock with the accepted cases."""
        if self.project is None:
            return
        self.save()
        folder = str(self.project.folder)
        # Behind the save: what is being written is trained on too.
        self._files.run(lambda: None, lambda _: self._open_train(folder))

    def _open_train(self, folder: str) -> None:
        self.train_requested.emit(folder)
        try:
            _, widget = self._viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
            widget.set_data(folder)
        except Exception as problem:  # whatever is wrong with that dock, this one goes on
            _log.debug("no Train dock", exc_info=problem)
            self._say(f"The Train dock could not be opened; `napari-resmed train {folder} -o MODEL` trains as well.")

    # Labels ------------------------------------------------------------------------------------------------

    def _select_label(self, value: int) -> None:
        case = self.open_case_now
        if case is not None:
            self._viewer.layers.selection.active = case.labels
            case.labels.selected_label = value

    def _rename_labels(self, labels: LabelSet) -> None:
        project = self.project
        if project is None:
            return
        self._files.run(
            partial(write_label_set, project, labels),
            lambda _: self._show_label_look(labels),
            self._on_rename_failed,
        )

    def _on_rename_failed(self, message: str) -> None:
        self._complain(message)
        self.label_names.labels = LabelSet()  # so that the next look at the files shows what is there
        self.refresh()

    def _show_label_look(self, labels: LabelSet) -> None:
        case = self.open_case_now
        if case is not None:
            look = label_look(labels)
            case.labels.colormap = look["colormap"]
            case.labels.features = look["features"]
        for one in self.cases:
            self.list.forget_picture(one.name)

    # Messages ----------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.status.setText(text)

    def _complain(self, text: str) -> None:
        self._say(text)
        show_error(text)


def _look_into(folder: Path) -> Project | tuple[int, Path]:
    """The project in or of a folder; else the number of cases it would make, and where."""
    if not folder.is_dir():
        raise InputError(f"{folder.name} is not a folder; expected a folder of images, or a project")
    if is_project(folder):
        return open_project(folder)
    made = find_project_of(folder)
    if made is not None:
        return open_project(made)
    return len(find_sources(folder)), suggest_folder(folder)


def _read_list(project: Project) -> tuple[tuple[ProjectCase, ...], LabelSet]:
    return list_cases(project), read_label_set(project)


def _accept(case: OpenCase, snapshot: tuple[Any, dict[str, Any]]) -> Written:
    """Accept a case as it is seen; one without a label file gets an empty one."""
    if case.token == NO_LABELS:
        case.digest = ""
    written = save_case(case, *snapshot)
    if written is not None and written.conflict is not None:
        return written
    return accept(case.project, case.name, case.token)


def _brush(labels: Any) -> dict[str, Any]:
    """How a person had set the brush; kept from case to case."""
    names = ("brush_size", "selected_label", "n_edit_dimensions", "contiguous", "preserve_labels", "opacity", "contour")
    return {name: getattr(labels, name) for name in names} | {"mode": str(labels.mode)}


def _take_brush(labels: Any, brush: dict[str, Any]) -> None:
    for name, value in brush.items():
        setattr(labels, name, value)


def _dropped_folder(event: Any) -> Path | None:
    urls = event.mimeData().urls() if event.mimeData() is not None else []
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return next((path for path in paths if path.is_dir()), None)


def _at_top(widget: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(widget)
    layout.addStretch()
    return page


def _stop(finish: Any, *_: Any) -> None:
    finish()


def _at_the_end(cases: list[OpenCase], jobs: list[Any], finish: Any, *_: Any) -> None:
    """The window is gone: stop what runs, and write what was not written yet."""
    for job in jobs:
        job.cancel()
    finish()
    for case in cases:
        if case.touched:
            try:
                save_case(case, *case.snapshot())
            except Exception as problem:  # nobody is left to be told but the log
                _log.error("the labels of %s were not saved: %s", case.name, problem)
    cases.clear()
