"""Save what was learnt from strokes as a model, which Segment then applies to other volumes."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Started
from napari_resmed.jobs.scribble import check_scribbles, choose_background
from napari_resmed.labels import LabelMap, LabelSet
from napari_resmed.models.save import check_model_place, save_model
from napari_resmed.scribble.as_model import as_model
from napari_resmed.scribble.cache import features_of, key_of
from napari_resmed.scribble.head import train_head
from napari_resmed.scribble.steps import to_end
from napari_resmed.scribble.strokes import find_strokes
from napari_resmed.volume import Volume

__all__ = ["scribble_model"]

LICENCE = "The one who painted the strokes has the rights in this model.\n"


def scribble_model(
    image: Volume, scribbles: Volume, target: Path | str, *, background: int | None = None
) -> Generator[Event, None, dict[str, Any]]:
    """Write a model folder.

    Parameters
    ----------
    image, scribbles, background:
        As of :func:`napari_resmed.jobs.scribble.scribble`.
    target:
        The folder; its name is the model's.

    Returns
    -------
    dict
        ``model`` (the folder), ``name``, ``labels`` (values).

    Raises
    ------
    InputError
        If image or strokes cannot be used, or something is in the way.
    WorkError
        If writing fails.
    """
    target = Path(target)
    if not target.name:
        raise InputError(f"cannot write the model to {target}: expected a folder with a name")
    check_model_place(target)
    painted = check_scribbles(image, scribbles)
    names = scribbles.labels if isinstance(scribbles, LabelMap) else LabelSet()
    yield Started(f"Saving {target.name}")
    features = features_of(image, key_of(image))
    strokes = find_strokes(painted, features.grid)
    chosen = yield from choose_background(features, strokes, names, background)
    yield Progress("Learning from the strokes", 0.5)
    head = to_end(train_head(features, strokes, chosen))
    model, network = as_model(target.name, image, features, strokes, head, chosen, names)
    save_model(model, network.state_dict(), target, card=_card(model.name, strokes.count), licence=LICENCE)
    return {"model": str(target), "name": model.name, "labels": list(model.labels.values)}


def _card(name: str, strokes: int) -> str:
    return (
        f"# {name}\n\nLearnt from {strokes} strokes painted on one image: filter responses at several scales and a "
        "small network on them, the same at every voxel. It knows what tissue looks like and nothing of where it lies, "
        "so it fits images of the same kind, scanner and protocol.\n\nNot measured on other images. For research, not "
        "for diagnosis.\n"
    )
