"""Makes the pictures of a list of cases, on a thread of their own."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from qtpy.QtCore import QObject

from napari_resmed.io.project import Project
from napari_resmed.viewer.cases.cases_list import CasesList
from napari_resmed.viewer.cases.project_watch import ProjectWatch
from napari_resmed.viewer.cases.thumbnails import case_thumbnail
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.picture_row import THUMBNAIL

__all__ = ["Pictures"]

_log = logging.getLogger(__name__)

# Made at twice their size: sharp on dense screens.
SIZE = 2 * THUMBNAIL


class Pictures(QObject):
    """Gives a list the pictures that it asks for, anew when a case was changed."""

    def __init__(self, watch: ProjectWatch, cases: CasesList, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watch, self._list = watch, cases
        self._thread = Background(self, must_finish=False)
        self._thread.failed.connect(lambda text: _log.debug("no thumbnail: %s", text))
        self.finish = self._thread.finish
        cases.picture_wanted.connect(self._make)
        watch.moved.connect(cases.forget_picture)

    def forget(self) -> None:
        """Make none of those that were asked for."""
        self._thread.forget()

    def forget_all(self) -> None:
        """All of them are out of date."""
        for case in self._watch.cases:
            self._list.forget_picture(case.name)

    def close(self) -> None:
        """Make no more."""
        self._thread.forget()
        self._thread.close()

    def _make(self, name: str) -> None:
        project = self._watch.project
        if project is not None:
            self._thread.run(partial(case_thumbnail, project, name, SIZE), partial(self._show, project, name))

    def _show(self, project: Project, name: str, picture: Any) -> None:
        if project is self._watch.project:
            self._list.show_picture(name, picture)
