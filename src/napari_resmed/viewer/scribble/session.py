"""Strokes on one image, from the first to the accepted answer: every stroke is answered, the newest alone counts."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_resmed.engine.messages import Kept
from napari_resmed.events import Failed, Preview, Progress, Started
from napari_resmed.labels import Label
from napari_resmed.scribble.channels import join_channels
from napari_resmed.viewer.layer_place import attributes_of
from napari_resmed.viewer.layers import layer_to_volume
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.in_turns import in_turns
from napari_resmed.viewer.parts.running_job import RunningJob
from napari_resmed.viewer.scribble.answer_layer import AnswerLayer
from napari_resmed.viewer.scribble.painted import Painted
from napari_resmed.viewer.scribble.shown_grid import ShownGrid, grid_of
from napari_resmed.viewer.scribble.stroke_watch import StrokeWatch
from napari_resmed.viewer.scribble.where_next import go_to, seen_slice

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["BACKGROUND", "Session"]

# What the class is called that most of the image belongs to.
BACKGROUND = "background"

_log = logging.getLogger(__name__)

# An outdated answer is left to stop by itself: ending its process would cost all that is known of the image.
OUTDATED_SECONDS = 600.0
# Painted voxels that are cleared in one go, and brought back by one undo: more would hold the window.
AT_A_TIME = 500_000


class Session(QObject):
    """One image, the strokes on it, and the answer.

    Parameters
    ----------
    viewer:
        Whose window.
    image, strokes:
        The image and the Labels layer over it.
    others:
        Images on the same grid that are looked at with it, as further channels.
    labels:
        Gives the classes as they are now.
    options:
        Gives the job's choices as they are now: ``background``, ``smooth``, ``unsure``.
    under_way:
        Is kept up to date with what a closed window has to stop.

    Signals
    -------
    progressed(Progress | Started), settled()
        Work is under way; nothing is any more.
    noticed(Painted)
        Other strokes are there.
    answered(dict)
        All of :class:`napari_resmed.jobs.scribble.Scribbled` for the newest strokes.
    unanswered(str)
        There is no answer to what is painted now, and why, in one sentence.
    failed(str)
        The work failed, or was cancelled; in one sentence.
    ended(str)
        A layer it cannot do without is gone, or the image cannot be worked on: in one sentence.
    """

    progressed = Signal(object)
    settled = Signal()
    noticed = Signal(object)
    answered = Signal(object)
    unanswered = Signal(str)
    failed = Signal(str)
    ended = Signal(str)

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        strokes: Labels,
        others: Sequence[Image],
        labels: Callable[[], Iterable[Label]],
        options: Callable[[], Mapping[str, Any]],
        under_way: list[RunningJob],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self.image, self.strokes = viewer, image, strokes
        self._labels, self._options, self._under_way = labels, options, under_way
        self.grid: ShownGrid = grid_of(image)
        self.result: dict[str, Any] | None = None  # the answer to the newest strokes
        self._seen_background = 0
        self._painted: Painted | None = None
        self._job: RunningJob | None = None
        self._outdated = self._wanted = False
        self._seen = [image, *others]
        self._take_image()
        self.answer = AnswerLayer(viewer, self.grid, strokes, image.name)
        self._show_look(next((label.value for label in labels() if label.name.casefold() == BACKGROUND), 0))
        self._aside = Background(self, must_finish=False)
        self._watch = StrokeWatch(strokes, self._aside, self)
        self._watch.changed.connect(self._on_painted)
        self._watch.unchanged.connect(self._on_unchanged)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in self._seen:
            layer.events.data.connect(self._on_image)
        self._listening = True
        self._is_removing = False  # napari is taking layers out of the window
        in_turns(self, self._insert_answer())
        self._look_at_image()
        self._watch.look()

    # What others ask ----------------------------------------------------------------------------------------

    @property
    def is_working(self) -> bool:
        """Whether something is under way."""
        return self._job is not None

    @property
    def is_answered(self) -> bool:
        """Whether the newest strokes are answered to the end."""
        return self.result is not None and self.is_idle

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, and no stroke is left to be looked at."""
        return self._job is None and not self._wanted and self._watch.is_up_to_date

    def strokes_now(self) -> Callable[[], dict[str, Any]]:
        """Image and strokes as a job takes them; to be called on a thread beside the window's."""
        data, labels, grid, image = self.strokes.data, tuple(self._labels()), self.grid, self._image
        return lambda: {"image": image(), "scribbles": grid.label_map(data, labels)}

    def run(self) -> None:
        """Answer what is painted now; an older answer under way is given up."""
        if self._painted is None or len(self._painted.values) < 2:
            return
        self._wanted = True
        if self._job is None:
            self._begin()
        elif not self._outdated and self.answer_under_way:
            self._outdated = True
            self._job.cancel(OUTDATED_SECONDS)

    @property
    def answer_under_way(self) -> bool:
        """Whether what is under way is an answer."""
        return self._job is not None and self._job.objectName() == "scribble"

    def cancel(self) -> None:
        """Give up what is under way."""
        self._wanted = False
        if self._job is not None:
            self._job.cancel()

    def clear(self) -> None:
        """Remove all strokes; napari's undo brings them back."""
        data = self.strokes.data
        self._aside.run(lambda: np.nonzero(data), self._clear)

    def _clear(self, places: tuple[NDArray[np.intp], ...]) -> None:
        if not self._listening or not len(places[0]):
            return
        in_turns(self, self._clear_in_parts(places))

    def _clear_in_parts(self, places: tuple[NDArray[np.intp], ...]) -> Iterator[None]:
        for start in range(0, len(places[0]), AT_A_TIME):
            part = tuple(axis[start : start + AT_A_TIME] for axis in places)
            self.strokes.data_setitem(part, 0, refresh=False)
            yield
        self.strokes.refresh()

    def go_where_next(self) -> tuple[int, ...]:
        """Show the place where a stroke would teach most; the two values it is torn between."""
        suggestion = (self.result or {}).get("suggestion")
        if not suggestion:
            return ()
        go_to(self._viewer, self.strokes, self.grid.shown_index(suggestion["index"]))
        return tuple(suggestion["between"])

    def show_labels(self) -> None:
        """Names or colours are others."""
        self._show_look(self._seen_background)

    def let_go(self, *, keep_answer: bool = False) -> None:
        """Stop everything and take the answer out of the window, or leave it there; the strokes stay."""
        if not self._listening:
            return
        self._listening = False
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._seen:
            layer.events.data.disconnect(self._on_image)
        self._watch.let_go()
        self.cancel()
        self._under_way.clear()
        self._aside.close()
        if keep_answer:
            return
        if self._is_removing:
            # napari goes through a list of them, in which the answer may be.
            QTimer.singleShot(0, self.answer.remove)
        else:
            self.answer.remove()

    def _insert_answer(self) -> Iterator[None]:
        yield  # the window shows first what Start made
        for _ in self.answer.insert():
            yield
            if not self._listening:
                return

    # The image ----------------------------------------------------------------------------------------------

    def _take_image(self) -> None:
        # Taken now, made into a volume on the engine's thread, and kept by the worker: it may be lazy, and large.
        self._image = cache(partial(_kept, [(layer.data, attributes_of(layer)) for layer in self._seen]))

    def _look_at_image(self) -> None:
        image = self._image
        self._start("look_at", lambda: {"image": image()})

    def _on_image(self, event: Any = None) -> None:
        """Other voxels are there: what was answered was of others."""
        self._take_image()
        if self._painted is not None:
            self._on_painted(self._painted)

    # Strokes ------------------------------------------------------------------------------------------------

    def _on_painted(self, painted: Painted) -> None:
        self._painted = painted
        self.result = None
        self.noticed.emit(painted)
        if len(painted.values) >= 2:
            self.run()
            return
        self._wanted = False
        if self.answer_under_way and self._job is not None:
            self._outdated = True
            self._job.cancel(OUTDATED_SECONDS)
        self.answer.empty()
        self.unanswered.emit(self._what_is_missing(painted))

    def _on_unchanged(self) -> None:
        if self._job is None:
            self.settled.emit()

    def _what_is_missing(self, painted: Painted) -> str:
        if not painted.values:
            return ""
        names = {label.value: label.name for label in self._labels()}
        only = names.get(painted.values[0], f"label {painted.values[0]}")
        return f"Only “{only}” is painted: paint a second class to tell it from."

    def _on_removed(self, event: Any) -> None:
        for layer, why in (
            *((seen, f"{seen.name} was removed, so scribbling on it has ended.") for seen in self._seen),
            (self.strokes, "The strokes were removed, so scribbling has ended."),
            (self.answer.layer, "The answer was removed, so scribbling has ended; the strokes are still there."),
        ):
            if event.value is layer:
                self._is_removing = True
                self.ended.emit(why)
                return

    # The work -----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._wanted = False
        options = dict(self._options())
        if (seen := seen_slice(self._viewer, self.strokes)) is not None:
            options["view"] = (0, 0) if len(self.grid.shape) == 2 else self.grid.own_slice(*seen)
        take = self.strokes_now()
        self._start("scribble", lambda: {**take(), **options}, self._on_answer)

    def _start(
        self, name: str, parameters: Callable[[], Mapping[str, Any]], then: Callable[[Any], None] | None = None
    ) -> None:
        job = RunningJob(self)
        job.setObjectName(name)
        job.progressed.connect(self._on_progress)
        job.previewed.connect(partial(self._on_preview, job))
        job.finished.connect(partial(self._on_finished, then))
        job.failed.connect(self._on_failed)
        self._job, self._outdated = job, False
        self._under_way[:] = [job]
        job.start(name, parameters)

    def _on_progress(self, event: Progress | Started) -> None:
        if not self._outdated:
            self.progressed.emit(event)

    def _on_preview(self, job: RunningJob, event: Preview) -> None:
        if job is not self._job or self._outdated or not self._listening:
            return
        if event.what == "slice":
            self.answer.show_slice(event.data["axis"], event.data["index"], event.data["labels"])
        elif event.what == "volume":
            self.answer.show(event.data["labels"])

    def _on_finished(self, then: Callable[[Any], None] | None, result: Any, _seconds: float) -> None:
        outdated = self._outdated
        self._end_job()
        if then and not outdated and not self._wanted and self._listening:
            then(result)
        self._go_on()

    def _on_answer(self, result: dict[str, Any]) -> None:
        self.result = result
        if result["background"] != self._seen_background:
            self._show_look(result["background"])
        unsure = result["unsure"]
        # Read-only, as volumes are: only looked at.
        self.answer.show_doubt(None if unsure is None else unsure.data, result["made_by"])
        self.answered.emit(result)

    def _on_failed(self, event: Failed) -> None:
        looking, outdated = not self.answer_under_way, self._outdated
        self._end_job()
        if not self._listening:
            return
        if not outdated and not self._wanted:
            if event.kind == "cancelled":
                self.failed.emit("Cancelled; the next stroke is answered again.")
            elif looking and event.kind == "input":
                self.ended.emit(event.message)
                return
            else:
                if event.kind == "input":
                    self.answer.empty()  # what is seen must not pass for an answer to what is painted
                self.failed.emit(event.message)
                _log.debug("%s", event.detail)
        self._go_on()

    def _end_job(self) -> None:
        if self._job is not None:
            self._job.deleteLater()
        self._job = None
        self._outdated = False
        self._under_way.clear()

    def _go_on(self) -> None:
        if self._wanted and self._listening:
            self._begin()
        else:
            self.settled.emit()

    def _show_look(self, background: int) -> None:
        self._seen_background = background
        self.answer.look(self._labels(), background)


def _kept(layers: Sequence[tuple[Any, Mapping[str, Any]]]) -> Kept:
    """Data and attributes of layers as one image, which the worker keeps."""
    return Kept(uuid.uuid4().hex, join_channels([layer_to_volume(*layer) for layer in layers]))
