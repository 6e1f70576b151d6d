"""The demo's window: a real napari, the sample image, a click on Segment, a picture.

Run by ``napari-resmed demo`` as ``python -m napari_resmed.viewer.demo PICTURE.png [--stay]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QTimer

from napari_resmed.viewer.segment.segment_widget import SegmentWidget

__all__ = ["main"]

SIZE = (1500, 940)
# Long enough for napari to have drawn the result before the picture is taken.
SETTLE_MS = 1500


def main(picture: Path, stay: bool) -> int:
    """Show the window; returns 0 once the picture is written."""
    viewer = napari.Viewer(title="napari-resmed demo", show=True)
    viewer.window.resize(*SIZE)
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
    assert isinstance(widget, SegmentWidget)
    viewer.open_sample("napari-resmed", "mni152")
    failed: list[str] = []

    def take() -> None:
        _arrange(viewer, widget)
        viewer.window.screenshot(str(picture), canvas_only=False)
        if not stay:
            viewer.close()

    def look() -> None:
        if widget.is_running:
            return
        watch.stop()
        if widget.result is None:
            failed.append(widget.status.text())
            viewer.close()
            return
        _arrange(viewer, widget)
        QTimer.singleShot(SETTLE_MS, take)

    watch = QTimer()
    watch.timeout.connect(look)
    widget.start_button.click()
    watch.start(100)
    napari.run()
    if failed:
        print(failed[0], file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _arrange(viewer: napari.Viewer, widget: SegmentWidget) -> None:
    """The slice through the deep structures, filling the canvas."""
    image = widget.result.extent.world
    middle = np.round((image[0] + image[1]) / 2, 1)
    viewer.dims.set_point(0, float(middle[0]) - 8)
    viewer.reset_view()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--stay" in sys.argv[2:]))
