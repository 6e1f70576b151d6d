"""A project as it was last read: another window may change its files at any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from qtpy.QtCore import QObject, QTimer, Signal

from napari_resmed.io.project import Project, ProjectCase, State, list_cases, read_label_set
from napari_resmed.labels import LabelSet
from napari_resmed.viewer.parts.background import Background

__all__ = ["ProjectWatch"]

# How soon another window's work is seen.
LOOK_MS = 2_000


class ProjectWatch(QObject):
    """Looks at the files of a project every two seconds.

    Parameters
    ----------
    files:
        Reads them.

    Signals
    -------
    read(LabelSet)
        ``cases`` are as they are on disk now, and so are these labels.
    moved(str)
        The labels of a case are others than before, or its state is.
    failed(str)
        They could not be read.
    """

    read = Signal(object)
    moved = Signal(str)
    failed = Signal(str)

    def __init__(self, files: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._files = files
        self.project: Project | None = None
        self.cases: tuple[ProjectCase, ...] = ()
        self._looking = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(LOOK_MS)

    def take(self, project: Project) -> None:
        """Watch another project."""
        self.project, self.cases = project, ()
        self.refresh()

    def refresh(self) -> None:
        """Read the list anew; returns at once."""
        if self.project is None or self._looking or not self._timer.isActive():
            return
        self._looking = True
        self._files.run(partial(_read, self.project), partial(self._on_read, self.project), self._on_failed)

    def look(self, then: Callable[[], None]) -> None:
        """Read the list anew, and go on with it as it is on disk now."""
        if self.project is not None:
            self._files.run(partial(_read, self.project), partial(self._on_looked, self.project, then))

    def set_state(self, name: str, state: State) -> None:
        """A case was written by this window."""
        self.cases = tuple(replace(one, state=state) if one.name == name else one for one in self.cases)
        self.moved.emit(name)

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()

    def _on_failed(self, message: str) -> None:
        self._looking = False
        self.failed.emit(message)

    def _on_read(self, project: Project, found: tuple[tuple[ProjectCase, ...], LabelSet]) -> None:
        self._looking = False
        self._show(project, found)

    def _on_looked(
        self, project: Project, then: Callable[[], None], found: tuple[tuple[ProjectCase, ...], LabelSet]
    ) -> None:
        if self._show(project, found):
            then()

    def _show(self, project: Project, found: tuple[tuple[ProjectCase, ...], LabelSet]) -> bool:
        if project is not self.project:
            return False
        before = {case.name: case for case in self.cases}
        self.cases, labels = found
        for case in self.cases:
            old = before.get(case.name)
            if old is not None and (old.written, old.state) != (case.written, case.state):
                self.moved.emit(case.name)
        self.read.emit(labels)
        return True


def _read(project: Project) -> tuple[tuple[ProjectCase, ...], LabelSet]:
    return list_cases(project), read_label_set(project)
