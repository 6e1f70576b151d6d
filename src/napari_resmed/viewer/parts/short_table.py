"""A table that takes no more room than its rows need."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QSizePolicy, QTableWidget, QWidget

__all__ = ["ShortTable"]


class ShortTable(QTableWidget):
    """A table as high as its rows, and never lower than one; of more than some of them it scrolls.

    Parameters
    ----------
    columns:
        How many.
    most_rows:
        How many rows are seen without scrolling.
    may_stretch:
        Whether it takes the room that is left over.
    parent:
        The widget it lies in.
    """

    def __init__(
        self, columns: int, most_rows: int, parent: QWidget | None = None, *, may_stretch: bool = False
    ) -> None:
        super().__init__(0, columns, parent)
        self._most_rows = most_rows
        self.verticalHeader().hide()
        policy = QSizePolicy.Policy.MinimumExpanding if may_stretch else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, policy)
        self.model().rowsInserted.connect(self._on_rows)
        self.model().rowsRemoved.connect(self._on_rows)
        # The window's style, known only when it is shown, makes a header higher.
        self.horizontalHeader().geometriesChanged.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Header, rows and frame."""
        rows = min(max(self.rowCount(), 1), self._most_rows) * self.verticalHeader().defaultSectionSize()
        height = self.horizontalHeader().sizeHint().height() + rows + 2 * self.frameWidth()
        return QSize(super().sizeHint().width(), height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As high; as narrow as any table."""
        return QSize(super().minimumSizeHint().width(), self.sizeHint().height())

    def _on_rows(self, *_: object) -> None:
        self.updateGeometry()
