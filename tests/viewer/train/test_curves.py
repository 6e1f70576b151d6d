from __future__ import annotations

import threading

import numpy as np
from pytestqt.qtbot import QtBot

from napari_resmed.viewer.train.curves import MOST_POINTS, REDRAW_MS, Curves, Measured, Plot, _thinned

COLOURS = {"left": (230, 159, 0), "right": (86, 180, 233)}
INK = (240, 241, 242)


class TestPlot:
    def test_lines_have_the_labels_colours(self) -> None:
        plot = Plot(COLOURS, INK, (3, 2.5), 96)
        measured = Measured([(0, 1.0), (100, 0.5)], [(50, 0.6)], {"left": [(10, 0.2), (40, 0.9)]})
        pixels = plot.picture(measured)
        near = np.abs(pixels[..., :3].astype(int) - COLOURS["left"]).max(2) < 40
        legend = np.abs(Plot(COLOURS, INK, (3, 2.5), 96).picture(Measured())[..., :3].astype(int) - COLOURS["left"])
        assert near.sum() > (legend.max(2) < 40).sum() + 20

    def test_picture_of_a_plot_in_use_is_that_of_a_new_one(self) -> None:
        used = Plot(COLOURS, INK, (3, 2.5), 96)
        measured = Measured()
        for step in range(0, 400, 20):
            measured.loss.append((step, 1 / (1 + step)))
            measured.mean.append((step, step / 400))
            measured.dice.setdefault("right", []).append((step, step / 500))
            seen = used.picture(measured)
        np.testing.assert_array_equal(seen, Plot(COLOURS, INK, (3, 2.5), 96).picture(measured))


class TestCurves:
    def test_draws_aside_and_at_most_once_a_second(self, qtbot: QtBot) -> None:
        curves = Curves()
        qtbot.addWidget(curves)
        curves.resize(300, 240)
        with qtbot.waitExposed(curves):
            curves.show()
        assert curves._wait.interval() == REDRAW_MS == 1000
        curves._wait.setInterval(10**8)  # the second is over when this test says so
        threads: list[str] = []
        curves.begin(INK)
        curves.set_labels(COLOURS)
        shown: list[float] = []
        original = curves._show

        def note(pixels: np.ndarray) -> None:
            threads.append(threading.current_thread().name)
            shown.append(pixels.shape[1])
            original(pixels)

        curves._show = note  # type: ignore[method-assign]
        for step in range(30):
            curves.add("training loss", 1 / (1 + step), step)
            curves.add("mean Dice", step / 30, step)
            qtbot.wait(1)
        qtbot.waitUntil(lambda: bool(shown) and not curves._drawing)
        assert len(shown) == 1
        curves._wait.stop()
        curves._wait.timeout.emit()
        qtbot.waitUntil(lambda: len(shown) == 2)
        assert set(threads) == {"MainThread"}
        assert not curves.pixmap().isNull()
        curves._wait.stop()
        curves._wait.timeout.emit()
        assert not curves._drawing  # nothing new, nothing drawn

    def test_history_of_an_earlier_session_comes_first(self, qtbot: QtBot) -> None:
        curves = Curves()
        qtbot.addWidget(curves)
        curves.add("training loss", 0.3, 60)
        history = [{"step": k, "loss": 1.0, "dice": [0.5, None], "mean_dice": 0.5} for k in (20, 40, 80)]
        curves.show_history(history, ["left", "right"])
        assert curves.measured.loss == [(20, 1.0), (40, 1.0), (60, 0.3)]
        assert curves.measured.dice == {"left": [(20, 0.5), (40, 0.5), (80, 0.5)], "right": []}


def test_thinning_keeps_means() -> None:
    line = [(step, float(step % 7)) for step in range(1000)]
    steps, values = _thinned(line)
    assert len(steps) == MOST_POINTS
    assert abs(values.mean() - np.mean([value for _, value in line])) < 0.05
