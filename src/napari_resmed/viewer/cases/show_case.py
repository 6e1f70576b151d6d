"""A case takes the place of another in the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning

from napari_resmed.viewer.cases.open_case import LoadedCase, OpenCase

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["remove_layer", "show_case"]

# How a person had set the brush is kept from case to case.
_BRUSH = (
    "brush_size", "selected_label", "n_edit_dimensions", "contiguous", "preserve_labels", "opacity", "contour",
)  # fmt: skip


def show_case(
    viewer: ViewerModel,
    loaded: LoadedCase,
    before: OpenCase | None,
    put_away: Callable[[OpenCase], None],
    follow: Callable[[list[Any], Any], None],
) -> Iterator[None]:
    """Put a case in the place of the one that is open.

    Yields between two layers: napari takes 0.1 s to add or remove one, and the window is free between.

    Parameters
    ----------
    viewer, loaded, before:
        Where it is shown, what is shown, and what is open now.
    put_away:
        Saves what is open and stops following it.
    follow:
        Is given the image layers and the Labels layer once they are there.
    """
    brush: dict[str, Any] = {"selected_label": 1}
    images: list[Any] = []
    if before is not None:
        brush = {name: getattr(before.labels, name) for name in _BRUSH} | {"mode": str(before.labels.mode)}
        if brush["mode"] != "pan_zoom":
            # napari 0.9.2 on Mesa's renderer crashes where a layer goes with the brush in hand and others come; not
            # so once the window was drawn without the brush.
            before.labels.mode = "pan_zoom"
            yield
            yield
        put_away(before)
        remove_layer(viewer, before.labels)  # at once with saving: nothing can be painted on it in between
        yield
    again = before is not None and before.name == loaded.name
    if before is not None and again:
        images = before.images
    else:
        for data, attributes, _ in loaded.images:
            images.append(viewer.add_image(data, **attributes))
            yield
    data, attributes, _ = loaded.labels
    labels = viewer.add_labels(data, **attributes)
    follow(images, labels)
    for name, value in brush.items():
        setattr(labels, name, value)
    viewer.layers.selection.active = labels
    viewer.dims.set_point(viewer.dims.ndim - 3, loaded.middle_mm)
    yield
    if before is not None and not again:
        for image in before.images:
            remove_layer(viewer, image)
            yield
    if not again:
        viewer.reset_view()  # another patient lies elsewhere
        viewer.dims.set_point(viewer.dims.ndim - 3, loaded.middle_mm)
    for note in loaded.notes:
        show_warning(note)


def remove_layer(viewer: ViewerModel, layer: Any) -> None:
    """Take a layer out of the window, if it is still there."""
    if layer in viewer.layers:
        layer.mode = "pan_zoom"
        viewer.layers.remove(layer)
