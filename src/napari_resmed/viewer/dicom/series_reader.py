"""Finds and reads DICOM series on threads beside the window's, and can be stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_resmed.errors import CancelledError, ResMedError
from napari_resmed.io.dicom import Series, describe, find_series, preview
from napari_resmed.viewer.dicom.series_words import title_of
from napari_resmed.viewer.layers import LayerData
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.parts.duration import duration
from napari_resmed.viewer.parts.picture_row import THUMBNAIL
from napari_resmed.viewer.parts.series_volumes import light, volumes_of
from napari_resmed.viewer.parts.shown_volume import Origin, shown_volume

__all__ = ["SeriesReader"]

_log = logging.getLogger(__name__)

# A bar need not move more often, and every word to the window costs it a moment.
TELL_SECONDS = 0.05
# Time left is said once this much is done and this long has gone by; before that it would be a guess.
_KNOWN_SHARE, _KNOWN_SECONDS = 0.05, 1.0
# Pictures are made at twice their size: sharp on dense screens.
PICTURE = 2 * THUMBNAIL


class SeriesReader(QObject):
    """One search or reading at a time; pictures beside it.

    Signals
    -------
    found(list)
        The series that were searched for.
    read(list, list)
        Layers ``(data, attributes, kind)`` of what was read, and what a person should know, a sentence each.
    pictured(Series, array)
        The picture ``(size, size, 3)`` of a series.
    progressed(str, float)
        What is done now with the time left, and the share done.
    failed(str)
        Why nothing was found or read; empty where it was cancelled.
    """

    found = Signal(object)
    read = Signal(object, object)
    pictured = Signal(object, object)
    progressed = Signal(str, float)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = Background(self, must_finish=False)
        self._pictures = Background(self, must_finish=False)
        self._pictures.failed.connect(lambda text: _log.debug("no picture of a series"))
        # The one of what runs now; in a list of its own, which a closed window can still reach.
        self._stop = [threading.Event()]
        self._told = 0.0
        self._among: list[Series] = []  # what was found last: labels belong to an image among it
        self.finish = partial(_finish, self._stop, self._work.finish, self._pictures.finish)

    def find(self, places: Sequence[Path]) -> None:
        """Look for series; returns at once."""
        stop = self._begin()
        self._pictures.forget()
        self._work.run(
            partial(self._find, stop, list(places)),
            partial(self._succeed, stop, self.found.emit),
            partial(self._fail, stop),
        )

    def open(self, series: Sequence[Series], remedy: str = "") -> None:
        """Read series one after the other; returns at once."""
        stop = self._begin()
        self._work.run(
            partial(self._read, stop, list(series), remedy),
            partial(self._succeed, stop, lambda got: self.read.emit(*got)),
            partial(self._fail, stop),
        )

    def picture(self, series: Series) -> None:
        """Make the picture of a series."""
        self._pictures.run(partial(_picture, series), partial(self._on_picture, series))

    def cancel(self) -> None:
        """Stop what runs; ``failed`` follows."""
        self._stop[0].set()

    def close(self) -> None:
        """Stop, and begin nothing more."""
        self._stop[0].set()
        for one in (self._work, self._pictures):
            one.forget()
            one.close()

    def _begin(self) -> threading.Event:
        self._stop[0].set()  # what ran before is not wanted any more
        self._stop[0] = threading.Event()
        return self._stop[0]

    def _succeed(self, stop: threading.Event, tell: Callable[[Any], None], value: Any) -> None:
        if stop.is_set():  # cancelled when it was done already: it is cancelled all the same
            self._fail(stop, "")
        else:
            tell(value)

    def _fail(self, stop: threading.Event, why: str) -> None:
        if stop is self._stop[0]:
            self.failed.emit("" if stop.is_set() else why)

    def _on_picture(self, series: Series, picture: NDArray[np.uint8] | None) -> None:
        if picture is not None:
            self.pictured.emit(series, picture)

    def _find(self, stop: threading.Event, places: list[Path]) -> list[Series]:
        tell = self._teller(stop, "Looking into {done} of {total} files", 0.0, 1.0)
        self._among = find_series(places[0] if len(places) == 1 else places, tell)
        return self._among

    def _read(self, stop: threading.Event, series: list[Series], remedy: str) -> tuple[list[LayerData], list[str]]:
        layers: list[LayerData] = []
        notes: list[str] = []
        for number, one in enumerate(series):
            what = f"Reading {title_of(one)}" + (f", {number + 1} of {len(series)}" if len(series) > 1 else "")
            tell = self._teller(stop, what, number / len(series), 1 / len(series))
            tell(0, 1)
            try:
                volumes = volumes_of(one, self._among, remedy, tell)
            except ResMedError as problem:
                if len(series) == 1 or stop.is_set():
                    raise
                notes.append(f"{title_of(one)}: {problem}")
                continue
            facts, origin = describe(one), Origin(light(one))
            for volume in volumes:
                layer, said = shown_volume(volume, facts, origin)
                layers.append(layer)
                notes += said
        return layers, notes

    def _teller(self, stop: threading.Event, what: str, begin: float, share: float) -> Callable[[int, int], None]:
        began = time.monotonic()

        def tell(done: int, total: int) -> None:
            if stop.is_set():
                raise CancelledError("stopped")
            now = time.monotonic()
            if now - self._told < TELL_SECONDS and done < total:
                return
            self._told = now
            part = done / max(1, total)
            left = ""
            if part > _KNOWN_SHARE and now - began > _KNOWN_SECONDS and done < total:
                left = f", {duration((now - began) * (1 - part) / part)} left"
            words = what.format(done=done, total=total) if "{done}" in what else what
            self._work.tell(partial(self.progressed.emit, words + left, begin + share * part))

        return tell


def _picture(series: Series) -> NDArray[np.uint8] | None:
    """The middle image in a square; None where there is no picture."""
    try:
        image = preview(series)
    except ResMedError:
        return None
    spacing = series.slices[len(series.slices) // 2].spacing_mm if series.slices else ()
    return _in_square(image, spacing or (1.0, 1.0))


def _in_square(image: NDArray[np.uint8], spacing_mm: Sequence[float]) -> NDArray[np.uint8]:
    """Fit a picture into a black square of ``PICTURE`` pixels, a millimetre as long both ways."""
    extent = [count * mm for count, mm in zip(image.shape[:2], spacing_mm[:2], strict=True)]
    sizes = [max(1, round(PICTURE * length / max(extent))) for length in extent]
    rows, columns = (
        ((np.arange(size) + 0.5) * count / size).astype(np.intp)
        for size, count in zip(sizes, image.shape[:2], strict=True)
    )
    small = image[np.ix_(rows, columns)]
    whole = np.zeros((PICTURE, PICTURE, 3), np.uint8)
    top, left = (PICTURE - sizes[0]) // 2, (PICTURE - sizes[1]) // 2
    whole[top : top + sizes[0], left : left + sizes[1]] = small if small.ndim == 3 else small[..., None]
    return whole


def _finish(stop: list[threading.Event], *ends: Callable[[], None]) -> None:
    """For a window that is gone: stop what runs, and wait for that."""
    stop[0].set()
    for end in ends:
        end()
