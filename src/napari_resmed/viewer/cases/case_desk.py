"""The case that is open: brought into the window, followed while it is painted, written, put away."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QObject, QTimer, Signal

from napari_resmed.io.project import NO_LABELS, Project, State, Written, accept, reopen
from napari_resmed.viewer.cases.open_case import LoadedCase, OpenCase, load_case, save_case
from napari_resmed.viewer.cases.show_case import remove_layer, show_case
from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.complete_slices import complete_slices, mark
from napari_resmed.viewer.parts.paint_watch import PaintWatch

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["CaseDesk", "write_what_is_left"]

_log = logging.getLogger(__name__)

# What may be lost when the power fails.
AUTOSAVE_MS = 60_000


class CaseDesk(QObject):
    """Shows one case of a project at a time.

    Parameters
    ----------
    viewer:
        Where it is shown.
    files:
        Reads and writes.

    Signals
    -------
    shown(str)
        All layers of a case are there.
    changed()
        Another case is open, or there is something to save, or no longer.
    moved(str, State)
        A case was written and is in this state now.
    accepted(str)
        A person accepted the case.
    settled()
        A save is over, whatever came of it.
    said(str), failed(str)
        Something to tell the person.
    """

    shown = Signal(str)
    changed = Signal()
    moved = Signal(str, object)
    accepted = Signal(str)
    settled = Signal()
    said = Signal(str)
    failed = Signal(str)

    def __init__(self, viewer: ViewerModel, files: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._files = viewer, files
        # What is open, and what a closed window still has to save: a list of its own, since by then this is gone.
        self.open: list[OpenCase] = []
        self.seen: set[str] = set()
        self.wish = ""  # the case that is being opened
        self._wished_of: Project | None = None
        self.news = ""  # what to say once it is shown
        self._steps: Iterator[None] | None = None  # what is left of showing it
        self._closed: OpenCase | None = None  # whose labels were removed from the window
        self._empty_accepted = ""  # a case without any label that was to be accepted once already
        self.autosave = QTimer(self)
        self.autosave.timeout.connect(self.save)
        self.autosave.start(AUTOSAVE_MS)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def now(self) -> OpenCase | None:
        """The case whose layers are shown."""
        return self.open[0] if self.open else None

    def load(self, project: Project, name: str) -> None:
        """Save what is open, and show a case; returns at once."""
        self.save()
        self.wish, self._wished_of = name, project
        self.said.emit(f"Opening {name}…")
        self._files.run(
            partial(load_case, project, name), partial(self._on_loaded, project), partial(self._on_load_failed, name)
        )

    def _on_load_failed(self, name: str, message: str) -> None:
        self.seen.add(name)  # else Next case would come back to it at once
        if self.wish == name:
            self.wish = self.news = ""
        self.failed.emit(message)

    def _on_loaded(self, project: Project, loaded: LoadedCase) -> None:
        if self.wish != loaded.name or self._wished_of is not project:
            return  # another one was wished for meanwhile
        if self._steps is not None:
            QTimer.singleShot(10, partial(self._on_loaded, project, loaded))
            return
        self._steps = self._show(project, loaded)
        self._step()

    def _step(self) -> None:
        """Show the next bit of a case."""
        if self._steps is None:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
        else:
            QTimer.singleShot(0, self._step)

    def _show(self, project: Project, loaded: LoadedCase) -> Iterator[None]:
        """Put a case in the place of the one that is open."""

        def put_away(case: OpenCase) -> None:
            self.save()
            self._let_go(case)

        def follow(images: list[Any], labels: Any) -> None:
            read = (loaded.token, loaded.digest, loaded.grid)
            self._follow(OpenCase(project, loaded.name, *read, images, labels, loaded.complete_slices))

        yield from show_case(self._viewer, loaded, self.now, put_away, follow)
        if self.wish == loaded.name:
            self.wish = ""
            self.said.emit(self.news)
            self.news = ""
        self.changed.emit()
        self.shown.emit(loaded.name)

    def _follow(self, case: OpenCase) -> None:
        """Notice what is painted on a case, and which slices are marked as complete."""
        self.open[:] = [case]
        self.seen.add(case.name)
        case.labels.metadata.setdefault(KEY, {})["autosaved"] = True  # nobody else has to
        # The layer itself: napari hands plugins a stand-in for it, which hides what the watch looks at.
        itself = next(layer for layer in self._viewer.layers if layer == case.labels)
        case.watch = PaintWatch(itself, partial(self._on_touched, case))
        case.on_marked = partial(self._on_marked, case)
        case.labels.events.metadata.connect(case.on_marked)

    def _on_touched(self, case: OpenCase, event: Any = None) -> None:
        first = not case.unsaved
        case.touched = case.unsaved = True
        if first:
            self.changed.emit()

    def _on_marked(self, case: OpenCase, event: Any = None) -> None:
        self._on_touched(case)
        self.changed.emit()

    def save(self) -> None:
        """Write the labels of the open case, if they were changed; returns at once."""
        case = self.now
        if case is not None and case.watch is not None:
            case.watch.look()
        if case is None or not case.touched:
            return
        # Always compared with what was written: a stroke may have been undone.
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
                self.said.emit(text)
                show_warning(text)
        elif written is not None:
            self.moved.emit(case.name, written.state)
        self.changed.emit()
        self.settled.emit()

    def _on_save_failed(self, case: OpenCase, message: str) -> None:
        case.unsaved = True
        self.failed.emit(message)
        self.changed.emit()

    def accept(self) -> None:
        """Accept the open case; one on which nothing is painted is asked about first."""
        case = self.now
        if case is None or self.wish:
            return
        if not np.any(case.labels.data) and self._empty_accepted != case.name:
            self._empty_accepted = case.name
            self.said.emit(
                f"Nothing is painted on {case.name}. If it truly shows none of the structures, accept it again."
            )
            return
        self.save()
        self._files.run(partial(_accept, case, case.snapshot()), partial(self._on_moved, case, State.ACCEPTED))

    def mark_whole(self) -> None:
        """Say of the open case that all of it is painted: no slice is marked as complete any more."""
        case = self.now
        if case is not None:
            mark(case.labels, complete_slices(case.labels), False)

    def take_back(self) -> None:
        """Take the open case out of those that are accepted."""
        case = self.now
        if case is None or self.wish:
            return
        self.save()
        self._files.run(
            lambda: reopen(case.project, case.name, case.token), partial(self._on_moved, case, State.CORRECTED)
        )

    def _on_moved(self, case: OpenCase, wanted: State, written: Written) -> None:
        if written.state is not wanted:
            self.failed.emit(f"{case.name} was changed in another window meanwhile; look at it again.")
            if case is self.now and not case.unsaved:
                self.load(case.project, case.name)
            return
        self.moved.emit(case.name, wanted)
        self.changed.emit()
        if wanted is State.ACCEPTED:
            self.news = f"Accepted {case.name}. "
            self.said.emit(self.news)
            if case is self.now:
                self.accepted.emit(case.name)
        self.settled.emit()

    def clear(self) -> None:
        """Save the open case and take its layers away."""
        self.save()
        for _ in self._steps or ():
            pass  # what is being shown is shown to the end, so that all of it can be taken away
        self._steps, self.wish = None, ""
        self.seen.clear()
        case = self.now
        if case is None:
            return
        self._let_go(case)
        for layer in case.layers:
            remove_layer(self._viewer, layer)

    def close(self) -> None:
        """Save the open case, leave its layers in the window, and listen to nothing any more."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self.autosave.stop()
        self._steps = None
        case = self.now
        if case is not None:
            self.save()
            self._let_go(case)
            show_info(f"Cases was closed: what you paint on {case.name} from now on is not saved to the project.")

    def _let_go(self, case: OpenCase) -> None:
        if case.watch is not None:
            case.watch.let_go()
        case.labels.events.metadata.disconnect(case.on_marked)
        case.labels.metadata[KEY]["autosaved"] = False
        self.open.clear()

    def _on_removed(self, event: Any) -> None:
        case = self.now
        if case is None:
            return
        if event.value == case.labels:
            self.save()
            self._let_go(case)
            self._closed = case
            self.changed.emit()
            # Later, and so not where the whole window closes, which takes all layers away first.
            QTimer.singleShot(0, self._put_away_closed)
        else:
            case.images[:] = [image for image in case.images if image != event.value]

    def _put_away_closed(self) -> None:
        """Take the images of a case whose labels were removed out of the window, and say that it was closed."""
        case, self._closed = self._closed, None
        if case is None or not self.autosave.isActive():
            return  # the dock is closed as well
        for layer in case.images:
            remove_layer(self._viewer, layer)
        text = (
            f"{case.name} was closed; what you paint now is not saved to the project; click it in the list to open "
            "it again."
        )
        self.said.emit(text)
        show_info(text)


def write_what_is_left(cases: list[OpenCase]) -> None:
    """Write what was not written yet of cases whose window is gone."""
    for case in cases:
        if case.touched:
            try:
                save_case(case, *case.snapshot())
            except Exception as problem:  # nobody is left to be told but the log
                _log.error("the labels of %s were not saved: %s", case.name, problem)
    cases.clear()


def _accept(case: OpenCase, snapshot: tuple[Any, ...]) -> Written:
    """Accept a case as it is seen; one without a label file gets an empty one."""
    if case.token == NO_LABELS:
        case.digest = ""
    written = save_case(case, *snapshot)
    if written is not None and written.conflict is not None:
        return written
    return accept(case.project, case.name, case.token)
