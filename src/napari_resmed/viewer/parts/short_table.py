"""A table that takes no more room than its rows need."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QSizePolicy, QTableWidget, QWidget

__all__ = ["ShortTable"]

# Of a table that gives way.
LEAST_ROWS = 4


class ShortTable(QTableWidget):
    """A table as high as its rows, and never lower than one; of more than some of them it scrolls.

    One that may stretch gives way to what is around it, too, down to a few rows.

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
        self._least_rows = min(most_rows, LEAST_ROWS) if may_stretch else most_rows
        policy = QSizePolicy.Policy.Expanding if may_stretch else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, policy)
        self.model().rowsInserted.connect(self._on_rows)
        self.model().rowsRemoved.connect(self._on_rows)
        # The window's style, known only when it is shown, makes a header higher.
        self.horizontalHeader().geometriesChanged.connect(self.updateGeometry)
        self.horizontalScrollBar().rangeChanged.connect(self._on_rows)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Header, rows, frame, and the bar where columns are out of sight."""
        return QSize(super().sizeHint().width(), self._height(self._most_rows))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As high, or of the few rows; as narrow as any table."""
        return QSize(super().minimumSizeHint().width(), self._height(self._least_rows))

    def _height(self, most_rows: int) -> int:
        rows = min(max(self.rowCount(), 1), most_rows) * self.verticalHeader().defaultSectionSize()
        bar = self.horizontalScrollBar()
        below = bar.sizeHint().height() if bar.maximum() > 0 else 0
        return int(self.horizontalHeader().sizeHint().height() + rows + below + 2 * self.frameWidth())

    def _on_rows(self, *_: object) -> None:
        self.updateGeometry()
