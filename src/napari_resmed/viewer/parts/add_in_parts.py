"""Adding a Labels layer to the window in parts, for napari takes an eighth of a second over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from napari.layers import Labels

__all__ = ["add_in_parts"]

# What is drawn of a polygon and of a brush stroke under way: a third of the time that adding takes, and not needed
# before somebody paints.
_OUTLINES = ("polygon", "brush_stroke")


def add_in_parts(layer: Labels, add: Callable[[], object]) -> Iterator[None]:
    """Add a layer and have its outlines made after that, one at a time: see :func:`.in_turns.in_turns`.

    napari makes an overlay of a layer when it is first visible; one that hides them elsewhere is added in one part.
    """
    overlays = getattr(layer, "_overlays", {})
    hidden = [overlays[name] for name in _OUTLINES if name in overlays and overlays[name].visible]
    for overlay in hidden:
        overlay.visible = False
    add()
    for overlay in hidden:
        yield
        overlay.visible = True
    if hidden:
        layer.refresh()  # they take the layer's place when it is next drawn
