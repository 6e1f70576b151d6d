"""The list of models: what each finds, how large it is, where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_resmed.models.catalogue import BUILT_IN
from napari_resmed.models.model import Model

__all__ = ["ModelsList", "comes_from", "described"]

# Two lines and some air.
_ROW_PIXELS = 44
# A list of two models should not look like half a page; one of twenty scrolls.
_LEAST_PIXELS, _MOST_PIXELS = 100, 280
_NAMED_LABELS = 30


class ModelsList(QListWidget):
    """One row a model; the chosen one is :attr:`chosen`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._models: dict[str, Model] = {}

    @property
    def chosen(self) -> Model | None:
        """The model of the chosen row."""
        item = self.currentItem()
        return None if item is None else self._models.get(str(item.data(Qt.ItemDataRole.UserRole)))

    def choose(self, name: str) -> None:
        """Go to the row of a model; to the first where there is none of that name."""
        rows = [self.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.count())]
        if rows:
            self.setCurrentRow(rows.index(name) if name in rows else 0)

    def show_models(self, models: Sequence[Model]) -> None:
        """Fill the list; the chosen model stays chosen where it is still there."""
        before = self.chosen.name if self.chosen else ""
        self.blockSignals(True)
        self.clear()
        self._models = {model.name: model for model in models}
        for model in models:
            item = QListWidgetItem(f"{model.name}\n{described(model)}")
            item.setData(Qt.ItemDataRole.UserRole, model.name)
            item.setSizeHint(QSize(0, _ROW_PIXELS))
            item.setToolTip(_tip(model))
            self.addItem(item)
        self.blockSignals(False)
        self.setFixedHeight(min(max(_LEAST_PIXELS, len(models) * _ROW_PIXELS + 4), _MOST_PIXELS))
        self.choose(before)


def described(model: Model) -> str:
    """A model in one short line."""
    count = f"{len(model.labels)} label{'' if len(model.labels) == 1 else 's'}"
    kind = ", ".join(model.channels) if len(model.channels) <= 2 else f"{len(model.channels)} channels"
    return f"{count} · {kind} · {_size(model.folder)} · {comes_from(model)}"


def comes_from(model: Model) -> str:
    """Where a model comes from, in a word or two."""
    if model.folder is not None and model.folder.parent == BUILT_IN.resolve():
        return "built in"
    other = str(model.training.get("imported_from", ""))
    return f"from {other}" if other else "your own"


def _size(folder: Path | None) -> str:
    if folder is None:
        return "–"
    megabytes = sum(path.stat().st_size for path in (folder / "models").glob("*") if path.is_file()) / 1e6
    return f"{megabytes:.0f} MB" if megabytes >= 1 else f"{megabytes * 1000:.0f} kB"


def _tip(model: Model) -> str:
    names = [label.name for label in model.labels]
    listed = ", ".join(names[:_NAMED_LABELS]) + (" …" if len(names) > _NAMED_LABELS else "")
    return f"{model.description}\n{listed}".strip()
