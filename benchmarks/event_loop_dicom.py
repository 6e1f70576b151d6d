"""How long is the window's event loop held while DICOM is listed and opened? (at most 100 ms by our code)

A timer in a real window asks to be woken every 5 ms; how late it is woken is how long the loop was held. Measured while
a folder of series is listed with its pictures, while one is read, and from then until it is drawn, which is napari
making an Image layer and sending it to the graphics card; beside them the same window with nothing to do, and napari
alone showing an array of the same size.

Python's garbage collector stops everything for as long as it takes to look at all of napari's objects, whoever made the
last one; listing a large folder makes it run once. How long that takes is measured by itself, and then it is switched
off, so that what else is measured is the program's own.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

import napari
import numpy as np

from benchmarks.event_loop import Pulse, report, spin
from napari_resmed.io.dicom.write import write_series
from napari_resmed.viewer.dicom.load_dicom_widget import LoadDicomWidget
from napari_resmed.volume import Volume

SERIES, SLICES, EDGE = 5, 200, 512


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        viewer = napari.Viewer(show=True)
        viewer.window.resize(1500, 940)
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Load DICOM")
        assert isinstance(widget, LoadDicomWidget)
        # napari's first Image layer costs it seconds; that is not asked here.
        viewer.add_image(np.zeros((4, 64, 64), np.int16))
        spin(lambda: False, 3)
        began = time.perf_counter()
        gc.collect()
        print(f"garbage collector, all of napari's objects: {1000 * (time.perf_counter() - began):.0f} ms")
        gc.disable()
        pulse = Pulse()
        spin(lambda: False, 3)
        report("idle window", pulse)
        pulse.restart()
        widget.look_into([Path(folder)])
        spin(lambda: not widget.is_running, 120)
        spin(lambda: len(widget.list.model().pictures) == SERIES, 20)
        report(f"listing {SERIES * SLICES} files", pulse)
        arrived: list[int] = []
        widget._reader.read.connect(lambda *_: arrived.append(len(pulse.gaps_ms)))
        pulse.restart()
        widget.open_button.click()
        spin(lambda: not widget.is_running, 120)
        spin(lambda: False, 1.5)
        report(f"reading {SLICES} slices", pulse, stop=arrived[0])
        report("layer made and drawn", pulse, start=arrived[0])
        data = np.array(viewer.layers[-1].data)
        pulse.restart()
        viewer.add_image(data, contrast_limits=(0, 900))
        spin(lambda: False, 1.5)
        report("napari alone, the same array", pulse)
        viewer.close()


def make(folder: Path) -> None:
    """Five series of uncompressed slices, noise on a ramp."""
    noise = np.random.default_rng(0).integers(0, 900, (1, EDGE, EDGE)).astype(np.int16)
    data = np.repeat(noise, SLICES, 0) + np.arange(SLICES, dtype=np.int16)[:, None, None]
    for number in range(SERIES):
        place = np.diag([0.7, 0.7, 1, 1])[:, [2, 1, 0, 3]]
        write_series(Volume(data, place, "zyx", "CT", f"series {number}"), folder / str(number))


if __name__ == "__main__":
    main()
