"""What a classifier learns from: the images of this window with a class typed for each, or images on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_resmed.errors import InputError
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import KEY, layer_to_volume
from napari_resmed.viewer.parts.image_choice import images_of
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.train.class_cases import cases_of, trouble_of_modalities
from napari_resmed.viewer.train.class_rows import ClassRows
from napari_resmed.viewer.train.pairs import channels_of
from napari_resmed.viewer.train.patients import origin_of, patients_of
from napari_resmed.viewer.train.source import Source

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ClassSource"]

# Of each class one at least is held out, and one at least is learnt from.
LEAST = 2


class ClassSource(Source):
    """Type a class for each image; what has none is left out.

    Parameters
    ----------
    viewer:
        Whose layers are offered.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent, classes=True)
        self._asked: tuple[Any, ...] = ()  # the images of whose patients the files were asked last
        self.rows = ClassRows()
        self.rows.changed.connect(self._describe)
        self.advice = words()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.disk, self.rows, self.advice):
            layout.addWidget(part)

    def refresh(self, event: Any = None) -> None:
        """Bring everything up to date with the layers of the window."""
        if not self._asleep:
            self.rows.fill(images_of(self._viewer))
            self._ask_for_patients()
            self._describe()

    def _ask_for_patients(self) -> None:
        """Ask the files which images are of one patient."""
        images = tuple(row.image for row in self.rows.rows)
        if images == self._asked:
            return
        self._asked = images
        origins = [origin_of(image) for image in images]

        def show(found: list[str]) -> None:
            if self._asked is images:
                self.rows.show_patients(dict(zip(images, found, strict=True)))
                self._describe()

        if any(origins):
            self._aside.run(partial(patients_of, origins), show)

    def _describe(self) -> None:
        self.rows.setVisible(self.data is None and bool(self.rows.rows))
        trouble = self.trouble()
        counts = Counter(row.class_name for row in self.rows.typed)
        told = ", ".join(f"{counts[name]} {name}" for name in self.rows.classes)
        if kinds := Counter(row.modality for row in self.rows.typed if row.modality):
            typed = self.rows.typed
            cases = cases_of([row.patient for row in typed], [row.modality for row in typed])
            whole = sum(len(case) == len(kinds) for case in cases)
            told += f": {', '.join(f'{kinds[name]} {name}' for name in self.rows.modalities)}"
            told += f"; {whole} of {len(cases)} patients have all"
        self.advice.setText(escape(trouble or told))
        self.advice.setVisible(self.data is None)
        self.changed.emit()

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to learn from."""
        return len(self.rows.classes) > 1 if self.data is None else self.dataset is not None

    @property
    def channels(self) -> int:
        """How many channels an image has."""
        if self.dataset is not None:
            return len(self.dataset.channels)
        typed = self.rows.typed
        return len(self.rows.modalities) or (channels_of(typed[0].image) if typed else 1)

    @property
    def structures(self) -> list[str]:
        """Names of what will be learnt."""
        return list(self.dataset.classes) if self.dataset is not None else self.rows.classes

    @property
    def modalities(self) -> set[str]:
        """What kinds of images there are, as far as they say so."""
        return {row.image.metadata.get(KEY, {}).get("modality", "") for row in self.rows.typed} - {""}

    def trouble(self, *, at_click: bool = False) -> str:
        """Why training could not begin, in one sentence; empty where nothing is known to be wrong."""
        if self.data is not None:
            return ""
        if not self.rows.rows:
            return "Open the images to learn from, or choose a folder or table of images with “From disk”."
        counts = Counter(row.class_name for row in self.rows.typed)
        if not counts:
            return "Type a class for each image, e.g. “normal” or “ill”; what has none is left out."
        if len(counts) == 1:
            return f"All are “{next(iter(counts))}” so far; at least two classes are needed to tell them apart."
        patients = {
            name: {row.patient or id(row) for row in self.rows.typed if row.class_name == name} for name in counts
        }
        few = next((name for name, of in patients.items() if len(of) < LEAST), None)
        if few is not None:
            return (
                f"“{few}” needs images of two patients at least: one to learn from, one to judge by. Some tens of each "
                "class make a useful model."
            )
        typed = self.rows.typed
        return trouble_of_modalities(
            [row.image.name for row in typed],
            [row.class_name for row in typed],
            [row.patient for row in typed],
            [row.modality for row in typed],
        )

    def _collect_layers(self) -> Callable[[], list[dict[str, Any]]]:
        rows = [replace(row) for row in self.rows.rows]
        typed = [number for number, row in enumerate(rows) if row.class_name]
        taken = [(rows[number].image.data, attributes_of(rows[number].image)) for number in typed]
        names = _apart([attributes["name"] for _, attributes in taken])
        origins = [origin_of(row.image) for row in rows]

        def cases() -> list[dict[str, Any]]:
            found = patients_of(origins)
            whose = [found[number] if (said := rows[number].typed_patient) is None else said for number in typed]
            modalities = [rows[number].modality for number in typed]
            # Once more: until now the files may not have said whose images they are.
            if trouble := trouble_of_modalities(names, [rows[n].class_name for n in typed], whose, modalities):
                raise InputError(trouble)
            return [
                {
                    "name": names[case[0]],
                    "images": [layer_to_volume(*taken[place]) for place in case],
                    "modalities": [modalities[place] for place in case if modalities[place]],
                    "class_name": rows[typed[case[0]]].class_name,
                    "group": whose[case[0]],
                }
                for case in cases_of(whose, modalities)
            ]

        return cases


def _apart(names: list[str]) -> list[str]:
    """The names, with a number where two layers have the same."""
    counts = Counter(names)
    return [f"{name} ({number})" if counts[name] > 1 else name for number, name in enumerate(names, 1)]
