"""The short table of cases: which labels, painted over which images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QPushButton,
    QSizePolicy,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.viewer.layers import KEY, is_result
from napari_resmed.viewer.parts.grids import on_one_grid
from napari_resmed.viewer.parts.short_table import ShortTable
from napari_resmed.viewer.train.pairs import Pair, is_flat

__all__ = ["PairsTable"]

# Rows shown before the table scrolls.
ROWS_SHOWN = 4
_LABELS, _IMAGE, _PATIENT, _ONLY = range(4)
_PATIENT_TIP = (
    "A name or number of your own; empty: unknown, and no other's.\n"
    "Images of one patient are never on both sides when the model is judged. What their files say stands here."
)
_ONLY_TIP = "Ticked: what is not painted here is unknown.\nNot ticked: what is not painted here is background."
_FIXED = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


@dataclass
class _Wish:
    """What the person chose by hand for a Labels layer; None where they left it to us."""

    images: tuple[Image, ...] | None = None
    ticked: bool | None = None
    patient: str | None = None


@dataclass(frozen=True, eq=False)
class _Row:
    labels: Labels
    images: tuple[Image, ...]
    on_grid: tuple[Image, ...]  # all images it could have been painted over
    ticked: bool


class PairsTable(QWidget):
    """Every Labels layer with the image on its grid; a tick takes it into the training.

    Nothing has to be clicked: of each image one Labels layer is ticked, the active one first, then one that somebody
    painted; what a model made and nobody corrected is left out. Only where there are several pairs, each may say whose
    images they are, and whether only what is painted counts.

    Signals
    -------
    changed()
        Other pairs are ticked, or something was said of one.
    only_said(labels, ticked)
        Whether only what is painted counts in these labels.
    resample_wanted(labels, image)
        The person wants these labels on the grid of this image.
    """

    changed = Signal()
    only_said = Signal(object, bool)
    resample_wanted = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_Row] = []
        self._wishes: WeakKeyDictionary[Labels, _Wish] = WeakKeyDictionary()
        self._images: list[Image] = []
        self._active: Any = None
        self._shown: list[Any] = []
        self._patients: Mapping[Labels, str] = {}  # as the files say it
        self._only: Mapping[Labels, bool] = {}
        self.table = ShortTable(4, ROWS_SHOWN)
        self.table.setHorizontalHeaderLabels(["Labels", "Image", "Patient", "Part"])
        self.table.horizontalHeaderItem(_PATIENT).setToolTip(_PATIENT_TIP)
        self.table.horizontalHeaderItem(_ONLY).setToolTip(f"Painted in part.\n{_ONLY_TIP}")
        header = self.table.horizontalHeader()
        for column in (_LABELS, _IMAGE):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        for column, widest in ((_PATIENT, "patient 10"), (_ONLY, "Part")):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.table.setColumnWidth(column, self.fontMetrics().horizontalAdvance(widest) + 12)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setAccessibleName("Labels to learn from, and the images they were painted over")
        self.table.itemChanged.connect(self._on_item)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)

    @property
    def pairs(self) -> list[Pair]:
        """The ticked pairs that have an image."""
        return [
            Pair(row.labels, row.images, self._wishes[row.labels].patient)
            for row in self._rows
            if row.ticked and row.images
        ]

    @property
    def without_image(self) -> list[Labels]:
        """Ticked labels on whose grid there is no image."""
        return [row.labels for row in self._rows if row.ticked and not row.images]

    @property
    def bare_images(self) -> list[Image]:
        """The volumes with no labels on their grid."""
        covered = {image for row in self._rows for image in row.on_grid}
        return [image for image in self._images if image not in covered and not is_flat(image)]

    def has_image(self, labels: Labels) -> bool:
        """Whether there is an image on the grid of these labels."""
        return any(row.images for row in self._rows if row.labels is labels)

    def __len__(self) -> int:
        return len(self._rows)

    def fill(self, layers: Iterable[Any], active: Any = None) -> None:
        """Show the Labels layers of the window, paired with its images."""
        layers = list(layers)
        self._active = active
        self._images = [layer for layer in layers if isinstance(layer, Image) and not is_result(layer)]
        labels = [layer for layer in reversed(layers) if isinstance(layer, Labels)]
        rows = []
        for layer in labels:
            wish = self._wishes.setdefault(layer, _Wish())
            on_grid = tuple(image for image in self._images if on_one_grid(layer, image))
            chosen = tuple(image for image in wish.images or () if image in on_grid)
            rows.append((layer, chosen or _likely(layer, on_grid, active), on_grid, wish))
        first = _first_of_each_image([(layer, images) for layer, images, _, _ in rows], active)
        self._rows = [
            _Row(layer, images, on_grid, layer in first if wish.ticked is None else wish.ticked)
            for layer, images, on_grid, wish in rows
        ]
        self._show()

    def tick(self, labels: Labels, ticked: bool = True) -> None:
        """Take labels into the training, or leave them out."""
        self._wishes.setdefault(labels, _Wish()).ticked = ticked
        self._refill()

    def choose_images(self, labels: Labels, images: Iterable[Image]) -> None:
        """Say which images labels were painted over, one a channel."""
        self._wishes.setdefault(labels, _Wish()).images = tuple(images)
        self._refill()

    def say_patient(self, labels: Labels, patient: str) -> None:
        """Say whose image labels were painted over; empty: that nobody knows, whatever its file says."""
        said, found = " ".join(patient.split()), self._patients.get(labels, "")
        self._wishes.setdefault(labels, _Wish()).patient = None if said == found else said
        self._show_said()
        self.changed.emit()

    def show_patients(self, found: Mapping[Labels, str]) -> None:
        """Show whose images the files say they are, where a person said nothing else."""
        self._patients = found
        self._show_said()

    def show_only(self, ticked: Mapping[Labels, bool]) -> None:
        """Show in which labels only what is painted counts."""
        self._only = ticked
        self._show_said()

    def _refill(self) -> None:
        layers = [*self._images, *(row.labels for row in reversed(self._rows))]
        self._shown = []  # whatever was clicked is drawn anew
        self.fill(layers, self._active)
        self.changed.emit()

    def _show(self) -> None:
        seen = [
            (row.labels, row.labels.name, row.ticked, row.images, [image.name for image in self._images], row.on_grid)
            for row in self._rows
        ]
        if seen == self._shown and seen:
            self._show_said()
            return  # what has the keyboard keeps it
        self._shown = seen
        self.table.blockSignals(True)
        self.table.setRowCount(len(self._rows))
        for number, row in enumerate(self._rows):
            name = QTableWidgetItem(row.labels.name)
            name.setFlags(_FIXED | Qt.ItemFlag.ItemIsUserCheckable)
            name.setCheckState(Qt.CheckState.Checked if row.ticked else Qt.CheckState.Unchecked)
            name.setToolTip(row.labels.name)
            self.table.setItem(number, _LABELS, name)
            self.table.setCellWidget(number, _IMAGE, self._image_button(row))
            for column in (_PATIENT, _ONLY):
                self.table.setItem(number, column, QTableWidgetItem())
        self.table.blockSignals(False)
        self._show_said()

    def _show_said(self) -> None:
        """What is said of each pair, where there are several."""
        learnt = [row.ticked and bool(row.images) for row in self._rows]
        for column in (_PATIENT, _ONLY):
            self.table.setColumnHidden(column, sum(learnt) < 2)
        self.table.blockSignals(True)
        for number, (row, taken) in enumerate(zip(self._rows, learnt, strict=True)):
            patient, only = self.table.item(number, _PATIENT), self.table.item(number, _ONLY)
            said, found = self._wishes[row.labels].patient, self._patients.get(row.labels, "")
            text = (found if said is None else said) if taken else ""
            overruled = (
                f"Their files say {found}; type that to believe them again."
                if taken and found and text != found
                else ""
            )
            patient.setText(text)
            patient.setToolTip("\n".join(part for part in (text, overruled, _PATIENT_TIP) if part))
            patient.setFlags(_FIXED | Qt.ItemFlag.ItemIsEditable if taken else Qt.ItemFlag.ItemIsSelectable)
            if taken:
                only.setCheckState(Qt.CheckState.Checked if self._only.get(row.labels) else Qt.CheckState.Unchecked)
            else:
                only.setData(Qt.ItemDataRole.CheckStateRole, None)
            only.setToolTip(_ONLY_TIP)
            only.setFlags(_FIXED | Qt.ItemFlag.ItemIsUserCheckable if taken else Qt.ItemFlag.ItemIsSelectable)
        self.table.blockSignals(False)

    def _image_button(self, row: _Row) -> QPushButton:
        if row.images:
            text = " + ".join(image.name for image in row.images)
            tip = f"{row.labels.name} was painted over {text}.\nSeveral images of one grid are channels of one case."
        else:
            text = "single slice" if is_flat(row.labels) else "none on its grid"
            tip = f"No image has the grid of {row.labels.name}."
        button = _Elided(text)
        button.setToolTip(tip)
        button.setAccessibleName(f"Image of {row.labels.name}")
        menu = QMenu(button)
        for image in row.on_grid:
            action = menu.addAction(image.name)
            action.setCheckable(True)
            action.setChecked(image in row.images)
            action.triggered.connect(partial(self._choose, row, image))
        others = [image for image in self._images if image not in row.on_grid]
        if others and not is_flat(row.labels):
            if row.on_grid:
                menu.addSeparator()
            for image in others:
                if not is_flat(image):
                    action = menu.addAction(f"Resample the labels onto {image.name}")
                    action.triggered.connect(partial(self._want_resampled, row.labels, image))
        button.setMenu(menu)
        button.setEnabled(not menu.isEmpty())
        return button

    def _want_resampled(self, labels: Labels, image: Image, *_: bool) -> None:
        self.resample_wanted.emit(labels, image)

    def _choose(self, row: _Row, image: Image, chosen: bool) -> None:
        images = [other for other in row.on_grid if (chosen if other is image else other in row.images)]
        if images:
            self.choose_images(row.labels, images)
        else:
            self._refill()  # one image there must be

    def _on_item(self, item: QTableWidgetItem) -> None:
        row = self._rows[item.row()]
        if item.column() == _PATIENT:
            self.say_patient(row.labels, item.text())
            return
        ticked = item.checkState() == Qt.CheckState.Checked
        if item.column() == _ONLY:
            self.only_said.emit(row.labels, ticked)
            return
        if ticked != row.ticked:
            self.tick(row.labels, ticked)


class _Elided(QPushButton):
    """A button with a menu whose text is shortened in the middle to fit."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._whole = text
        self.setFlat(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setStyleSheet("QPushButton { text-align: left; padding-left: 4px; }")

    def sizeHint(self) -> QSize:  # noqa: N802
        """As narrow as the column."""
        return QSize(20, super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Shorten anew."""
        super().resizeEvent(event)
        room = self.width() - 30  # the arrow, and the space around
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideMiddle, max(20, room)))


def _likely(labels: Labels, images: tuple[Image, ...], active: Any) -> tuple[Image, ...]:
    """The image it was most likely painted over: the active one, the one it is named after, a visible one."""
    if not images:
        return ()
    if active in images:
        return (active,)
    source = labels.metadata.get(KEY, {}).get("name", "")
    named = [image for image in images if labels.name.startswith(image.name) or (source and source == image.name)]
    visible = [image for image in images if image.visible]
    return ((named or visible or list(images))[-1],)


def _first_of_each_image(rows: list[tuple[Labels, tuple[Image, ...]]], active: Any) -> set[Labels]:
    """The Labels layers to tick where nobody said anything."""
    best: dict[Any, tuple[int, Labels]] = {}
    for labels, images in rows:
        if not images or is_flat(labels):
            continue
        # napari keeps what was painted for undoing it; without that, only what is active is known to be worked on.
        worked_on = bool(getattr(labels, "_undo_history", ()))
        worth = 3 if labels is active else 2 if worked_on else 0 if is_result(labels) else 1
        if worth and worth > best.get(images[0], (0, None))[0]:
            best[images[0]] = (worth, labels)
    return {labels for _, labels in best.values()}
