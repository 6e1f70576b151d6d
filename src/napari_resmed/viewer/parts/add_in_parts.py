"""Adding a layer to the window in parts, for napari takes an eighth of a second over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_resmed.viewer.parts.collect_later import collect_later

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["add_aside", "add_in_parts"]

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


def add_aside(layer: Image, viewer: ViewerModel, active: Any) -> Iterator[None]:
    """Add an image layer that the person does not work on: first its place among the layers, then its picture.

    Its controls are laid out only where somebody chooses it: that, and drawing the picture, is two fifths of what
    adding takes.

    Parameters
    ----------
    layer:
        To add.
    viewer:
        Where.
    active:
        The layer that is active then; where it is gone, the new one is.
    """
    shown = layer.visible
    layer.visible = False
    try:
        yield from collect_later(lambda: _insert(layer, viewer, active))
    finally:  # also where the dock is closed in between
        layer.visible = shown


def _insert(layer: Image, viewer: ViewerModel, active: Any) -> None:
    if active not in viewer.layers:
        viewer.add_layer(layer)
        return
    selection = viewer.layers.selection
    selection.active = active
    # napari activates what is added; as it is undone at once, nobody need hear of it.
    with selection.events.blocker_all():
        viewer.add_layer(layer)
        selection.active = active
