"""How long until the plugin is there? (import at most 0.1 s, the Segment dock at most 0.5 s)

Fresh processes, the median of several; beside them what Python and napari themselves take. The dock is opened in a
real window that is already on the screen, from the call to the first drawn frame.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 7

TIMED_IMPORT = "import time; t = time.perf_counter(); import {0}; print(time.perf_counter() - t)"
DOCK = """
import time, napari
from qtpy.QtCore import QCoreApplication
viewer = napari.Viewer(show=True)
for _ in range(50):
    QCoreApplication.processEvents()
    time.sleep(0.01)
begin = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
QCoreApplication.processEvents()
print(time.perf_counter() - begin)
viewer.close()
"""


def seconds(code: str, runs: int = RUNS) -> float:
    """The median of what fresh processes print last."""
    figures = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        figures.append(float(done.stdout.split()[-1]))
    return statistics.median(figures)


def main() -> None:
    numpy = seconds(TIMED_IMPORT.format("numpy"))
    ours = seconds(TIMED_IMPORT.format("napari_resmed"))
    print(
        f"import napari_resmed     {ours:.4f} s   of the limit {ours / 0.1:.2f}   of importing numpy {ours / numpy:.2f}"
    )
    dock = seconds(DOCK, 3)
    print(f"opening the Segment dock {dock:.3f} s    of the limit {dock / 0.5:.2f}")


if __name__ == "__main__":
    main()
