"""An answer as an ordinary Labels layer."""

from __future__ import annotations

from collections.abc import Iterable

from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.label_look import label_look
from napari_resmed.viewer.layers import KEY, LayerData, result_to_layer
from napari_resmed.viewer.parts.over_image import attributes_on
from napari_resmed.viewer.scribble.shown_grid import ShownGrid

__all__ = ["accepted"]


def accepted(answer: LabelMap, background: int, names: Iterable[Label], grid: ShownGrid, name: str) -> LayerData:
    """What napari needs to show an answer over its image, to be painted on; for a thread beside the window's.

    Parameters
    ----------
    answer:
        In the image's own axes; not changed.
    background:
        The class that becomes 0, as in any other Labels layer; 0 for none.
    names:
        Of the classes, as they are called now.
    grid:
        The image's, as it is shown.
    name:
        Of the layer.
    """
    data = answer.data.copy()
    data[data == background] = 0
    labels = LabelSet(tuple(label for label in names if label.value != background))
    labels = labels.completed(set(answer.labels.values) - {background})
    result = LabelMap(data, answer.affine, "zyx", answer.modality, name, answer.meta, labels)
    if len(grid.shape) == 3:
        return result_to_layer(result, grid.attributes, grid.shape)
    facts = {"modality": answer.modality, "name": name, "meta": dict(answer.meta), "labels": labels.to_json()}
    return data[0], {**attributes_on(grid.attributes, name), **label_look(labels), "metadata": {KEY: facts}}, "labels"
