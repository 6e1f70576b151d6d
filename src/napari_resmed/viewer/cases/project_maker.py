"""From a folder that somebody chose to a project."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_resmed.errors import InputError
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

    Parameters
    ----------
    files:
        Reads and writes.

    Signals
    -------
    opened(Project)
        Here is one.
    none_there(Path, int, Path)
        The folder holds images for so many cases, for which a project could be made there.
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
    progressed = Signal(str, float)
    failed = Signal(str)
    added = Signal()
    said = Signal(str)

    def __init__(self, files: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._files = files

    def look_into(self, folder: Path) -> None:
        """Find the project in or of a folder, or what could be made of it."""
        self.said.emit(f"Looking into {folder.name}…")
        self._files.run(partial(_look_into, folder), partial(self._on_looked, folder), self.failed.emit)

    def make(self, images: Path, place: Path) -> None:
        """Make a project of a folder of images."""
        self._files.run(partial(self._run_through, create_project(images, place)), self._on_created, self.failed.emit)

    def add(self, project: Project, images: Path) -> None:
        """Bring more images into a project."""
        self._files.run(partial(self._run_through, add_images(project, images)), self._on_added, self.failed.emit)

    def _on_looked(self, folder: Path, found: Project | tuple[int, Path]) -> None:
        if isinstance(found, Project):
            self.opened.emit(found)
        else:
            self.none_there.emit(folder, *found)

    def _run_through(self, steps: Generator[Any, None, Any]) -> Any:
        """Run a generator of progress to its end, on the thread it is called on."""
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            self._files.tell(partial(self.progressed.emit, step.what, step.done))

    def _on_created(self, project: Project) -> None:
        self.opened.emit(project)
        self._files.run(
            partial(read_index, project.folder), lambda index: self._tell_left_out(index.left_out), self.failed.emit
        )

    def _on_added(self, left_out: tuple[tuple[str, str], ...]) -> None:
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
