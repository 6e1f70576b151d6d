"""The Train dock: labels painted over images, or classes typed for them, become a model, watched while it learns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.events import Failed, Preview
from napari_resmed.models.names import name_trouble
from napari_resmed.train.own_trainings import is_unfinished, last_unfinished, run_of
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.duration import duration
from napari_resmed.viewer.parts.fold import Fold
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.running_job import RunningJob, cancel_all, training_engine
from napari_resmed.viewer.train.class_source import ClassSource
from napari_resmed.viewer.train.made import what_was_made
from napari_resmed.viewer.train.train_options import MoreTrainOptions, TrainOptions
from napari_resmed.viewer.train.train_source import TrainSource
from napari_resmed.viewer.train.train_view import TrainView
from napari_resmed.viewer.train.unfinished import Unfinished

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["TrainWidget"]

_log = logging.getLogger(__name__)

SEGMENT, CLASSIFY = "segment", "classify"
_TASKS = {SEGMENT: "where something is, as painted", CLASSIFY: "a class for each image"}
# A training writes down where it is when it is cancelled, which takes a moment.
CANCEL_SECONDS = 5.0


class TrainWidget(QWidget):
    """Train a model on what was painted or typed, or on cases from disk.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are learnt from.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._job: RunningJob | None = None
        self._name = ""  # of the training under way
        self._closed = False
        self.result: dict[str, Any] | None = None  # what the last training gave
        # What a closed window still has to stop; a list of its own, since by then this widget is gone.
        self._under_way: list[RunningJob] = []
        self.destroyed.connect(partial(cancel_all, self._under_way, grace_seconds=CANCEL_SECONDS))
        self._build(napari_viewer)
        for source in self._sources.values():
            source.changed.connect(self._propose)
            source.said.connect(self.view.say)
        self.task_choice.currentIndexChanged.connect(self._on_task)
        self.more.images_choice.currentIndexChanged.connect(self._on_images)
        self.options.renamed.connect(self._offer_resume)
        self.view.stop_wanted.connect(self.stop)
        self.view.cancel_wanted.connect(self.cancel)
        self.source.refresh()
        self._offer_resume()
        # matplotlib takes half a second to come; not on the window's thread.
        threading.Thread(target=_warm_plots, name="resmed-warm-plots", daemon=True).start()

    # What is seen ------------------------------------------------------------------------------------------

    def _build(self, viewer: ViewerModel) -> None:
        self.task_choice = QComboBox()
        for task, said in _TASKS.items():
            self.task_choice.addItem(said, task)
        self.task_choice.setToolTip("What the new model will tell")
        self.task_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.task_choice.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._task = QWidget()
        form = QFormLayout(self._task)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("&Learn", self.task_choice)
        self._sources: dict[str, TrainSource | ClassSource] = {
            SEGMENT: TrainSource(viewer),
            CLASSIFY: ClassSource(viewer),
        }
        self.source: Any = self._sources[SEGMENT]
        self.options = TrainOptions()
        self.more = MoreTrainOptions()
        self.train_button = QPushButton("&Train")
        self.train_button.setDefault(True)
        self.train_button.setMinimumHeight(32)
        self.train_button.setToolTip("Learn from the labels; layers are not changed, and painting can go on meanwhile")
        self.train_button.clicked.connect(self.start)
        self.unfinished = Unfinished()
        self.unfinished.resume_wanted.connect(self.resume)
        self.unfinished.discarded.connect(self._on_discarded)
        self.unfinished.failed.connect(self._on_not_discarded)
        self.view = TrainView()
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.addWidget(self._task)
        for source in self._sources.values():
            layout.addWidget(source)
            source.setVisible(source is self.source)
        self._sources[CLASSIFY].sleep(True)
        layout.addWidget(self.options)
        layout.addWidget(self.train_button)
        layout.addWidget(self.unfinished)
        layout.addWidget(self.view)
        layout.addWidget(Fold("More", self.more))
        layout.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._scroll)

    def _show_running(self, running: bool) -> None:
        for part in (self._task, self.source, self.options, self.train_button):
            part.setVisible(not running)
        self.source.sleep(running)
        self._offer_resume()

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, as high as what is in it."""
        return QSize(DOCK_WIDTH, self._scroll.widget().sizeHint().height())

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._let_go()
        return super().event(event)

    def _let_go(self) -> None:
        if self._closed:
            return
        self._closed = True
        for source in self._sources.values():
            source.let_go()
        self.view.curves.let_go()
        self.more.plan.close()
        self.unfinished.close_files()
        if self._job is not None:
            show_info(f"The Train dock was closed, so the training of {self._name} was stopped; it can be resumed.")
            self.cancel()

    # What is proposed --------------------------------------------------------------------------------------

    @property
    def task(self) -> str:
        """What is learnt, as the job calls it."""
        return str(self.task_choice.currentData())

    def _on_task(self) -> None:
        """The other kind of model: its own source, bases and care."""
        self.source.sleep(True)
        self.source.hide()
        self.source = self._sources[self.task]
        self.source.show()
        self.options.set_task(self.task)
        self.more.set_task(self.task)
        self.view.say("")
        self.source.sleep(False)

    def _on_images(self) -> None:
        """Where images are painted, label maps on disk that have none are cases, too."""
        self._sources[SEGMENT].disk.set_painting(bool(self.more.images_choice.currentData()))

    def set_data(self, path: str) -> None:
        """Learn from cases on disk: a folder or a CSV; an empty path goes back to the layers of the window."""
        self.source.set_data(path)

    def set_project(self, folder: str) -> str:
        """Learn where something is from the accepted cases of a project; why that cannot be now, empty where it can."""
        if self._job is not None:
            return f"The training of {self._name} is under way; wait until it has ended, or stop it, and try again."
        self.task_choice.setCurrentIndex(self.task_choice.findData(SEGMENT))
        self.set_data(folder)
        return ""

    def _propose(self) -> None:
        source = self.source
        self.options.propose(
            channels=source.channels,
            structures=source.structures,
            made_by=source.made_by if source.data is None else "",
            modalities=source.modalities if source.data is None else set(),
            little=source.is_little,
            folder=source.data.stem if source.data is not None else "",
        )
        self.train_button.setEnabled(source.is_ready)

    def _offer_resume(self) -> None:
        """Offer to go on with a training that was not finished: the named one, else the last that gave no model."""
        name = self.options.name
        found = "" if self._job is not None else name if is_unfinished(name) else last_unfinished()
        if not found and self._job is None and self._name and is_unfinished(self._name):
            found = self._name
        self.unfinished.show_training(found)

    def _on_discarded(self, name: str) -> None:
        self._offer_resume()
        self.options.read_models()  # its name is free again
        self.view.say(f"Discarded the training of {name}.")

    def _on_not_discarded(self, message: str) -> None:
        self._offer_resume()
        self.view.say(message)
        show_error(message)

    # The click ---------------------------------------------------------------------------------------------

    @property
    def job(self) -> RunningJob | None:
        """The training under way."""
        return self._job

    @property
    def is_running(self) -> bool:
        """Whether a training is under way."""
        return self._job is not None

    def start(self) -> None:
        """Train on what is chosen, as it is now."""
        if self._job is not None:
            return
        name, base, minutes = self.options.name, self.options.begins_with, self.options.minutes.value()
        trouble = self.source.trouble(at_click=True) or name_trouble(name)
        if not trouble and not self.source.is_ready:
            trouble = "There is nothing to learn from yet."
        if trouble:
            self.view.say(trouble)
            show_error(trouble)
            return
        data = self.source.collect()
        options = {
            "name": name,
            **self.options.start,
            "minutes": round(minutes, 4),
            **self.more.parameters,
            "task": self.task,
        }
        begins = f"from <b>{escape(base)}</b>" if base else "from scratch"
        self._run(
            name,
            f"Training <b>{escape(name)}</b> {begins}, {duration(60 * minutes)}",
            lambda: {"data": data(), **options},
        )

    def resume(self) -> None:
        """Go on with the unfinished training that is offered."""
        name = self.unfinished.name
        if self._job is None and name:
            self._run(
                name, f"Training <b>{escape(name)}</b>, resumed", lambda: {"data": "", "name": name, "resume": True}
            )

    def _run(self, name: str, summary: str, parameters: Callable[[], Mapping[str, Any]]) -> None:
        job = RunningJob(self, training_engine)
        job.progressed.connect(self.view.show_progress)
        job.warned.connect(self.view.add_note)
        job.measured.connect(self.view.show_metric)
        job.previewed.connect(self._on_previewed)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        self._job, self._name, self.result = job, name, None
        self._under_way[:] = [job]
        text = get_theme(self._viewer.theme).text.as_rgb_tuple(alpha=False)
        self.view.begin(summary, (int(text[0]), int(text[1]), int(text[2])))
        self._show_running(True)
        self._scroll.verticalScrollBar().setValue(0)
        job.start("train", parameters)

    def stop(self) -> None:
        """End the training now and keep the best."""
        if self._job is not None:
            self.view.ending("Stopping; the best so far is kept…", may_cancel=True)
            self._job.ask("stop")

    def cancel(self) -> None:
        """End the training without a model; it can be resumed."""
        if self._job is not None:
            self.view.ending("Cancelling…", may_cancel=False)
            self._job.cancel(CANCEL_SECONDS)

    def _on_previewed(self, event: Preview) -> None:
        if event.what == "plan":
            self.view.show_plan(event.data)
            self.more.show_plan(event.data)
        elif event.what == "held-out slice":
            self.view.show_look(event.data)

    # The end -----------------------------------------------------------------------------------------------

    def _end(self, said: str) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job = None
        self._under_way.clear()
        self.view.end(said)
        if not self._closed:
            self._show_running(False)

    def _on_finished(self, result: dict[str, Any], seconds: float) -> None:
        self.result = result
        self.view.show_result(result)
        self._end(what_was_made(result, seconds))
        models_changed().happened.emit()
        QTimer.singleShot(0, self._show_end)

    def _show_end(self) -> None:
        self._scroll.ensureWidgetVisible(self.view.dice)

    def _on_failed(self, event: Failed) -> None:
        kept = f" It can be resumed; it lies in {run_of(self._name).path}." if is_unfinished(self._name) else ""
        if event.kind == "cancelled":
            self._end(escape(f"Cancelled.{kept or ' Nothing was made.'}"))
            return
        message = event.message[:1].upper() + event.message[1:].rstrip(".") + "."
        self._end(escape(message + kept))
        show_error(message)
        _log.debug("%s", event.detail)  # only where a person asks for it: it may name files


def _warm_plots() -> None:
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401
