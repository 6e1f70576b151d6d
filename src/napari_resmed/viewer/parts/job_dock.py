"""A dock that runs one job at a time: its progress, Cancel, what became of it, and the end when it is closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_resmed.events import Failed, Progress, Started
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.progress_line import ProgressLine
from napari_resmed.viewer.parts.running_job import RunningJob, cancel_all
from napari_resmed.viewer.parts.words import words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["JobDock"]

_log = logging.getLogger(__name__)


class JobDock(QWidget):
    """What docks with one button have in common; a subclass lays out its parts and says what to do with the result.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are offered and who gets the result.

    Attributes
    ----------
    start_button, progress, status:
        The button that begins, the bar with Cancel that is seen while a job runs, the line of words below it.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._job: RunningJob | None = None
        self.stop_reason = ""  # why the job is being stopped, where it was not the person
        self._warnings: list[str] = []  # of the job under way or the last one
        # What a closed window still has to stop; a list of its own, since by then this widget is gone.
        self._under_way: list[RunningJob] = []
        self.destroyed.connect(partial(cancel_all, self._under_way))
        self.start_button = QPushButton()
        self.start_button.setDefault(True)
        self.start_button.setMinimumHeight(32)
        self.start_button.clicked.connect(self.start)
        self.progress = ProgressLine()
        self.progress.cancel_wanted.connect(self.cancel)
        self.status = words(selectable=True)

    # For subclasses ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: what the button does."""
        raise NotImplementedError

    def can_start(self) -> bool:
        """Whether what is chosen is enough to begin."""
        raise NotImplementedError

    def take_result(self, result: Any, seconds: float) -> None:
        """Show what the job gave; calls :meth:`end_job` when that is seen."""
        raise NotImplementedError

    def job_cancelled(self) -> None:
        """Say that the job was stopped."""
        said = self.stop_reason or "Cancelled; nothing was changed."
        self.status.setText(escape(said))
        show_info(said)

    def let_go(self) -> None:
        """Stop listening to the viewer: the dock is closed."""

    # The job -----------------------------------------------------------------------------------------------

    @property
    def job(self) -> RunningJob | None:
        """The job under way."""
        return self._job

    @property
    def is_running(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    def run(
        self,
        job: str,
        parameters: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        finished: Callable[[Any, float], None] | None = None,
    ) -> None:
        """Hand a job to the engine and show how far it is; ``finished`` instead of :meth:`take_result`."""
        running = RunningJob(self)
        running.progressed.connect(self._on_progress)
        running.warned.connect(self._on_warning)
        running.finished.connect(finished or self.take_result)
        running.failed.connect(self.show_failure)
        self._job, self.stop_reason, self._warnings = running, "", []
        self._under_way[:] = [running]
        self.progress.show_done(0)
        self.status.setText("Starting…")
        self.status.setToolTip("")
        self.show_running()
        running.start(job, parameters)

    def cancel(self) -> None:
        """Stop the job under way."""
        if self._job is not None:
            self.status.setText("Stopping…")
            self._job.cancel()

    def end_job(self) -> None:
        """Be ready for the next."""
        if self._job is not None:
            self._job.deleteLater()
        self._job = None
        self._under_way.clear()
        self.show_running()

    def show_failure(self, event: Failed) -> None:
        """Say why there is no result."""
        self.end_job()
        if event.kind == "cancelled":
            self.job_cancelled()
            return
        self.status.setText(escape(event.message))
        show_error(event.message)
        _log.debug("%s", event.detail)  # only where a person asks for it: it may name files

    def say_done(self, said: str) -> None:
        """Say what was made, as rich text; what the job warned of stays beside it, for a notification is soon gone."""
        self.status.setText(said + "".join(f"<br><b>⚠ {escape(message)}.</b>" for message in self._warnings))

    def _on_warning(self, message: str) -> None:
        self._warnings.append(message)
        show_warning(message)

    def _on_progress(self, event: Progress | Started) -> None:
        self.status.setText(self.progress.show_event(event))

    # What is seen ------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, as high as what is in it."""
        return QSize(DOCK_WIDTH, super().sizeHint().height())

    def show_running(self) -> None:
        """The bar and the button as a job runs or not."""
        self.progress.setVisible(self.is_running)
        self.start_button.setEnabled(not self.is_running and self.can_start())

    def add_job_rows(self, layout: QVBoxLayout) -> None:
        """Button, bar and status, one below the other."""
        for part in (self.start_button, self.progress, self.status):
            layout.addWidget(part)

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.let_go()
            self.cancel()
        return super().event(event)
