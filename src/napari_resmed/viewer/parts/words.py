"""Text in a dock."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

__all__ = ["plain_words", "words"]


def words(*, small: bool = False, selectable: bool = False) -> QLabel:
    """A label whose text wraps and never widens the dock; rich text: what comes from elsewhere has to be escaped."""
    label = QLabel()
    # Said, for Qt guesses by the tags in it: an escaped quotation mark alone would be shown as it is written.
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    if small:
        label.setStyleSheet("QLabel { font-size: 8pt; }")
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def plain_words() -> QLabel:
    """A label for what may hold names of files: no markup, and it can be copied."""
    label = words(selectable=True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
