"""What the Cases dock shows before there is a project: choose a folder, say where the project shall lie."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QStackedWidget, QVBoxLayout, QWidget

from napari_resmed.viewer.cases.new_project import NewProject
from napari_resmed.viewer.cases.project_maker import ProjectMaker
from napari_resmed.viewer.parts.invitation import Invitation

__all__ = ["StartPages"]

_WELCOME, _NEW = range(2)


class StartPages(QStackedWidget):
    """Two pages: the invitation, and the question whether a project shall be made.

    Parameters
    ----------
    maker:
        Opens and makes projects.

    Signals
    -------
    asked()
        There is a question to answer: this page should be seen.
    dismissed()
        Rather not.
    """

    asked = Signal()
    dismissed = Signal()

    def __init__(self, maker: ProjectMaker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._maker = maker
        welcome = Invitation(
            "Annotate a folder of images",
            "Choose a folder, or drop one here: images, a project, or raw data of nnU-Net.",
            "&Choose folder…",
        )
        welcome.accepted.connect(self.choose)
        self.new_project = NewProject()
        self.new_project.wanted.connect(self.make)
        self.new_project.dismissed.connect(self._dismiss)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.new_project)
        layout.addStretch()
        for one in (welcome, page):
            self.addWidget(one)
        maker.none_there.connect(self._ask)
        maker.begun.connect(partial(self.new_project.create_button.setEnabled, False))
        maker.ended.connect(partial(self.new_project.create_button.setEnabled, True))

    @property
    def is_asking(self) -> bool:
        """Whether it is asked where the project shall lie."""
        return bool(self.currentIndex() == _NEW)

    def choose(self, start: str = "") -> None:
        """Ask for a folder: a project, raw data of nnU-Net, or images."""
        chosen = QFileDialog.getExistingDirectory(self, "A folder of images, or a project", start or "")
        if chosen:
            self._maker.look_into(Path(chosen))

    def make(self, images: Path, place: Path) -> None:
        """Make a project of a folder of images."""
        self._maker.make(images, place)

    def _ask(self, folder: Path, number: int, place: Path) -> None:
        self.new_project.ask(folder, number, place)
        self.setCurrentIndex(_NEW)
        self.asked.emit()

    def _dismiss(self) -> None:
        self.setCurrentIndex(_WELCOME)
        self.dismissed.emit()
