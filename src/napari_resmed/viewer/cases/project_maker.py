"""From a folder that somebody chose to a project."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_resmed.errors import InputError
from napari_resmed.events import Progress
from napari_resmed.io.project import (
    Project,
    add_images,
    create_project,
    find_project_of,
    is_project,
    open_project,
    read_index,
    suggest_folder,
)
from napari_resmed.io.project.sources import find_sources
from napari_resmed.viewer.parts.background import Background

__all__ = ["ProjectMaker"]


class ProjectMaker(QObject):
    """Opens projects, makes them of folders of images, and adds images to them.

    On a thread of its own: while hundreds of images are converted, the labels of the open case are saved as ever.

    Signals
    -------
    opened(Project)
        Here is one.
    none_there(Path, int, Path)
        The folder holds images for so many cases, for which a project could be made there.
    begun(), ended()
        A project is being made or added to, see ``is_running``; it is no longer, whatever came of it.
    progressed(str, float)
        What is done now, and the share done.
    failed(str)
        Why there will be none.
    added()
        The project has more images now.
    said(str)
        Something to tell the person.
    """

    opened = Signal(object)
    none_there = Signal(object, int, object)
    begun = Signal()
    ended = Signal()
    progressed = Signal(str, float)
    failed = Signal(str)
    added = Signal()
    said = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = Background(self, must_finish=False)
        self._cancelled = threading.Event()
        self.is_running = False
        # Can be called when this object is gone.
        self.finish = self._thread.finish

    def look_into(self, folder: Path) -> None:
        """Find the project in or of a folder, or what could be made of it."""
        if self._is_free():
            self.said.emit(f"Looking into {folder.name}…")
            self._thread.run(partial(_look_into, folder), partial(self._on_looked, folder), self.failed.emit)

    def make(self, images: Path, place: Path) -> None:
        """Make a project of a folder of images."""
        self._begin(create_project(images, place), self._on_created)

    def add(self, project: Project, images: Path) -> None:
        """Bring more images into a project."""
        self._begin(add_images(project, images), self._on_added)

    def cancel(self) -> None:
        """Stop after the image that is being read: no project is made, and images that were added stay."""
        self._cancelled.set()

    def close(self) -> None:
        """The same, and do nothing more; does not wait."""
        self._thread.forget()
        self._thread.ending.set()
        self._thread.close()

    def _is_free(self) -> bool:
        if self.is_running:
            self.said.emit("Images are still being brought into a project: wait for that, or press Cancel.")
        return not self.is_running

    def _begin(self, steps: Generator[Progress, None, Any], then: Callable[[Any], None]) -> None:
        if not self._is_free():
            return
        self._cancelled.clear()
        self.is_running = True
        self.begun.emit()
        self._thread.run(partial(self._run_through, steps), partial(self._on_ended, then), self._on_failed)

    def _run_through(self, steps: Generator[Progress, None, Any]) -> Any:
        """Run a generator of progress to its end, on the thread it is called on; None where it was stopped."""
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            if self._cancelled.is_set() or self._thread.ending.is_set():
                steps.close()
                return None
            self._thread.tell(partial(self.progressed.emit, step.what, step.done))

    def _on_ended(self, then: Callable[[Any], None], result: Any) -> None:
        self.is_running = False
        if self._thread.ending.is_set():
            return  # the dock was closed just now
        self.ended.emit()
        then(result)

    def _on_failed(self, message: str) -> None:
        self.is_running = False
        self.ended.emit()
        self.failed.emit(message)

    def _on_looked(self, folder: Path, found: Project | tuple[int, Path]) -> None:
        if isinstance(found, Project):
            self.opened.emit(found)
        else:
            self.none_there.emit(folder, *found)

    def _on_created(self, project: Project | None) -> None:
        if project is None:
            self.said.emit("Stopped; no project was made.")
            return
        self.opened.emit(project)
        self._thread.run(
            partial(read_index, project.folder), lambda index: self._tell_left_out(index.left_out), self.failed.emit
        )

    def _on_added(self, left_out: tuple[tuple[str, str], ...] | None) -> None:
        if left_out is None:
            self.said.emit("Stopped; the images that were added already stay.")
        else:
            self.said.emit("The images were added.")
            self._tell_left_out(left_out)
        self.added.emit()

    def _tell_left_out(self, left_out: tuple[tuple[str, str], ...]) -> None:
        if left_out:
            name, why = left_out[0]
            others = f", and {len(left_out) - 1} more (listed in resmed.json)" if len(left_out) > 1 else ""
            self.said.emit(f"Left out: {name}: {why}{others}.")


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
