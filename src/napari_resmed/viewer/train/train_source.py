"""What a training learns from: the labels painted in this window, or cases on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from napari.utils.notifications import show_error
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_resmed.labels import Label
from napari_resmed.train.painted import BACKGROUND, Painted
from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.label_meanings import labels_in, rename
from napari_resmed.viewer.parts.label_table import LabelTable
from napari_resmed.viewer.parts.over_image import empty_labels
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.collect_cases import collect_cases
from napari_resmed.viewer.train.looked_for import LookedFor
from napari_resmed.viewer.train.new_labels import resampled_labels
from napari_resmed.viewer.train.only_painted import OnlyPainted
from napari_resmed.viewer.train.paint_keeper import PaintKeeper
from napari_resmed.viewer.train.painted_layers import PaintedLayers
from napari_resmed.viewer.train.pairs import Pair, channels_of
from napari_resmed.viewer.train.pairs_table import PairsTable
from napari_resmed.viewer.train.patients import origin_of, patients_of
from napari_resmed.viewer.train.source import Source
from napari_resmed.viewer.train.trouble import homeless, trouble_with_layers, trouble_with_paint, volumes_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["TrainSource"]


class TrainSource(Source):
    """Choose what is learnt from; nothing has to be clicked on the usual path.

    Parameters
    ----------
    viewer:
        Whose layers are offered.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self._resampling = False
        self._asked: tuple[Image, ...] = ()  # the images of whose patients the files were asked last
        self._painted = PaintedLayers(self._aside, self)
        self._painted.touched.connect(self.refresh)
        self._painted.looked.connect(self._describe_labels)
        self.keeper = PaintKeeper(viewer, lambda: self.pairs.pairs)
        self.keeper.said.connect(self.said)
        self.keeper.found.connect(self.refresh)
        self._painted.painted.connect(self.keeper.touch)
        self._build()
        self._listen(self.refresh, viewer.layers.selection.events.active)
        self._listen(self._show_slice, viewer.dims.events.point, viewer.dims.events.order, viewer.dims.events.ndisplay)

    def _build(self) -> None:
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
        self.names = LabelTable()
        self.names.renamed.connect(self._on_renamed)
        self.sought = LookedFor()
        self.sought.changed.connect(self._describe_labels)
        self.only = OnlyPainted(self._viewer, lambda: self._active)
        self.only.changed.connect(self._describe_labels)
        self.only.slices.marked.connect(self._keep_marks)
        self.pairs.only_said.connect(self.only.say)
        self._layers = QWidget()
        layout = QVBoxLayout(self._layers)
        layout.setContentsMargins(0, 0, 0, 0)
        buttons = (self.resample_button, self.new_labels_button)
        for part in (self.pairs, self.advice, self.keeper, *buttons, self.names, self.sought, self.only):
            layout.addWidget(part)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.disk)
        whole.addWidget(self._layers)

    def let_go(self) -> None:
        """Listen to nothing any more."""
        self._painted.let_go()
        self.keeper.let_go()
        super().let_go()

    def sleep(self, asleep: bool) -> None:
        """While a training runs nothing is looked at: it would only take time from it."""
        self._painted.asleep = asleep
        super().sleep(asleep)

    def refresh(self, event: Any = None) -> None:
        """Bring everything up to date with the layers of the window."""
        if self._asleep:
            return
        self.pairs.fill(self._viewer.layers, self._active)
        self.pairs.setVisible(len(self.pairs) > 0)
        self._painted.watch(self._viewer.layers)
        self._layers.setVisible(self.data is None)
        self._painted.look(pair.labels for pair in self.pairs.pairs)
        self.keeper.show_images(self.pairs.bare_images)
        self._ask_for_patients()
        self._describe_labels()

    def _ask_for_patients(self) -> None:
        """Ask the files which of several pairs are of one patient."""
        pairs = self.pairs.pairs
        images = tuple(pair.images[0] for pair in pairs)
        if images == self._asked:
            return
        self._asked = images
        origins = [origin_of(image) for image in images] if len(images) > 1 else []

        def show(found: list[str]) -> None:
            if self._asked is images:
                self.pairs.show_patients(dict(zip([pair.labels for pair in pairs], found, strict=False)))

        if any(origins):
            self._aside.run(partial(patients_of, origins), show)
        else:
            show([])

    @property
    def _active(self) -> Any:
        """The active layer itself: napari hands plugins a stand-in for it, which is another object."""
        active = self._viewer.layers.selection.active
        return next((layer for layer in self._viewer.layers if layer == active), None)

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that is painted was looked through."""
        return self._painted.is_up_to_date(pair.labels for pair in self.pairs.pairs)

    @property
    def chosen(self) -> list[Pair]:
        """The ticked pairs, with all that is said of them."""
        return [
            replace(pair, only_painted=self.only.of(pair.labels), unsought=self.sought.of(pair.labels))
            for pair in self.pairs.pairs
        ]

    @property
    def known(self) -> list[tuple[Pair, Painted]]:
        """The ticked pairs, as far as they were looked through already."""
        looked = [(pair, self._painted.of(pair.labels)) for pair in self.chosen]
        return [(pair, painted) for pair, painted in looked if painted is not None]

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
        self.only.propose(self.pairs.pairs, known, labels)
        self.pairs.show_only({pair.labels: self.only.of(pair.labels) for pair in self.pairs.pairs})
        self.sought.show_pairs(self.known, labels)
        self._advise()
        self.changed.emit()

    def _keep_marks(self) -> None:
        for pair in self.chosen:
            if pair.only_painted:
                self.keeper.touch(pair.labels)

    def _on_renamed(self, value: int, name: str) -> None:
        for pair in self.pairs.pairs:
            rename(pair.labels, value, name)
        self._describe_labels()

    def _show_slice(self, event: Any = None) -> None:
        if not self._asleep:
            self.only.show_slice()

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to learn from."""
        return bool(self.pairs.pairs) if self.data is None else self.dataset is not None

    def trouble(self, *, at_click: bool = False) -> str:
        """Why training could not begin, in one sentence; empty where nothing is known to be wrong.

        Parameters
        ----------
        at_click:
            Say nothing of paint that was changed since it was looked through.
        """
        if self.data is not None:
            return ""
        trouble = trouble_with_layers(self._viewer, self.pairs, self._active)
        known = self.known
        if trouble or len(known) < len(self.pairs.pairs) or (at_click and not self.is_up_to_date):
            return trouble  # still looking; the job is told of what is painted in any case
        return trouble_with_paint(known, {label.value: label.name for label in self.labels})

    def _advise(self) -> None:
        """Say what is missing, before the click."""
        trouble = self.trouble()
        self.advice.setText(escape(trouble))
        self.advice.setVisible(bool(trouble))
        deep = any(pair.labels.ndim > 3 for pair in self.pairs.pairs)
        self.new_labels_button.setVisible(bool(volumes_of(self._viewer)) and (deep or not len(self.pairs)))
        self.resample_button.setVisible(homeless(self._viewer, self.pairs, self._active) is not None)
        self.resample_button.setEnabled(not self._resampling)

    def _add_labels(self) -> None:
        """An empty Labels layer over the image, active and ready to paint."""
        volumes = volumes_of(self._viewer)
        active = self._active
        if volumes:
            layer = empty_labels(active if active in volumes else volumes[-1])
            self._viewer.add_layer(layer)
            layer.mode = "paint"

    def _resample_first(self) -> None:
        found = homeless(self._viewer, self.pairs, self._active)
        if found is not None:
            self._resample(*found)

    def _resample(self, labels: Labels, image: Image) -> None:
        """Make a new layer: these labels on the grid of this image."""
        found = None if self._resampling else resampled_labels(labels, image)
        if found is None:
            return
        work, attributes = found

        def show(made: Any) -> None:
            self._resampling = False
            if isinstance(made, str):
                self.said.emit(made)
                show_error(made)
                self._advise()
                return
            self.pairs.tick(labels, False)
            self._viewer.add_layer(Labels(made, **attributes))
            self.said.emit(f"Made {attributes['name']}; {labels.name} is as it was.")

        self._resampling = True
        self.said.emit(f"Resampling {labels.name}…")
        self._advise()
        self._aside.run(work, show)

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
    def is_little(self) -> bool:
        """Whether only few slices are painted."""
        chosen = self.chosen
        return self.data is None and bool(chosen) and all(pair.only_painted for pair in chosen)

    @property
    def made_by(self) -> str:
        """The model whose answer is learnt from, corrected; empty where all was painted by hand.

        Nor is one told that answered parts of the image, cut out: of the whole it knows no more than a new network.
        """
        for pair in self.pairs.pairs:
            meta: Mapping[str, Any] = pair.labels.metadata.get(KEY, {}).get("meta", {})
            if meta.get("made_by"):
                return "" if "parts" in meta["made_by"] else str(meta["made_by"].get("model", ""))
        return ""

    @property
    def structures(self) -> list[str]:
        """Names of what will be learnt."""
        labels = list(self.dataset.labels) if self.dataset is not None else self.labels
        return [label.name for label in labels if label.name.casefold() != BACKGROUND]

    def _collect_layers(self) -> Callable[[], list[dict[str, Any]]]:
        return collect_cases(self.chosen)
