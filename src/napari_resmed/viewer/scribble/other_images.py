"""What was learnt from strokes, for other images: as a model, or applied to one of them at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLineEdit, QPushButton, QWidget

from napari_resmed.errors import ResMedError
from napari_resmed.events import Failed
from napari_resmed.models.catalogue import list_models, own_models_folder
from napari_resmed.models.names import name_trouble, slug
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import layer_to_volume, result_to_layer
from napari_resmed.viewer.parts.image_choice import LayerChoice, images_of
from napari_resmed.viewer.parts.in_turns import in_turns
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.running_job import RunningJob
from napari_resmed.viewer.scribble.session import Session

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["OtherImages"]


class OtherImages(QWidget):
    """Save as model, or apply to another image; both learn from what is painted at the click.

    Parameters
    ----------
    viewer:
        Whose images are offered, and who gets the result.
    session:
        Gives what is scribbled on; None while nothing is.
    background:
        Gives the class that was chosen as background.
    under_way:
        Is kept up to date with what a closed window has to stop.

    Signals
    -------
    progressed(Progress | Started), told(str)
        Work is under way; it has ended, in words.
    """

    progressed = Signal(object)
    told = Signal(str)

    def __init__(
        self,
        viewer: ViewerModel,
        session: Callable[[], Session | None],
        background: Callable[[], int | None],
        under_way: list[RunningJob],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._session, self._background, self._under_way = viewer, session, background, under_way
        self.job: RunningJob | None = None
        self.result: Any = None  # the Labels layer of the last image it was applied to
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of the model")
        self.name.setToolTip("What the model is called in the Segment dock")
        self.save_button = QPushButton("Save as model")
        self.save_button.setToolTip("Save what the strokes teach as a model, for the Segment dock and the command line")
        self.save_button.clicked.connect(self.save)
        self.image_choice = LayerChoice(viewer, self._others)
        self.image_choice.setToolTip("Another image of the same kind")
        self.image_choice.filled.connect(self.arrange)
        self.apply_button = QPushButton("Apply to it")
        self.apply_button.setToolTip("Segment the other image by what the strokes teach; nothing is painted there")
        self.apply_button.clicked.connect(self.apply)
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 0, 0, 0)
        grid.addWidget(self.name, 0, 0)
        grid.addWidget(self.save_button, 0, 1)
        grid.addWidget(self.image_choice, 1, 0)
        grid.addWidget(self.apply_button, 1, 1)
        grid.setColumnStretch(0, 1)
        self.arrange()

    def arrange(self) -> None:
        """Offer what can be done now."""
        session = self._session()
        ready = session is not None and session.is_answered and self.job is None
        self.save_button.setEnabled(ready)
        self.apply_button.setEnabled(ready and self.image_choice.count() > 0)

    def let_go(self) -> None:
        """Stop everything and listen to nothing any more."""
        self.image_choice.let_go()
        self.cancel()

    def cancel(self) -> None:
        """Stop what is under way."""
        if self.job is not None:
            self.job.cancel()

    def save(self) -> None:
        """Save what the strokes teach as a model of one's own."""
        session, name = self._session(), self.name.text().strip()
        trouble = name_trouble(name) or _taken(name)
        if session is None or trouble:
            self.told.emit(escape(trouble))
            return
        target = own_models_folder() / name
        self._learn(session, target, lambda _: self._saved(name))

    def apply(self) -> None:
        """Segment the chosen image by what the strokes teach."""
        session, image = self._session(), self.image_choice.currentData()
        if session is None or image is None:
            return
        folder = Path(tempfile.mkdtemp(prefix="napari-resmed-scribble-"))
        target = folder / (slug(session.image.name) or "strokes")
        data, attributes = image.data, attributes_of(image)
        place = (attributes, np.shape(data[0] if image.multiscale else data))

        def segment(_: Any) -> None:
            self._start(
                "segment",
                lambda: {"image": layer_to_volume(data, attributes), "model": str(target)},
                lambda result: in_turns(self, self._show(result, place, folder)),
                folder,
            )

        self._learn(session, target, segment, folder)

    def _others(self, viewer: ViewerModel) -> list[Any]:
        session = self._session()
        return [image for image in images_of(viewer) if session is None or image is not session.image]

    def _learn(self, session: Session, target: Path, then: Callable[[Any], None], folder: Path | None = None) -> None:
        take, background = session.strokes_now(), self._background()
        self._start("scribble_model", lambda: {**take(), "target": str(target), "background": background}, then, folder)

    def _start(
        self, name: str, parameters: Callable[[], dict[str, Any]], then: Callable[[Any], None], folder: Path | None
    ) -> None:
        job = RunningJob(self)
        job.progressed.connect(self.progressed)
        job.finished.connect(partial(self._on_finished, then))
        job.failed.connect(partial(self._on_failed, folder))
        self.job = job
        self._under_way[:] = [job]
        self.arrange()
        job.start(name, parameters)

    def _on_finished(self, then: Callable[[Any], None], result: Any, _seconds: float) -> None:
        self._end()
        then(result)

    def _on_failed(self, folder: Path | None, event: Failed) -> None:
        self._end()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if event.kind == "cancelled":
            self.told.emit("Cancelled; nothing was changed.")
            return
        self.told.emit(escape(event.message))
        show_error(event.message)

    def _end(self) -> None:
        if self.job is not None:
            self.job.deleteLater()
        self.job = None
        self._under_way.clear()
        self.arrange()

    def _saved(self, name: str) -> None:
        models_changed().happened.emit()
        self.told.emit(f"Saved the model <b>{escape(name)}</b>: the Segment dock applies it to other images.")

    def _show(
        self, result: dict[str, Any], place: tuple[dict[str, Any], tuple[int, ...]], folder: Path
    ) -> Iterator[None]:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            data, attributes, _ = result_to_layer(result["labels"], *place)
        except ResMedError as problem:
            self.told.emit(escape(str(problem)))
            return
        yield
        layer = Labels(data, opacity=0.5, **attributes)
        yield
        strokes = self._viewer.layers.selection.active
        self.result = self._viewer.add_layer(layer)
        if strokes is not None:
            self._viewer.layers.selection.active = strokes
        self.told.emit(f"Made <b>{escape(layer.name)}</b> by what was painted; place and strokes play no part there.")


def _taken(name: str) -> str:
    """That a model, built in or one's own, is called so already, in one sentence; empty where none is."""
    models, _ = list_models()
    if (own_models_folder() / name).exists() or any(model.name == name for model in models):
        return f"There is a model {name} already; choose another name."
    return ""
