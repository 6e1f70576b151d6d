"""Why nothing can be learnt from the layers of a window, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels

from napari_resmed.train.painted import Painted, why_not
from napari_resmed.viewer.parts.complete_slices import complete_slices
from napari_resmed.viewer.parts.image_choice import images_of
from napari_resmed.viewer.train.pairs import Pair, channels_of, is_flat
from napari_resmed.viewer.train.pairs_table import PairsTable

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["homeless", "trouble_with_layers", "trouble_with_paint", "volumes_of"]


def volumes_of(viewer: ViewerModel) -> list[Image]:
    """The images of the window that have several slices."""
    return [image for image in images_of(viewer) if not is_flat(image)]


def homeless(viewer: ViewerModel, pairs: PairsTable, active: Any) -> tuple[Labels, Image] | None:
    """Labels on whose grid no image lies, though there is an image: what "Resample" is offered for."""
    labels = pairs.without_image
    if not labels and not pairs.pairs:
        labels = [layer for layer in viewer.layers if isinstance(layer, Labels) and not is_flat(layer)]
        labels = [layer for layer in labels if not pairs.has_image(layer)]
    volumes = volumes_of(viewer)
    if not labels or not volumes:
        return None
    return labels[0], active if active in volumes else volumes[-1]


def trouble_with_layers(viewer: ViewerModel, table: PairsTable, active: Any) -> str:
    """What is wrong with the layers, whatever is painted in them; empty where nothing is known to be wrong."""
    every_label = [layer for layer in viewer.layers if isinstance(layer, Labels)]
    images = images_of(viewer)
    if not images:
        if every_label:
            return (
                "Labels alone teach nothing: open the image that they were painted over, or take a folder of label "
                "maps from disk."
            )
        return "Open an image first: drop a file or a DICOM folder on the window."
    if all(is_flat(image) for image in images):
        return "The image is a single slice (2D); training needs volumes of several slices."
    if not every_label:
        return "Nothing is painted yet: paint the structure on some slices of a Labels layer."
    without = homeless(viewer, table, active)
    if without is not None:
        return f"{without[0].name} lies on another grid than {without[1].name}; resample the labels onto the image."
    pairs = table.pairs
    if not pairs and all(is_flat(layer) for layer in every_label):
        return "The labels are a single slice (2D); training needs volumes of several slices."
    if not pairs:
        return "Tick the labels to learn from."
    over: dict[Image, Labels] = {}
    for pair in pairs:
        first = over.setdefault(pair.images[0], pair.labels)
        if first is not pair.labels:  # the same image would be learnt from and held out, and say two things
            return (
                f"{first.name} and {pair.labels.name} lie over the same image; paint all structures in one layer, each "
                "with a label of its own, or untick one."
            )
    if any(is_flat(pair.labels) for pair in pairs):
        flat = next(pair.labels.name for pair in pairs if is_flat(pair.labels))
        return f"{flat} is a single slice (2D); training needs volumes of several slices."
    if any(pair.labels.ndim > 3 for pair in pairs):
        deep = next(pair.labels for pair in pairs if pair.labels.ndim > 3)
        return f"{deep.name} has {deep.ndim} dimensions, expected 3; make new labels over the image and paint there."
    numbers = {sum(channels_of(image) for image in pair.images): pair.labels.name for pair in pairs}
    if len(numbers) > 1:
        (few, one), (many, other) = sorted(numbers.items())[:2]
        return f"{one} has {few} image{'s' * (few > 1)} and {other} has {many}; every case needs the same images."
    return ""


def trouble_with_paint(known: Sequence[tuple[Pair, Painted]], names: Mapping[int, str]) -> str:
    """What is wrong with what is painted, once all of it was looked through; empty where nothing is."""
    cases = [
        (pair.labels.name, painted, len(complete_slices(pair.labels)), pair.only_painted) for pair, painted in known
    ]
    return why_not(cases, names)
