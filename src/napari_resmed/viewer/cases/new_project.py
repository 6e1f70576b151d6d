"""What stands between a folder of images and a project: where it shall lie."""

from __future__ import annotations

from html import escape
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

__all__ = ["NewProject"]


class NewProject(QWidget):
    """Says what will be made and where; nothing needs to be typed.

    Signals
    -------
    wanted(Path, Path)
        Make a project of these images in this folder.
    dismissed()
        Rather not.
    """

    wanted = Signal(object, object)
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images = Path()
        self.question = QLabel()
        self.question.setWordWrap(True)
        self.question.setTextFormat(Qt.TextFormat.RichText)
        self.place = QLineEdit()
        self.place.setToolTip("The folder that the project will be; a name like Dataset501_liver is nnU-Net's")
        self.place.setAccessibleName("Folder of the new project")
        choose = QPushButton("…")
        choose.setToolTip("Choose another place")
        choose.setFixedWidth(32)
        choose.clicked.connect(self._choose)
        self.create_button = QPushButton("&Create project")
        self.create_button.setMinimumHeight(32)
        self.create_button.setDefault(True)
        self.create_button.clicked.connect(lambda: self.wanted.emit(self._images, Path(self.place.text()).expanduser()))
        self.back_button = QPushButton("Back")
        self.back_button.clicked.connect(self.dismissed)
        where = QHBoxLayout()
        where.addWidget(self.place, 1)
        where.addWidget(choose)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back_button)
        buttons.addWidget(self.create_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.question)
        layout.addWidget(QLabel("The project will lie in"))
        layout.addLayout(where)
        layout.addLayout(buttons)

    def ask(self, images: Path, number: int, place: Path) -> None:
        """Ask about a folder with a number of cases."""
        self._images = images
        cases = "one case" if number == 1 else f"{number} cases"
        name = escape("/".join(images.parts[-2:]))
        self.question.setText(
            f"<b>{name}</b> holds {cases}. A project keeps their labels and how far each "
            "has come; the images stay where they are and as they are."
        )
        self.place.setText(str(place))
        self.place.setCursorPosition(len(str(place)))

    def _choose(self) -> None:
        now = Path(self.place.text())
        chosen = QFileDialog.getExistingDirectory(self, "Where shall the project lie?", str(now.parent))
        if chosen:
            self.place.setText(str(Path(chosen) / now.name))
