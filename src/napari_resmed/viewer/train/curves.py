"""Live curves of a training: its loss, and how well what is held out is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_resmed.io.whole_file import whole_file
from napari_resmed.viewer.parts.background import Background
from napari_resmed.viewer.train.judged import DICE, Judged

__all__ = ["Curves", "Measured", "Plot"]

Colour = tuple[int, int, int]

REDRAW_MS = 1000
# Points of the loss that are drawn; more are averaged, a dock is some 300 pixels wide.
MOST_POINTS = 300
# Structures that a legend names; more would leave no room for the curves.
MOST_NAMED = 8
# Steps that the axis shows at first; it grows in jumps.
FIRST_RANGE = 50.0
# Told apart without their colours, too.
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
_HEIGHT = 240
_DOTS_PER_INCH = 96


@dataclass
class Measured:
    """What was measured so far: ``(step, value)`` pairs; ``dice`` is the figure of each structure, or class."""

    loss: list[tuple[int, float]] = field(default_factory=list)
    mean: list[tuple[int, float]] = field(default_factory=list)
    dice: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def copy(self) -> Measured:
        """As it is now."""
        return Measured(list(self.loss), list(self.mean), {name: list(line) for name, line in self.dice.items()})


class Curves(QLabel):
    """A picture of the curves, redrawn at most once a second, on a thread of its own.

    matplotlib takes 60 ms for such a picture on an idle machine and several times that beside a training, too long for
    the window's thread.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.measured = Measured()
        self._colours: Mapping[str, Colour] = {}
        self._ink: Colour = (240, 241, 242)
        self._judged = DICE
        self._plots: list[Plot] = []  # the one in use; only the drawing thread touches it
        self._aside = Background(self, must_finish=False)
        self._drawing = False
        self._stale = False
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(REDRAW_MS)
        self._wait.timeout.connect(self._on_waited)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAccessibleName("Curves of the training")

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As narrow as the dock likes."""
        return QSize(120, _HEIGHT)

    def let_go(self) -> None:
        """Draw nothing any more."""
        self._aside.forget()
        self._aside.close()

    def begin(self, ink: Colour, judged: Judged = DICE) -> None:
        """Forget everything; ``ink`` is the colour of text in this window, ``judged`` what is measured."""
        self.measured = Measured()
        self._colours = {}
        self._ink = ink
        self._judged = judged
        self.clear()

    def set_labels(self, colours: Mapping[str, Colour]) -> None:
        """The structures, in order, with their colours."""
        self._colours = dict(colours)

    def add(self, name: str, value: float, step: int) -> None:
        """One figure, by the name it has in the job's :class:`~napari_resmed.events.Metric`."""
        if name == "training loss":
            self.measured.loss.append((step, value))
        elif name == f"mean {self._judged.word}":
            self.measured.mean.append((step, value))
            self.setAccessibleDescription(f"{name} {value:.2f} at step {step}")
        elif name.startswith(f"{self._judged.word} "):
            self.measured.dice.setdefault(name.removeprefix(f"{self._judged.word} "), []).append((step, value))
        self._refresh()

    def show_history(self, history: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
        """All looks of a finished training, also those of an earlier session that it went on from."""
        for number, name in enumerate(names):
            line = [(int(look["step"]), look[self._judged.key][number]) for look in history]
            self.measured.dice[name] = [(step, float(value)) for step, value in line if value is not None]
        means = [(int(look["step"]), look[f"mean_{self._judged.key}"]) for look in history]
        self.measured.mean = [(step, float(value)) for step, value in means if value is not None]
        first = self.measured.loss[0][0] if self.measured.loss else float("inf")
        earlier = [(int(look["step"]), float(look["loss"])) for look in history if look["step"] < first]
        self.measured.loss[:0] = earlier
        self._refresh()

    def save(self, path: Path) -> None:
        """Write the curves as PNG or SVG, by the name's ending, dark on white.

        Raises
        ------
        ResMedError
            If it cannot be written there.
        """
        plot = Plot(self._colours, (31, 41, 51), (5.6, 4.2), 200, self._judged)
        plot.update(self.measured)
        with whole_file(path) as part:
            plot.figure.savefig(part, format=path.suffix.lower().lstrip("."), facecolor="white")

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Draw anew for another width."""
        super().resizeEvent(event)
        if self.measured.loss or self.measured.mean:
            self._refresh()

    def _refresh(self) -> None:
        if self._drawing or self._wait.isActive():
            self._stale = True
            return
        self._draw()

    def _draw(self) -> None:
        if self._drawing:
            return
        if not self.isVisible() or self.width() < 40:
            self._stale = True
            return
        self._drawing, self._stale = True, False
        inches = (self.width() / _DOTS_PER_INCH, self.height() / _DOTS_PER_INCH)
        dots = _DOTS_PER_INCH * self.devicePixelRatioF()
        look = (self._colours, self._ink, inches, dots, self._judged)
        self._aside.run(partial(_redraw, self._plots, look, self.measured.copy()), self._show, self._on_failed)

    def _on_failed(self, problem: str) -> None:
        self._drawing = False
        self.setText(problem)

    def _on_waited(self) -> None:
        if self._stale:
            self._draw()

    def _show(self, pixels: NDArray[np.uint8]) -> None:
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        picture = QPixmap.fromImage(image)
        picture.setDevicePixelRatio(self.devicePixelRatioF())
        self.setPixmap(picture)
        self._drawing = False
        self._wait.start()

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Draw what came while nobody looked."""
        super().showEvent(event)
        if self._stale:
            self._refresh()


def _redraw(plots: list[Plot], look: tuple[Any, ...], measured: Measured) -> NDArray[np.uint8]:
    """The curves as ``(y, x, rgba)``; ``plots`` remembers the plot while it looks the same."""
    if not plots or plots[0].look != look:
        plots[:] = [Plot(*look)]
    return plots[0].picture(measured)


class Plot:
    """The curves as a matplotlib figure with an Agg canvas; on any thread, but one at a time.

    It must hold Python's lock for as short as can be, for the window waits for it. So the figure is made once and then
    updated (a new one for every picture leaves so much behind that the garbage collector halts everything for a quarter
    of a second now and then), and axes and words are drawn only when their range changes, in steps.

    Parameters
    ----------
    colours:
        Of the structures by name, in order.
    ink:
        Of text and axes; the ground is left transparent.
    inches, dots_per_inch:
        Size ``(width, height)``.
    judged:
        What is measured.
    """

    def __init__(
        self,
        colours: Mapping[str, Colour],
        ink: Colour,
        inches: tuple[float, float],
        dots_per_inch: float,
        judged: Judged = DICE,
    ) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.look = (colours, ink, inches, dots_per_inch, judged)
        text = tuple(part / 255 for part in ink)
        self.figure = Figure(figsize=inches, dpi=dots_per_inch)
        FigureCanvasAgg(self.figure)
        self.figure.patch.set_alpha(0)
        named = list(colours) if 1 < len(colours) <= MOST_NAMED else []
        # Room in inches, so that a narrow dock loses curve and not text.
        below = 0.33 + 0.155 * ((len(named) + 2) // 2 if named else 0)
        self.figure.subplots_adjust(
            left=0.42 / inches[0],
            right=1 - 0.16 / inches[0],
            top=1 - 0.2 / inches[1],
            bottom=below / inches[1],
            hspace=0.42,
        )
        self._above, self._beneath = self._axes(text, judged.title)
        (self._loss,) = self._above.plot([], [], color=text, linewidth=1.1, animated=True)
        self._dice: dict[str, tuple[Any, Any]] = {}
        for number, (name, colour) in enumerate(colours.items()):
            # A pale rim, for labels as dark as the window.
            (rim,) = self._beneath.plot([], [], color=(*text, 0.3), linewidth=3, animated=True)
            (line,) = self._beneath.plot(
                [],
                [],
                color=tuple(part / 255 for part in colour),
                linewidth=1.5,
                linestyle=_DASHES[number % len(_DASHES)],
                marker="o",
                markersize=2.5,
                label=_short(name),
                animated=True,
            )
            self._dice[name] = rim, line
        self._mean = None
        if len(colours) > 1:
            (self._mean,) = self._beneath.plot([], [], color=text, linewidth=2.2, label="mean", animated=True)
        self._ranges: Any = None
        self._ground: Any = None  # axes and words, as they were drawn last
        if named:
            self.figure.legend(
                *self._beneath.get_legend_handles_labels(), loc="lower left", ncols=2, fontsize=7, labelcolor=[text],
                frameon=False, handlelength=2.4, columnspacing=1.2, borderpad=0.1, borderaxespad=0.2, labelspacing=0.25,
            )  # fmt: skip

    def _axes(self, text: tuple[float, ...], below: str) -> tuple[Any, Any]:
        from matplotlib.ticker import MaxNLocator

        above, beneath = self.figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
        for axes, title in ((above, "Training loss"), (beneath, below)):
            axes.patch.set_alpha(0)
            axes.set_title(title, fontsize=8, loc="left", color=text, pad=3)
            axes.tick_params(labelsize=7, colors=text, length=2, pad=2)
            axes.grid(color=text, alpha=0.15, linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
            axes.spines[["left", "bottom"]].set_color((*text, 0.4))
        beneath.set_ylim(0, 1.02)
        beneath.set_yticks((0, 0.5, 1))
        beneath.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        above.yaxis.set_major_locator(MaxNLocator(3))
        beneath.set_xlabel("step", fontsize=7, color=text, labelpad=1, loc="right")
        return above, beneath

    def picture(self, measured: Measured) -> NDArray[np.uint8]:
        """These figures as ``(y, x, rgba)``."""
        canvas = self.figure.canvas
        if self.update(measured) or self._ground is None:
            canvas.draw()  # all but the lines, which are "animated"
            self._ground = canvas.copy_from_bbox(self.figure.bbox)
        canvas.restore_region(self._ground)
        for axes in (self._above, self._beneath):
            for line in axes.lines:
                axes.draw_artist(line)
        return np.array(canvas.buffer_rgba())

    def update(self, measured: Measured) -> bool:
        """Show these figures; whether the axes have another range now."""
        steps, losses = _thinned(measured.loss)
        self._loss.set_data(steps, losses)
        for name, lines in self._dice.items():
            for line in lines:
                line.set_data(*_columns(measured.dice.get(name, [])))
        if self._mean is not None:
            self._mean.set_data(*_columns(measured.mean))
        last = max([1.0, *steps[-1:], *(step for step, _ in measured.mean[-1:])])
        ranges = (
            (0.0, _round_up(max(last, FIRST_RANGE))),
            (0.0, _round_up(float(losses.max()))) if len(losses) else (0.0, 1.0),
        )
        if ranges == self._ranges:
            return False
        self._ranges = ranges
        self._beneath.set_xlim(ranges[0])
        self._above.set_ylim(ranges[1])
        return True


def _round_up(value: float) -> float:
    """The next of 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(max(value, 1e-6)))
    return float(next(k * power for k in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12.5) if k * power >= value))


def _columns(line: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in line], [value for _, value in line]


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _thinned(line: Sequence[tuple[int, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of equal runs of points where there are too many."""
    steps, values = np.array([step for step, _ in line], float), np.array([value for _, value in line], float)
    if len(line) <= MOST_POINTS:
        return steps, values
    edges = np.linspace(0, len(line), MOST_POINTS + 1).astype(int)
    counts = np.diff(edges)
    return np.add.reduceat(steps, edges[:-1]) / counts, np.add.reduceat(values, edges[:-1]) / counts
