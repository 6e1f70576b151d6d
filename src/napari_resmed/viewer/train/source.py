"""What every kind of training learns from: layers of this window, or data on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_resmed.case import Dataset
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.train.cases_on_disk import CasesOnDisk

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["Source"]


class Source(QWidget):
    """The part of a source that knows nothing of what is learnt: the window's layers, the disk, and when to look.

    A kind of training says in ``refresh`` how layers are shown, and gives ``trouble``, ``is_ready``, ``channels``,
    ``structures``, ``modalities`` and ``collect``.

    Parameters
    ----------
    viewer:
        Whose layers are offered.
    classes:
        Whether each case on disk is to have a class, rather than labels.

    Signals
    -------
    changed()
        Something else would be learnt from now.
    said(str)
        Something to tell the person.
    """

    changed = Signal()
    said = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None, *, classes: bool = False) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._asleep = False
        self._aside = Background(self, must_finish=False)
        self._aside.failed.connect(self.said)
        self.disk = CasesOnDisk(self._aside, classes=classes)
        self.disk.changed.connect(self.refresh)
        self.disk.said.connect(self.said)
        self.set_data = self.disk.set_data
        events = viewer.layers.events
        self._listening: list[tuple[Any, Callable[..., Any]]] = []
        self._listen(self.refresh, events.inserted, events.removed, events.reordered)

    def _listen(self, callback: Callable[..., Any], *emitters: Any) -> None:
        """Be called by the viewer until :meth:`let_go`."""
        for emitter in emitters:
            emitter.connect(callback)
            self._listening.append((emitter, callback))

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for emitter, callback in self._listening:
            emitter.disconnect(callback)
        self._listening = []
        self._aside.forget()
        self._aside.close()

    def sleep(self, asleep: bool) -> None:
        """While a training runs nothing is looked at: it would only take time from it."""
        self._asleep = asleep
        if not asleep:
            self.refresh()

    def refresh(self, event: Any = None) -> None:
        """Bring everything up to date with the layers of the window."""
        raise NotImplementedError

    @property
    def data(self) -> Path | None:
        """Data on disk; None: layers."""
        return self.disk.data

    @property
    def dataset(self) -> Dataset | None:
        """What was found there; None while it is looked into."""
        return self.disk.dataset

    @property
    def made_by(self) -> str:
        """The model whose answer is learnt from, corrected; empty where there is none."""
        return ""

    @property
    def is_little(self) -> bool:
        """Whether only few slices are painted."""
        return False

    def collect(self) -> Callable[[], str | list[dict[str, Any]]]:
        """Take everything as it is at this moment; the job's ``data`` is what the returned function gives."""
        if self.data is not None:
            path = str(self.data)
            return lambda: path
        return self._collect_layers()

    def _collect_layers(self) -> Callable[[], list[dict[str, Any]]]:
        raise NotImplementedError
