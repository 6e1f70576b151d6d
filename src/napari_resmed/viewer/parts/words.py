"""Text in a dock."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QApplication, QLabel, QMenu, QSizePolicy

from napari_resmed.viewer.parts.breakable import breakable, unbroken

__all__ = ["Words", "plain_words", "words"]


class Words(QLabel):
    """A label that breaks long names, too, where they have no blank; :meth:`text` is what was set."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def setText(self, text: str | None) -> None:  # noqa: N802
        """Show it, with chances for a break in what is long."""
        self._said = text or ""
        super().setText(breakable(self._said, rich=self.textFormat() == Qt.TextFormat.RichText))

    def text(self) -> str:
        """What was set."""
        return self._said

    def copy(self) -> None:
        """What is selected to the clipboard, as it was set."""
        clipboard = QApplication.clipboard()
        if self.hasSelectedText() and clipboard is not None:
            clipboard.setText(unbroken(self.selectedText()))

    def keyPressEvent(self, ev: QKeyEvent | None) -> None:  # noqa: N802
        """Qt's own copying would take the chances along."""
        if ev is not None and ev.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            ev.accept()
        else:
            super().keyPressEvent(ev)

    def contextMenuEvent(self, ev: QContextMenuEvent | None) -> None:  # noqa: N802
        """So would its menu."""
        if ev is None or not self.hasSelectedText():
            super().contextMenuEvent(ev)
            return
        menu = QMenu(self)
        menu.addAction("&Copy", self.copy)
        menu.exec(ev.globalPos())


def words(*, small: bool = False, selectable: bool = False) -> Words:
    """A label whose text wraps and never widens the dock; rich text: what comes from elsewhere has to be escaped."""
    label = Words()
    # Said, for Qt guesses by the tags in it: an escaped quotation mark alone would be shown as it is written.
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    if small:
        label.setStyleSheet("QLabel { font-size: 8pt; }")
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def plain_words() -> Words:
    """A label for what may hold names of files: no markup, and it can be copied."""
    label = words(selectable=True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
