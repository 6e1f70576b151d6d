"""The Scribble dock: paint a few strokes, see the whole volume, correct it, accept it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from html import escape
from threading import Thread
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QEvent, QSize, QTimer
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_resmed.events import Progress, Started
from napari_resmed.labels import LabelSet
from napari_resmed.viewer.label_look import label_colours, warm_labels
from napari_resmed.viewer.layers import LayerData
from napari_resmed.viewer.parts.add_in_parts import add_in_parts
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.fold import Fold
from napari_resmed.viewer.parts.in_turns import in_turns
from napari_resmed.viewer.parts.label_meanings import labels_in, rename
from napari_resmed.viewer.parts.label_table import LabelTable
from napari_resmed.viewer.parts.over_image import COLOURS
from napari_resmed.viewer.parts.progress_line import ProgressLine
from napari_resmed.viewer.parts.running_job import RunningJob, cancel_all
from napari_resmed.viewer.parts.words import words
from napari_resmed.viewer.scribble.accepted import accepted
from napari_resmed.viewer.scribble.choices import Choices
from napari_resmed.viewer.scribble.other_images import OtherImages
from napari_resmed.viewer.scribble.painted import Painted
from napari_resmed.viewer.scribble.scribble_options import ScribbleOptions
from napari_resmed.viewer.scribble.session import BACKGROUND, Session
from napari_resmed.viewer.scribble.sure_words import sure_words
from napari_resmed.viewer.scribble.tools import Tools
from napari_resmed.viewer.scribble.what_to_paint_in import (
    FIRST_CLASSES,
    classes_of,
    new_strokes,
    trouble_with,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ScribbleWidget"]

# Shorter work shows no bar: it would flicker with every stroke.
SHOW_AFTER_MS = 500


class ScribbleWidget(QWidget):
    """Segment the chosen image from strokes.

    Parameters
    ----------
    napari_viewer:
        The viewer whose layers are offered and who gets strokes and answer.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.session: Session | None = None
        self.result: Any = None  # the Labels layer of the last answer that was accepted
        self._accept_wanted = False
        # What a closed window still has to stop; a list of its own, since by then this widget is gone.
        self._under_way: list[RunningJob] = []
        self._for_others: list[RunningJob] = []
        for jobs in (self._under_way, self._for_others):
            self.destroyed.connect(partial(cancel_all, jobs))
        self._aside = Background(self, must_finish=False)
        self._aside.failed.connect(show_error)
        self._show_work = QTimer(self)
        self._show_work.setSingleShot(True)
        self._show_work.setInterval(SHOW_AFTER_MS)
        self._build()
        self._show_work.timeout.connect(self.progress.show)
        self._show_classes()
        self._arrange()
        Thread(target=warm_labels, name="resmed-warm-labels", daemon=True).start()

    # What is seen ------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, as high as what is in it."""
        return QSize(DOCK_WIDTH, super().sizeHint().height())

    def _build(self) -> None:
        self.choices = Choices(self._viewer)
        self.choices.image_chosen.connect(self._arrange)
        self.choices.strokes_chosen.connect(self._show_classes)
        self.labels = LabelTable(may_grow=True)
        self.labels.add_button.setText("Add class")
        self.labels.add_button.setToolTip("Add a class to paint")
        self.labels.show_labels(FIRST_CLASSES)
        self.labels.chosen.connect(self._choose_class)
        self.labels.changed.connect(self._on_labels)

        self.start_button = _primary("&Start", "Look at the image and make a layer to paint in")
        self.accept_button = _primary("&Accept", "Make the answer an ordinary Labels layer")
        self.tools = Tools()
        self.tools.next_button.clicked.connect(self.where_next)
        self.tools.clear_button.clicked.connect(self.clear)
        self.tools.stop_button.clicked.connect(self.stop)
        self.start_button.clicked.connect(self.start)
        self.accept_button.clicked.connect(self.accept)

        self.progress = ProgressLine()
        self.progress.cancel_wanted.connect(self.cancel)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.hint = words()
        self.status = words(selectable=True)
        self.options = ScribbleOptions()
        self.options.show_labels(FIRST_CLASSES)
        self.options.changed.connect(self._on_options)
        self.others = OtherImages(
            self._viewer,
            lambda: self.session,
            lambda: self.options.parameters["background"],
            self._for_others,
        )
        self.others.progressed.connect(self._on_progress)
        self.others.told.connect(self._on_told)

        layout = QVBoxLayout(self)
        layout.addWidget(self.choices)
        layout.addWidget(self.labels)
        layout.addWidget(self.hint)
        layout.addWidget(self.tools)
        layout.addWidget(self.start_button)
        layout.addWidget(self.accept_button)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(Fold("More", self.options))
        layout.addWidget(Fold("Other images", self.others))
        layout.addStretch()

    def _arrange(self) -> None:
        """Show what fits: choices before the start, tools after it."""
        painting = self.session is not None
        self.start_button.setVisible(not painting)
        self.accept_button.setVisible(painting)
        self.tools.setVisible(painting)
        self._show_work.stop()
        self.progress.hide()
        self._show_answered(None)
        if not painting:
            trouble = trouble_with(self.choices.image.currentData())
            self.start_button.setEnabled(not trouble)
            self.hint.setText(trouble)

    def _show_answered(self, result: dict[str, Any] | None) -> None:
        self.accept_button.setEnabled(result is not None)
        self.tools.next_button.setEnabled(bool(result and result["suggestion"]))
        self.others.arrange()
        if result is not None:
            counts = {row["value"]: row["voxels"] for row in result["table"]}
            self.labels.show_labels(self.labels.labels, counts)

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._end()
            self.choices.let_go()
            self.others.let_go()
            self._aside.close()
        return super().event(event)

    # What can be chosen ------------------------------------------------------------------------------------

    def _show_classes(self) -> None:
        layer = self.choices.strokes.currentData()
        self._show_labels(FIRST_CLASSES if layer is None else classes_of(layer))

    def _show_labels(self, labels: LabelSet) -> None:
        self.labels.show_labels(labels)
        self.options.show_labels(labels)

    def _on_labels(self, labels: LabelSet) -> None:
        """The person named, coloured or added a class."""
        self.options.show_labels(labels)
        if self.session is None:
            return
        strokes = self.session.strokes
        known = set(classes_of(strokes).values)
        for label in labels:
            rename(strokes, label.value, label.name)
        strokes.colormap = label_colours(labels, COLOURS)
        self.session.show_labels()
        if added := set(labels.values) - known:
            self._choose_class(max(added))

    def _choose_class(self, value: int) -> None:
        """Paint a class from now on."""
        if self.session is not None:
            strokes = self.session.strokes
            self._viewer.layers.selection.active = strokes
            strokes.selected_label = value
            strokes.mode = "paint"

    def _on_options(self) -> None:
        if self.session is not None:
            self.session.run()

    # The clicks --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: a layer to paint in, and the worker looks at the image."""
        image = self.choices.image.currentData()
        if self.session is not None:
            return
        if trouble := trouble_with(image):
            self.hint.setText(trouble)
            show_error(trouble)
            return
        strokes, others = self.choices.strokes.currentData(), self.choices.channels.chosen
        if strokes is None:
            strokes = new_strokes(image, self.labels.labels)
            parts = add_in_parts(strokes, lambda: self._viewer.add_layer(strokes))
            next(parts, None)  # it is in the window; its outlines follow
            in_turns(self, parts)
        self.status.setText("")
        self.session = session = Session(
            self._viewer,
            image,
            strokes,
            others,
            lambda: self.labels.labels,
            lambda: self.options.parameters,
            self._under_way,
            self,
        )
        session.noticed.connect(self._on_painted)
        session.progressed.connect(self._on_progress)
        session.settled.connect(self._on_settled)
        session.answered.connect(self._on_answered)
        session.unanswered.connect(self._on_unanswered)
        session.failed.connect(self._on_failed)
        session.ended.connect(self._on_ended)
        self.choices.hold()
        self._arrange()
        self._hint_first()
        self.others.image_choice.fill()
        self._choose_class(next((label.value for label in reversed(tuple(self.labels.labels))), 1))

    def cancel(self) -> None:
        """Stop what is under way; scribbling goes on with the next stroke."""
        self._accept_wanted = False
        self.others.cancel()
        if self.session is not None:
            self.session.cancel()

    def clear(self) -> None:
        """Remove all strokes."""
        if self.session is not None:
            self.session.clear()

    def where_next(self) -> None:
        """Go where a stroke would teach most."""
        if self.session is None or not (between := self.session.go_where_next()):
            return
        names = {label.value: label.name for label in self.labels.labels}
        said = " or ".join(f"“{escape(names.get(value, f'label {value}'))}”" for value in between)
        self.hint.setText(f"In the middle of the window: is it {said}? Paint it.")
        self._choose_class(self.session.strokes.selected_label)

    def stop(self) -> None:
        """End without a result."""
        self._end()
        self.hint.setText("Stopped; the strokes are still there.")

    def accept(self) -> None:
        """Make the answer an ordinary Labels layer; where it is not there yet, when it is."""
        session = self.session
        if session is None:
            return
        if not session.is_answered:
            if session.is_idle:
                session.run()  # the answer was cancelled, or failed
            self._accept_wanted = not session.is_idle
            if self._accept_wanted:
                self.status.setText("Accepting as soon as the newest strokes are answered…")
            return
        self._accept_wanted = False
        result, image, grid = session.result, session.image, session.grid
        assert result is not None
        names = self.labels.labels
        self.accept_button.setEnabled(False)
        self._aside.run(
            lambda: accepted(result["labels"], result["background"], names, grid, f"{image.name} labels"),
            lambda layer: in_turns(self, self._show_accepted(session, layer)),
        )

    def _show_accepted(self, session: Session, layer: LayerData) -> Iterator[None]:
        """Make the layer that followed the strokes an ordinary one."""
        if session is not self.session:
            return  # ended meanwhile
        data, attributes, _ = layer
        self._end(keep_answer=True)
        yield
        made = session.answer.become(data, attributes)
        yield
        session.strokes.visible = False
        self._viewer.layers.selection.active = made
        self.result = made
        self.status.setText(
            f"Made <b>{escape(made.name)}</b>. Correct it with the brush, save it with File › Save selected layers, or "
            "train a model on it in the Train dock."
        )

    # What the session tells --------------------------------------------------------------------------------

    def _on_painted(self, painted: Painted) -> None:
        """Strokes changed: classes that nobody named get a row, and the answer that is seen is of before."""
        assert self.session is not None
        unknown = set(painted.values) - set(self.labels.labels.values)
        if unknown:
            self._show_labels(LabelSet((*self.labels.labels, *labels_in(self.session.strokes, sorted(unknown)))))
        elif not painted.values and not len(self.labels.labels):
            self._show_labels(FIRST_CLASSES)
        self.accept_button.setEnabled(len(painted.values) > 1)
        self.tools.next_button.setEnabled(False)
        self.others.arrange()

    def _on_progress(self, event: Progress | Started) -> None:
        if not self.progress.isVisible() and not self._show_work.isActive():
            self._show_work.start()
        said = self.progress.show_event(event)
        if self.progress.isVisible() and not self._accept_wanted:
            self.status.setText(said)

    def _on_told(self, said: str) -> None:
        self._on_settled()
        self.status.setText(said)

    def _on_settled(self) -> None:
        if self.others.job is not None:
            return
        self._show_work.stop()
        self.progress.hide()
        self.progress.show_done(0)
        if self.session is None:
            return
        if self.session.is_answered:
            self.others.arrange()
        if self._accept_wanted:
            self.accept()
        elif self.session.result is None:
            self.status.setText("")

    def _on_answered(self, result: dict[str, Any]) -> None:
        self._show_answered(result)
        self.hint.setText(f"{self._guessed(result)}Paint where it is wrong, or ask <i>Where next</i>.")
        self.status.setText(sure_words(result))
        if self._accept_wanted:
            self.accept()

    def _guessed(self, result: dict[str, Any]) -> str:
        """Which class was taken for background without anyone having said so."""
        names = {label.value: label.name for label in self.labels.labels}
        name = names.get(result["background"], BACKGROUND)
        if name.casefold() == BACKGROUND or self.options.parameters["background"] is not None:
            return ""
        return f"“{escape(name)}” is taken for the background; <i>More</i> changes that. "

    def _on_unanswered(self, why: str) -> None:
        self._show_answered(None)
        self._accept_wanted = False
        self.status.setText("")
        if why:
            self.hint.setText(escape(why))
        else:
            self._hint_first()

    def _on_failed(self, why: str) -> None:
        self._accept_wanted = False
        self.hint.setText(escape(why))
        show_error(why)

    def _on_ended(self, why: str) -> None:
        self._end()
        self.hint.setText(escape(why))
        show_warning(why)

    def _hint_first(self) -> None:
        self.hint.setText(
            "Paint a stroke of each class, within the structure and around it. By convention class 1 is the background."
        )

    def _end(self, *, keep_answer: bool = False) -> None:
        session, self.session = self.session, None
        self._accept_wanted = False
        if session is not None:
            session.let_go(keep_answer=keep_answer)
            session.deleteLater()
            self.status.setText("")
            self._arrange()
            self.choices.open()  # what came during the session can be chosen


def _primary(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setDefault(True)
    button.setMinimumHeight(32)
    button.setToolTip(tip)
    return button
