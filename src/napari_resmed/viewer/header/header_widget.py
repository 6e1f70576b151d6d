"""The Header dock: what is known of the active layer; who the patient is, only when asked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_resmed.io.dicom import Series, describe
from napari_resmed.viewer.header.facts import Fact, facts_of
from napari_resmed.viewer.header.facts_tree import FactsTree
from napari_resmed.viewer.layers import KEY
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.dock_width import DOCK_WIDTH
from napari_resmed.viewer.parts.shown_volume import Origin
from napari_resmed.viewer.parts.words import plain_words

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["HeaderWidget"]

# Pixels; every dock of ours fits.
HEIGHT = 480
# How long after the last change of a layer the facts are read anew.
LOOK_AGAIN_MS = 150
PATIENT = "Patient"
_WATCHED = (
    "name",
    "data",
    "metadata",
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
    "features",
    "contrast_limits",
)


class HeaderWidget(QWidget):
    """Facts of the active layer.

    Parameters
    ----------
    napari_viewer:
        Whose layers are told of.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._layer: Any = None
        self._patient: list[Fact] = []  # of the layer that is shown, while a person looks at it; kept nowhere else
        self._files = Background(self, must_finish=False)
        self._files.failed.connect(self._say)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(LOOK_AGAIN_MS)
        self._again.timeout.connect(self.refresh)
        self.destroyed.connect(partial(_stop, self._files.finish))
        self._build()
        self._listening = [
            (napari_viewer.layers.selection.events.active, self._on_active),
            (napari_viewer.layers.events.removed, self._on_active),
        ]
        for emitter, callback in self._listening:
            emitter.connect(callback)
        self._on_active()

    def _build(self) -> None:
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setStyleSheet("font-weight: bold")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Show only lines with these words")
        self.facts = FactsTree()
        self.filter.textChanged.connect(self._on_filter)
        self.patient_button = QPushButton("Show &patient")
        self.patient_button.setCheckable(True)
        self.patient_button.clicked.connect(self.show_patient)
        self.copy_button = QPushButton("&Copy")
        self.copy_button.setDefault(True)
        self.copy_button.setToolTip("Copy these lines as a table; who the patient is is left out")
        self.copy_button.clicked.connect(self.copy)
        self.status = plain_words()
        buttons = QHBoxLayout()
        buttons.addWidget(self.patient_button, 1)
        buttons.addWidget(self.copy_button, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.title)
        layout.addWidget(self.filter)
        layout.addWidget(self.facts, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.status)

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as a dock may be, and high enough for some lines."""
        return QSize(DOCK_WIDTH, HEIGHT)

    def event(self, event: QEvent | None) -> bool:
        """Notice when napari takes this widget out of its dock, which is how a dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._let_go()
        return super().event(event)

    def _let_go(self) -> None:
        for emitter, callback in self._listening:
            emitter.disconnect(callback)
        self._listening = []
        self._follow(None)
        self._again.stop()
        self._files.forget()
        self._files.close()

    def _on_active(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        # The layer itself: napari hands plugins a stand-in for it, which is another object.
        layer = next((layer for layer in self._viewer.layers if layer == active), None)
        if layer is not self._layer:
            self._follow(layer)
            self._forget_patient()
        self.refresh()

    def _follow(self, layer: Any) -> None:
        for old, connect in ((self._layer, False), (layer, True)):
            for name in _WATCHED:
                if old is not None and name in old.events.emitters:
                    emitter = old.events[name]
                    emitter.connect(self._on_changed) if connect else emitter.disconnect(self._on_changed)
        self._layer = layer

    def _on_changed(self, event: Any = None) -> None:
        self._again.start()

    def refresh(self) -> None:
        """Read the facts of the active layer anew."""
        layer = self._layer
        self.title.setText(layer.name if layer is not None else "")
        self.title.setVisible(layer is not None)
        self.facts.show_facts([*self._patient, *facts_of(layer)] if layer is not None else [])
        has_patient = self._series() is not None
        self.patient_button.setEnabled(has_patient)
        self.patient_button.setToolTip(
            "Read from the file who the patient is, for as long as you look at it; it is stored nowhere"
            if has_patient
            else "Only a layer that was read from DICOM files can be asked"
        )
        self.copy_button.setEnabled(layer is not None)
        if layer is None:
            self._say("Choose one layer to see what is known of it.")
        elif not self._patient:
            self._say("")

    def _series(self) -> Series | None:
        ours = self._layer.metadata.get(KEY) if self._layer is not None else None
        origin = (ours or {}).get("origin")
        return origin.series if isinstance(origin, Origin) else None

    def show_patient(self, wanted: bool) -> None:
        """Read from the file who the patient is, or forget it again."""
        series = self._series()
        if not wanted or series is None:
            self._forget_patient()
            self.refresh()
            return
        self._say("Reading…")
        self._files.run(partial(_identity, series), partial(self._on_patient, self._layer))

    def _on_patient(self, layer: Any, lines: dict[str, str]) -> None:
        if layer is not self._layer or not self.patient_button.isChecked():
            return
        self._patient = [Fact(PATIENT, name, value) for name, value in lines.items()]
        self.patient_button.setText("Hide &patient")
        self._say("" if lines else "The file does not say who the patient is, or cannot be read any more.")
        self.refresh()

    def _forget_patient(self) -> None:
        self._patient = []
        self.patient_button.setChecked(False)
        self.patient_button.setText("Show &patient")

    def copy(self) -> None:
        """Put what is shown on the clipboard, without the patient."""
        count = self.facts.copy_all(without=PATIENT)
        self._say(f"Copied {count} lines." if count else "Nothing to copy.")

    def _on_filter(self, text: str) -> None:
        self.facts.filter(text)
        self._say("No line holds these words." if self._layer is not None and not self.facts.shown else "")

    def _say(self, text: str) -> None:
        self.status.setText(text)
        self.status.setVisible(bool(text))


def _identity(series: Series) -> dict[str, str]:
    """What the header says of the patient, and nothing else."""
    plain = describe(series)
    return {name: value for name, value in describe(series, identity=True).items() if name not in plain}


def _stop(finish: Any, *_: Any) -> None:
    finish()
