"""The Cases dock: a folder of images is annotated case by case."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, QSize, Signal
from qtpy.QtWidgets import QFileDialog, QStackedWidget, QVBoxLayout, QWidget

from napari_resmed.io.project import NO_LABELS, Project, ProjectCase, State, suggest_next
from napari_resmed.models.model import Model
from napari_resmed.viewer.cases.case_desk import CaseDesk, write_what_is_left
from napari_resmed.viewer.cases.open_case import OpenCase
from napari_resmed.viewer.cases.pictures import Pictures
from napari_resmed.viewer.cases.predict_rest import PredictRest
from napari_resmed.viewer.cases.project_labels import ProjectLabels
from napari_resmed.viewer.cases.project_maker import ProjectMaker
from napari_resmed.viewer.cases.project_watch import ProjectWatch
from napari_resmed.viewer.cases.start_pages import StartPages
from napari_resmed.viewer.cases.work_page import WorkPage
from napari_resmed.viewer.label_look import warm_labels
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.complete_slices import complete_slices
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.dropped import dropped_paths
from napari_resmed.viewer.parts.palette import palette_of
from napari_resmed.viewer.parts.progress_line import ProgressLine
from napari_resmed.viewer.parts.words import plain_words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["CasesWidget"]

_log = logging.getLogger(__name__)


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
        self._new = False  # whether the project was just taken
        self._listening = True
        self._files = Background(self)
        self._files.failed.connect(self._complain)
        self._watch = ProjectWatch(self._files, self)
        self._watch.read.connect(self._on_read)
        self._watch.failed.connect(self._say)  # not as a notification: it would come every two seconds
        self._maker = ProjectMaker(self)
        self._maker.opened.connect(self._take)
        self._maker.begun.connect(self._on_making)
        self._maker.ended.connect(self._show_running)
        self._maker.progressed.connect(self._show_progress)
        self._maker.failed.connect(self._complain)
        self._maker.added.connect(self._watch.refresh)
        self._maker.said.connect(self._say)
        self.desk = CaseDesk(napari_viewer, self._files, self)
        self.desk.shown.connect(self.opened)
        self.desk.changed.connect(self._show_cases)
        self.desk.moved.connect(self._watch.set_state)
        self.desk.accepted.connect(self.next_case)
        self.desk.settled.connect(self._watch.refresh)
        self.desk.said.connect(self._say)
        self.desk.failed.connect(self._complain)
        self.save = self.desk.save
        self._predict = PredictRest(self._files, self)
        self._predict.progressed.connect(self._on_predicting)
        self._predict.predicted.connect(self._on_predicted)
        self._predict.ended.connect(self._on_predict_ended)
        self._build()
        self._pictures = Pictures(self._watch, self.work.list, self)
        self._labels = ProjectLabels(napari_viewer, self._watch, self.desk, self.work.labels, self._files)
        self._labels.repainted.connect(self._pictures.forget_all)
        self._labels.failed.connect(self._complain)
        self.destroyed.connect(partial(_at_the_end, self.desk.open, self._predict.jobs, self._files.finish))
        for finish in (self._pictures.finish, self._maker.finish):
            self.destroyed.connect(partial(_stop, finish))
        Thread(target=warm_labels, name="resmed-warm-colours", daemon=True).start()

    def _build(self) -> None:
        self.setAcceptDrops(True)
        self.start = StartPages(self._maker)
        self.start.asked.connect(self._on_asked)
        self.start.dismissed.connect(self._show_page)
        self.make_project = self.start.make
        self.work = WorkPage(partial(palette_of, self._viewer))
        self.work.other_wanted.connect(self.choose)
        self.work.next_wanted.connect(self.next_case)
        self.work.accept_wanted.connect(self.accept)
        self.work.predict_wanted.connect(self.predict_rest)
        self.work.train_wanted.connect(self.train)
        self.work.whole_wanted.connect(self.desk.mark_whole)
        self.work.more_wanted.connect(self._choose_more)
        self.work.filtered.connect(self._show_cases)
        self.work.list.case_chosen.connect(self.open_case)
        self.work.add_keys(self)
        self.pages = QStackedWidget()
        for page in (self.start, self.work):
            self.pages.addWidget(page)
        self.progress = ProgressLine()
        self.progress.cancel_wanted.connect(self._cancel)
        self.status = plain_words()
        layout = QVBoxLayout(self)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        self._show_running()

    @property
    def _is_busy(self) -> bool:
        return self._maker.is_running or self._predict.is_running

    def _show_running(self) -> None:
        self.progress.setVisible(self._is_busy)
        self.progress.cancel_button.setToolTip(
            "Stop; a project half made is taken away, images that were added stay"
            if self._maker.is_running
            else "Stop predicting; what is predicted stays"
        )
        self._show_cases()

    def _cancel(self) -> None:
        if self._maker.is_running:
            self._maker.cancel()
            self._say("Stopping…")
        else:
            self._predict.cancel()

    def _show_page(self) -> None:
        self.pages.setCurrentWidget(self.start if self.project is None else self.work)

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, as high as what is in it."""
        return QSize(DOCK_WIDTH, super().sizeHint().height())

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._close()
        return super().event(event)

    def _close(self) -> None:
        if not self._listening:
            return
        self._listening = False
        self._watch.close()
        self._predict.cancel()
        self.desk.close()
        self._files.close()
        if self._maker.is_running:
            show_info("Cases was closed while images were brought into a project: what was added stays, no more is.")
        self._maker.close()
        self._pictures.close()

    @property
    def project(self) -> Project | None:
        """What is worked on."""
        return self._watch.project

    @property
    def cases(self) -> tuple[ProjectCase, ...]:
        """Its cases, as they were last read."""
        return self._watch.cases

    @property
    def open_case_now(self) -> OpenCase | None:
        """The case whose layers are shown."""
        return self.desk.now

    def choose(self) -> None:
        """Ask for a folder: a project, raw data of nnU-Net, or images."""
        self.start.choose(str(self.project.folder.parent) if self.project else "")

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802
        """Take folders that are dragged over the dock."""
        if any(path.is_dir() for path in dropped_paths(event)):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802
        """Open a folder that is dropped on the dock."""
        for folder in dropped_paths(event):
            if folder.is_dir():
                event.acceptProposedAction()
                self.open_folder(folder)
                return

    def open_folder(self, folder: Path) -> None:
        """Open a project, or offer to make one of a folder of images."""
        self.save()
        self._maker.look_into(folder)

    def _on_asked(self) -> None:
        self.pages.setCurrentWidget(self.start)
        self._say("")

    def _on_making(self) -> None:
        self.progress.show_done(0)
        self._say("Looking for images…")
        self._show_running()

    def _take(self, project: Project) -> None:
        """Show another project."""
        self._predict.cancel()
        self._show_running()
        self.desk.clear()
        self._pictures.forget()
        self.work.begin(project)
        self._new = True
        self._watch.take(project)
        self._say("")
        self._show_page()
        self._show_cases()

    def _choose_more(self) -> None:
        if self.project is None:
            return
        chosen = QFileDialog.getExistingDirectory(self, "A folder of more images", str(self.project.folder.parent))
        if chosen:
            self._maker.add(self.project, Path(chosen))

    def _on_read(self) -> None:
        if self._new and not self.status.text():
            self._say("Press Next case to begin.")
        self._new = False
        self._show_cases()

    def _shown_cases(self) -> tuple[ProjectCase, ...]:
        """The cases, the open one as it will be once it is saved."""
        case = self.desk.now
        if case is None or not case.unsaved:
            return self.cases
        return tuple(
            replace(one, state=State.CORRECTED) if one.name == case.name and one.state is not State.ACCEPTED else one
            for one in self.cases
        )

    def _show_cases(self) -> None:
        case = self.desk.now
        name, unsaved = (case.name, case.unsaved) if case else ("", False)
        self.work.show_cases(self._shown_cases(), name, unsaved, self._is_busy)
        self.work.add_button.setEnabled(not self._maker.is_running)
        self.work.show_complete(len(complete_slices(case.labels)) if case else 0)

    def _state_of(self, name: str) -> State:
        return next((case.state for case in self._shown_cases() if case.name == name), State.NOT_STARTED)

    def open_case(self, name: str) -> None:
        """Save what is open, and show another case."""
        now = self.desk.now
        if self.project is not None and name != (self.desk.wish or (now.name if now else "")):
            self.desk.load(self.project, name)

    def next_case(self) -> None:
        """Save, and open the case that is worth most as the project is now, in whichever window that was done."""
        self.save()
        self._watch.look(self._open_best)

    def _open_best(self) -> None:
        now = self.desk.now
        name = suggest_next(self._shown_cases(), self.desk.wish or (now.name if now else ""), self.desk.seen)
        if name:
            case = next(one for one in self._shown_cases() if one.name == name)
            if case.state is State.PREDICTED and case.uncertainty is not None:
                self.desk.news += f"Next {name}, of which the model was least sure."
            self.open_case(name)
        elif self.cases:
            self._say(f"{self.desk.news}Every other case is accepted. Train on them, or add images.")
            self.desk.news = ""

    def accept(self) -> None:
        """Accept the open case and go on; or take an accepted one back."""
        case = self.desk.now
        if case is not None and self._state_of(case.name) is State.ACCEPTED:
            self.desk.take_back()
        else:
            self.desk.accept()

    def predict_rest(self) -> None:
        """Segment every case that is not started, in the background."""
        model: Model | None = self.work.model_choice.currentData()
        if self.project is None or model is None or self._is_busy:
            return
        names = [case.name for case in self._shown_cases() if case.state is State.NOT_STARTED]
        if not names:
            self._say("Every case has labels already.")
            return
        self.progress.show_done(0)
        # Passed over is what somebody has begun since the row was made.
        self._predict.start(self.project, names, model, lambda name: self._state_of(name) is not State.NOT_STARTED)
        self._show_running()

    def _on_predicting(self, what: str, done: float) -> None:
        if not self._maker.is_running:
            self._show_progress(what, done)

    def _show_progress(self, what: str, done: float) -> None:
        self.progress.show_done(done)
        self._say(what)

    def _on_predicted(self, name: str) -> None:
        self.work.list.forget_picture(name)
        self._watch.refresh()
        case = self.desk.now
        if case is not None and case.name == name and not case.touched and case.token == NO_LABELS:
            self.desk.load(case.project, name)

    def _on_predict_ended(self, message: str) -> None:
        self._show_running()
        self._say(message)
        self._watch.refresh()

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
            trouble = widget.set_project(folder)
        except Exception as problem:  # whatever is wrong with that dock, this one goes on
            _log.debug("no Train dock", exc_info=problem)
            self._say(f"The Train dock could not be opened; `napari-resmed train {folder} -o MODEL` trains as well.")
            return
        if trouble:
            self._complain(trouble)

    def _say(self, text: str) -> None:
        self.status.setText(text)

    def _complain(self, text: str) -> None:
        self._say(text)
        show_error(text)


def _stop(finish: Any, *_: Any) -> None:
    finish()


def _at_the_end(cases: list[OpenCase], jobs: list[Any], finish: Any, *_: Any) -> None:
    """The window is gone: stop what runs, and write what was not written yet."""
    for job in jobs:
        job.cancel()
    finish()
    write_what_is_left(cases)
