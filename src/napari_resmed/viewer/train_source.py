"""What a training learns from: the labels painted in this window, or cases on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_resmed.case import Dataset
from napari_resmed.errors import ResMedError
from napari_resmed.io.datasets import read_dataset
from napari_resmed.labels import Label
from napari_resmed.viewer.background import Background
from napari_resmed.viewer.collect_cases import collect_cases
from napari_resmed.viewer.complete_slices import complete_slices, current_slice, mark
from napari_resmed.viewer.label_meanings import LabelMeanings, labels_in, paint_colours, rename
from napari_resmed.viewer.layers import KEY, attributes_of
from napari_resmed.viewer.painted import BACKGROUND, Painted, look_through, why_not
from napari_resmed.viewer.pairs import Pair, channels_of, is_flat, is_result, place_of, spatial_shape
from napari_resmed.viewer.pairs_table import PairsTable
from napari_resmed.viewer.resample_labels import attributes_on, resample_labels
from napari_resmed.viewer.words import words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["TrainSource"]

# How long after the last stroke what is painted is looked through again.
LOOK_AGAIN_MS = 500
_WATCHED = (
    "name", "data", "paint", "labels_update", "features", "colormap", "scale", "translate", "rotate", "shear", "affine",
)  # fmt: skip
_PAINT = ("data", "paint", "labels_update")


class TrainSource(QWidget):
    """Choose what is learnt from; nothing has to be clicked on the usual path.

    Parameters
    ----------
    viewer:
        Whose layers are offered.

    Signals
    -------
    changed()
        Something else would be learnt from now.
    said(str)
        Something to tell the person.
    """

    changed = Signal()
    said = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._painted: WeakKeyDictionary[Labels, Painted] = WeakKeyDictionary()
        self._unread: WeakSet[Labels] = WeakSet()  # painted on since they were looked through
        self._looking: WeakSet[Labels] = WeakSet()
        self._watched: WeakSet[Any] = WeakSet()
        self._only_painted_by_hand = False
        self._resampling = False
        self._asleep = False
        self.data: Path | None = None  # cases on disk; None: layers
        self.dataset: Dataset | None = None
        self._aside = Background(self, must_finish=False)
        self._aside.failed.connect(self.said)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(LOOK_AGAIN_MS)
        self._again.timeout.connect(self.refresh)
        self._build()
        layers, dims = viewer.layers, viewer.dims
        self._listening: list[tuple[Any, Callable[..., Any]]] = [
            (layers.events.inserted, self.refresh),
            (layers.events.removed, self.refresh),
            (layers.events.reordered, self.refresh),
            (layers.selection.events.active, self.refresh),
            (dims.events.point, self._show_slice),
            (dims.events.order, self._show_slice),
            (dims.events.ndisplay, self._show_slice),
        ]
        for emitter, callback in self._listening:
            emitter.connect(callback)

    # What is seen ------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.source_words = words()
        self.source_button = QPushButton("From disk")
        self.source_button.setToolTip(
            "Learn from cases on disk: a folder of nnU-Net or the Decathlon, images/ and labels/, or a CSV"
        )
        menu = QMenu(self.source_button)
        menu.addAction("A folder…").triggered.connect(lambda *_: self._ask_folder())
        menu.addAction("A table (CSV)…").triggered.connect(lambda *_: self._ask_table())
        self._back_to_layers = menu.addAction("The layers of this window")
        self._back_to_layers.triggered.connect(lambda *_: self.set_data(""))
        self.source_button.setMenu(menu)
        row = QHBoxLayout()
        row.addWidget(self.source_words, 1)
        row.addWidget(self.source_button)

        self.pairs = PairsTable()
        self.pairs.changed.connect(self.refresh)
        self.pairs.resample_wanted.connect(self._resample)
        self.advice = words()
        self.resample_button = QPushButton("Resample the labels onto the image")
        self.resample_button.setToolTip("Makes a new layer; the labels stay as they are")
        self.resample_button.clicked.connect(self._resample_first)
        self.new_labels_button = QPushButton("New &labels over the image")
        self.new_labels_button.setToolTip("An empty Labels layer on the grid of the image, ready to paint")
        self.new_labels_button.clicked.connect(self._add_labels)
        self.names = LabelMeanings()
        self.names.renamed.connect(self._on_renamed)
        self.only_painted = QCheckBox("&Only what is painted")
        self.only_painted.setToolTip(
            "Ticked: what is not painted is unknown, and not learnt from.\n"
            "Not ticked: what is not painted is background."
        )
        self.only_painted.clicked.connect(self._on_only_painted)
        self.only_painted_note = words(small=True)
        self._layers = QWidget()
        layout = QVBoxLayout(self._layers)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pairs)
        layout.addWidget(self.advice)
        layout.addWidget(self.resample_button)
        layout.addWidget(self.new_labels_button)
        layout.addWidget(self.names)
        layout.addWidget(self.only_painted)
        layout.addWidget(self.only_painted_note)
        layout.addWidget(self._build_slices())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addLayout(row)
        whole.addWidget(self._layers)

    def _build_slices(self) -> QWidget:
        self.slice_button = QPushButton()
        self.slice_button.setCheckable(True)
        self.slice_button.setToolTip(
            "On the slice you see, everything unpainted is background.\nPress again to take the mark away."
        )
        self.slice_button.clicked.connect(self._mark_slice)
        self.all_slices_button = QPushButton("All &painted ones")
        self.all_slices_button.setToolTip("Mark every slice on which something is painted as complete")
        self.all_slices_button.clicked.connect(self._mark_painted)
        self.slices_note = words(small=True)
        self.unmark_button = QPushButton("&Unmark")
        self.unmark_button.setToolTip("Take all marks away")
        self.unmark_button.clicked.connect(self._unmark_all)
        told = QHBoxLayout()
        told.addWidget(self.slices_note, 1)
        told.addWidget(self.unmark_button)
        buttons = QHBoxLayout()
        buttons.addWidget(self.slice_button, 1)
        buttons.addWidget(self.all_slices_button)
        self.slices = QWidget()
        layout = QVBoxLayout(self.slices)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addLayout(told)
        return self.slices

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for emitter, callback in self._listening:
            emitter.disconnect(callback)
        self._listening = []
        for layer in list(self._watched):
            for name in _WATCHED:
                if name in layer.events.emitters:
                    layer.events[name].disconnect(self._on_layer)
        self._watched.clear()
        self._again.stop()
        self._aside.forget()
        self._aside.close()

    def sleep(self, asleep: bool) -> None:
        """While a training runs nothing is looked at: it would only take time from it."""
        self._asleep = asleep
        if not asleep:
            self.refresh()

    # Cases on disk -----------------------------------------------------------------------------------------

    def set_data(self, path: str) -> None:
        """Learn from cases on disk; an empty path goes back to the layers of the window.

        Parameters
        ----------
        path:
            What :func:`napari_resmed.io.datasets.read_dataset` reads.
        """
        self.data, self.dataset = (Path(path) if path else None), None
        if self.data is not None:
            data = self.data
            self._aside.run(partial(_found_in, data), self._on_found)
        self.refresh()

    def _on_found(self, result: tuple[Path, Dataset | str]) -> None:
        data, found = result
        if data != self.data:
            return
        if isinstance(found, str):
            self.set_data("")
            self.said.emit(found)
            show_error(found)
        else:
            self.dataset = found
            self.refresh()

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "A folder of cases to learn from")
        if path:
            self.set_data(path)

    def _ask_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "A table of cases to learn from", "", "Table (*.csv)")
        if path:
            self.set_data(path)

    def _describe(self) -> None:
        self._layers.setVisible(self.data is None)
        self._back_to_layers.setVisible(self.data is not None)
        self.source_words.setToolTip(str(self.data or ""))
        if self.data is None:
            self.source_words.setText("Learn from the layers of this window")
        elif self.dataset is None:
            self.source_words.setText(f"Looking into <b>{escape(self.data.name)}</b>…")
        else:
            found = self.dataset
            without = sum(case.labels is None for case in found.cases)
            cases = f"{len(found.cases)} cases" + (f" ({without} of them without labels)" if without else "")
            names = escape(", ".join(label.name for label in found.labels))
            channels = escape(", ".join(found.channels))
            self.source_words.setText(f"Learn from <b>{escape(self.data.name)}</b>: {cases} of {channels}; {names}")

    # Layers ------------------------------------------------------------------------------------------------

    def refresh(self, event: Any = None) -> None:
        """Bring everything up to date with the layers of the window."""
        if self._asleep:
            return
        self._again.stop()
        self.pairs.fill(self._viewer.layers, self._active)
        self.pairs.setVisible(len(self.pairs) > 0)
        for layer in self._viewer.layers:
            self._watch(layer)
        self._describe()
        self._look_through()
        self._describe_labels()

    @property
    def _active(self) -> Any:
        """The active layer itself: napari hands plugins a stand-in for it, which is another object."""
        active = self._viewer.layers.selection.active
        return next((layer for layer in self._viewer.layers if layer == active), None)

    def _watch(self, layer: Any) -> None:
        if layer in self._watched or not isinstance(layer, Image | Labels):
            return
        self._watched.add(layer)
        for name in _WATCHED:
            if name in layer.events.emitters:
                layer.events[name].connect(self._on_layer)

    def _on_layer(self, event: Any) -> None:
        if isinstance(event.source, Labels) and event.type in _PAINT:
            self._unread.add(event.source)
        if not self._asleep:
            self._again.start()

    def _look_through(self) -> None:
        """Look through what was painted since the last time, on threads."""
        for pair in self.pairs.pairs:
            layer = pair.labels
            if layer.ndim > 3 or layer in self._looking or (layer in self._painted and layer not in self._unread):
                continue
            self._unread.discard(layer)
            self._looking.add(layer)
            data = layer.data[0] if layer.multiscale else layer.data
            self._aside.run(partial(_look_through, layer, data), self._on_looked)

    def _on_looked(self, result: tuple[Labels, Painted]) -> None:
        layer, painted = result
        self._painted[layer] = painted
        self._looking.discard(layer)
        if self._asleep:
            return
        if layer in self._unread:
            self._again.start()
        self._describe_labels()

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that is painted was looked through."""
        waiting = self._unread | self._looking
        return all(pair.labels in self._painted and pair.labels not in waiting for pair in self.pairs.pairs)

    @property
    def known(self) -> list[tuple[Pair, Painted]]:
        """The ticked pairs, as far as they were looked through already."""
        return [(pair, self._painted[pair.labels]) for pair in self.pairs.pairs if pair.labels in self._painted]

    @property
    def labels(self) -> list[Label]:
        """What is painted in the ticked pairs; a name that one of them gives wins over none."""
        found: dict[int, Label] = {}
        for pair, painted in self.known:
            for label in labels_in(pair.labels, painted.counts):
                if label.value not in found or found[label.value].name == f"label {label.value}":
                    found[label.value] = label
        return [found[value] for value in sorted(found)]

    def _describe_labels(self) -> None:
        known, labels = self.known, self.labels
        voxels: dict[int, int] = {}
        for _, painted in known:
            for value, count in painted.counts.items():
                voxels[value] = voxels.get(value, 0) + count
        self.names.setVisible(bool(labels))
        self.names.show_labels(labels, voxels)
        self._propose_only_painted(known, labels)
        self._show_slice()
        self._advise()
        self.changed.emit()

    def _propose_only_painted(self, known: list[tuple[Pair, Painted]], labels: list[Label]) -> None:
        """Whether unpainted is unknown, unless the person said; one line says why."""
        self.only_painted.setVisible(bool(known))
        self.only_painted_note.setVisible(bool(known))
        background = any(label.name.casefold() == BACKGROUND for label in labels)
        partly = [
            painted
            for pair, painted in known
            if complete_slices(pair.labels) or painted.is_partly(tuple(np.abs(pair.labels.scale[-3:])))
        ]
        if not self._only_painted_by_hand:
            self.only_painted.setChecked(background or bool(partly))
        note = "What is not painted counts as background."
        if self.only_painted.isChecked():
            note = "What is not painted counts as unknown, not as background."
            if partly and not self._only_painted_by_hand:
                along = partly[0].slices[partly[0].axis]
                painted_slices = f"{int(along.sum())} of {len(along)} slices are painted"
                note = f"{painted_slices}: the rest counts as unknown, not as background."
            elif background:
                note = "Background is painted too: the rest counts as unknown."
        self.only_painted_note.setText(note)
        self.slices.setVisible(bool(known) and self.only_painted.isChecked())

    def _on_only_painted(self) -> None:
        self._only_painted_by_hand = True
        self._describe_labels()

    def _on_renamed(self, value: int, name: str) -> None:
        for pair in self.pairs.pairs:
            rename(pair.labels, value, name)
        self._describe_labels()

    # Slices that are complete ------------------------------------------------------------------------------

    def _marked_layer(self) -> Labels | None:
        """The labels whose slices the button marks: the active ones where they are ticked."""
        ticked = [pair.labels for pair in self.pairs.pairs]
        active = self._active
        return active if active in ticked else ticked[0] if ticked else None

    def _show_slice(self, event: Any = None) -> None:
        if self._asleep or not self.only_painted.isChecked():
            return
        layer = self._marked_layer()
        here = current_slice(self._viewer, layer) if layer is not None else None
        marks = complete_slices(layer) if layer is not None else []
        self.slice_button.setEnabled(here is not None)
        self.slice_button.setChecked(here in marks)
        self.slice_button.setText("This &slice is complete" + (" ✓" if here in marks else ""))
        self.all_slices_button.setEnabled(any(painted.counts for _, painted in self.known))
        count = sum(len(complete_slices(pair.labels)) for pair in self.pairs.pairs)
        self.unmark_button.setVisible(count > 0)
        if count:
            marked = f"{count} slice{'s are' if count > 1 else ' is'} marked"
            self.slices_note.setText(f"{marked}: what is unpainted there is background.")
        else:
            self.slices_note.setText("Mark slices on which nothing is left to paint: there the rest is background.")

    def _mark_slice(self) -> None:
        layer = self._marked_layer()
        here = current_slice(self._viewer, layer) if layer is not None else None
        if layer is not None and here is not None:
            mark(layer, [here], here not in complete_slices(layer))
        self._describe_labels()

    def _mark_painted(self) -> None:
        for pair, painted in self.known:
            if painted.counts:
                axis = painted.axis
                mark(pair.labels, [(axis, int(index)) for index in np.flatnonzero(painted.slices[axis])])
        self._describe_labels()

    def _unmark_all(self) -> None:
        for pair in self.pairs.pairs:
            mark(pair.labels, complete_slices(pair.labels), False)
        self._describe_labels()

    # What is wrong, and the way out ------------------------------------------------------------------------

    @property
    def _images(self) -> list[Any]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Image) and not is_result(layer)]

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to learn from."""
        return bool(self.pairs.pairs) if self.data is None else self.dataset is not None

    def _advise(self) -> None:
        """Say what is missing, before the click."""
        trouble = self.trouble()
        volumes = [image for image in self._images if not is_flat(image)]
        self.advice.setText(escape(trouble))
        self.advice.setVisible(bool(trouble))
        deep = any(pair.labels.ndim > 3 for pair in self.pairs.pairs)
        self.new_labels_button.setVisible(bool(volumes) and (deep or not len(self.pairs)))
        self.resample_button.setVisible(self._homeless() is not None)
        self.resample_button.setEnabled(not self._resampling)

    def _homeless(self) -> tuple[Labels, Image] | None:
        """Labels on whose grid no image lies, though there is an image: what "Resample" is offered for."""
        labels = self.pairs.without_image
        if not labels and not self.pairs.pairs:
            labels = [layer for layer in self._viewer.layers if isinstance(layer, Labels) and not is_flat(layer)]
            labels = [layer for layer in labels if not self.pairs.has_image(layer)]
        volumes = [image for image in self._images if not is_flat(image)]
        if not labels or not volumes:
            return None
        active = self._active
        return labels[0], active if active in volumes else volumes[-1]

    def trouble(self, *, at_click: bool = False) -> str:
        """Why training could not begin, in one sentence; empty where nothing is known to be wrong.

        Parameters
        ----------
        at_click:
            Say nothing of paint that was changed since it was looked through.
        """
        if self.data is not None:
            return ""
        every_label = [layer for layer in self._viewer.layers if isinstance(layer, Labels)]
        if not self._images:
            if every_label:
                return "Labels alone teach nothing: open the image that they were painted over."
            return "Open an image first: drop a file or a DICOM folder on the window."
        if all(is_flat(image) for image in self._images):
            return "The image is a single slice (2D); training needs volumes of several slices."
        if not every_label:
            return "Nothing is painted yet: paint the structure on some slices of a Labels layer."
        homeless = self._homeless()
        if homeless is not None:
            return (
                f"{homeless[0].name} lies on another grid than {homeless[1].name}; resample the labels onto the image."
            )
        pairs = self.pairs.pairs
        if not pairs and all(is_flat(layer) for layer in every_label):
            return "The labels are a single slice (2D); training needs volumes of several slices."
        if not pairs:
            return "Tick the labels to learn from."
        if any(is_flat(pair.labels) for pair in pairs):
            flat = next(pair.labels.name for pair in pairs if is_flat(pair.labels))
            return f"{flat} is a single slice (2D); training needs volumes of several slices."
        if any(pair.labels.ndim > 3 for pair in pairs):
            deep = next(pair.labels for pair in pairs if pair.labels.ndim > 3)
            return (
                f"{deep.name} has {deep.ndim} dimensions, expected 3; make new labels over the image and paint there."
            )
        numbers = {sum(channels_of(image) for image in pair.images): pair.labels.name for pair in pairs}
        if len(numbers) > 1:
            (few, one), (many, other) = sorted(numbers.items())[:2]
            return f"{one} has {few} image{'s' * (few > 1)} and {other} has {many}; every case needs the same images."
        if len(self.known) < len(pairs) or (at_click and not self.is_up_to_date):
            return ""  # still looking; the job is told of what is painted in any case
        cases = [(pair.labels.name, painted, len(complete_slices(pair.labels))) for pair, painted in self.known]
        return why_not(cases, {label.value: label.name for label in self.labels}, self.only_painted.isChecked())

    def _add_labels(self) -> None:
        """An empty Labels layer exactly over the image, active and ready to paint."""
        volumes = [image for image in self._images if not is_flat(image)]
        active = self._active
        if not volumes:
            return
        image = active if active in volumes else volumes[-1]
        place = attributes_on(attributes_of(image), f"{image.name} labels")
        layer = Labels(np.zeros(spatial_shape(image), np.uint8), colormap=paint_colours(), **place)
        self._viewer.add_layer(layer)
        layer.mode = "paint"

    def _resample_first(self) -> None:
        homeless = self._homeless()
        if homeless is not None:
            self._resample(*homeless)

    def _resample(self, labels: Labels, image: Image) -> None:
        """Make a new layer: these labels on the grid of this image."""
        place, onto = place_of(labels), place_of(image)
        if self._resampling or place is None or onto is None:
            return
        data = labels.data[0] if labels.multiscale else labels.data
        attributes = attributes_on(attributes_of(image), f"{labels.name} on {image.name}")
        attributes |= {"colormap": labels.colormap, "features": labels.features.copy(), "opacity": labels.opacity}

        def work() -> Any:
            try:
                return resample_labels(data, place, onto)
            except (ResMedError, MemoryError) as problem:
                return str(problem) or "out of memory"

        def show(found: Any) -> None:
            self._resampling = False
            if isinstance(found, str):
                self.said.emit(found)
                show_error(found)
                self._advise()
                return
            self.pairs.tick(labels, False)
            self._viewer.add_layer(Labels(found, **attributes))
            self.said.emit(f"Made {attributes['name']}; {labels.name} is as it was.")

        self._resampling = True
        self.said.emit(f"Resampling {labels.name}…")
        self._advise()
        self._aside.run(work, show)

    # What is handed over -----------------------------------------------------------------------------------

    @property
    def channels(self) -> int:
        """How many images a case has."""
        if self.dataset is not None:
            return len(self.dataset.channels)
        pairs = self.pairs.pairs
        return sum(channels_of(image) for image in pairs[0].images) if pairs else 1

    @property
    def modalities(self) -> set[str]:
        """What kinds of images there are, as far as they say so."""
        images = [image for pair in self.pairs.pairs for image in pair.images]
        return {image.metadata.get(KEY, {}).get("modality", "") for image in images} - {""}

    @property
    def made_by(self) -> str:
        """The model whose answer is learnt from, corrected; empty where all was painted by hand."""
        for pair in self.pairs.pairs:
            meta: Mapping[str, Any] = pair.labels.metadata.get(KEY, {}).get("meta", {})
            if meta.get("made_by"):
                return str(meta["made_by"].get("model", ""))
        return ""

    @property
    def structures(self) -> list[str]:
        """Names of what will be learnt."""
        labels = list(self.dataset.labels) if self.dataset is not None else self.labels
        return [label.name for label in labels if label.name.casefold() != BACKGROUND]

    def collect(self) -> Callable[[], str | list[dict[str, Any]]]:
        """Take everything as it is at this moment; the job's ``data`` is what the returned function gives."""
        if self.data is not None:
            path = str(self.data)
            return lambda: path
        return collect_cases(self.pairs.pairs, only_painted=self.only_painted.isChecked())


def _look_through(layer: Labels, data: Any) -> tuple[Labels, Painted]:
    return layer, look_through(data)


def _found_in(data: Path) -> tuple[Path, Dataset | str]:
    """The cases there, or why there are none."""
    try:
        return data, read_dataset(data)[0]
    except ResMedError as problem:
        return data, str(problem)
    except OSError as problem:
        return data, f"{data} cannot be read: {(problem.strerror or 'unknown reason').lower()}"
