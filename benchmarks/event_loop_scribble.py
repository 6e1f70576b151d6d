"""How long is the window's event loop held while a person scribbles? (at most 100 ms)

A timer in a real window asks to be woken every 5 ms; how late it is woken is how long the loop was held: at Start,
while strokes are painted and answered, and at Accept, in 128³ voxels; a second and third time too, when napari has
made what it makes once. Beside it the same window with nothing to do: the machine itself.
"""

from __future__ import annotations

import napari
import numpy as np

from benchmarks.event_loop import Pulse, report, spin
from napari_resmed.viewer.scribble.scribble_widget import ScribbleWidget

SIZE = 128
ANSWER_SECONDS = 120


def main() -> None:
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 940)
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Scribble")
    assert isinstance(widget, ScribbleWidget)
    z, y, x = np.ogrid[:SIZE, :SIZE, :SIZE]
    inside = (z - 60) ** 2 + (y - 70) ** 2 + (x - 50) ** 2 < 30**2
    noise = np.random.default_rng(0).normal(0, 0.2, inside.shape)
    image = viewer.add_image((inside + noise).astype(np.float32), name="ball")
    spin(lambda: False, 3)
    pulse = Pulse()
    spin(lambda: False, 3)
    report("idle window", pulse)
    for run in ("first", "second", "third"):
        viewer.layers.selection.active = image
        pulse.restart()
        widget.start_button.click()
        session = widget.session
        assert session is not None
        spin(lambda session=session: session.answer.layer in viewer.layers, 20)
        spin(lambda: False, 1)
        report(f"{run} Start", pulse)
        spin(lambda session=session: not session.is_working, ANSWER_SECONDS)
        pulse.restart()
        for value, place in ((2, (60, 70, 50)), (1, (60, 20, 20)), (1, (64, 110, 64)), (2, (64, 60, 60))):
            session.strokes.paint(place, value)
            spin(lambda session=session: session.is_answered, 0.5 if value == 2 else ANSWER_SECONDS)
        spin(lambda session=session: session.is_answered, ANSWER_SECONDS)
        report(f"{run} strokes, answered", pulse)
        pulse.restart()
        before = widget.result
        widget.accept_button.click()
        spin(lambda before=before: widget.result is not before, 20)
        spin(lambda: False, 1)
        report(f"{run} Accept", pulse)
    viewer.close()


if __name__ == "__main__":
    main()
