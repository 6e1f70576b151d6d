"""Several models of one kind made one, whose networks' answers are averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError, ModelError
from napari_resmed.models.folder import weights_file
from napari_resmed.models.model import Model
from napari_resmed.models.save import check_model_place, save_model
from napari_resmed.models.tensors_only import read_tensors
from napari_resmed.nets.size import fits_one_size

__all__ = ["combine_models"]

# What has to be the same, and what it is called.
_SAME = {
    "task": "task",
    "network": "network",
    "arguments": "network's size",
    "preparation": "preparation of images",
    "labels": "structures",
    "channels": "channels",
    "background_classes": "classes of background",
    "regions": "regions",
    "region_order": "order of regions",
    "cleanup": "cleaning up of answers",
}


def combine_models(models: Sequence[Model], folder: Path | str) -> Model:
    """Write an ensemble: trainings with other seeds or other parts held out, folds.

    Parameters
    ----------
    models:
        Two or more that segment, of one kind: the same network, preparation, structures and channels.
    folder:
        Where it goes; its name becomes the model's.

    Raises
    ------
    InputError
        If there are too few, they differ, or something is in the way.
    ModelError
        If weights are damaged.
    WorkError
        If writing fails.
    """
    folder = Path(folder)
    check_model_place(folder)
    if len(models) < 2:
        raise InputError(f"found {len(models)} model, expected two or more to average")
    first = models[0]
    for other in models[1:]:
        _check_same(first, other)
    if first.classifies or fits_one_size(first.network, first.arguments):
        raise InputError(f"{first.name} classifies, or its network sees windows of one size; such are not averaged")
    names = [model.name for model in models]
    # No window is larger than any of them was trained on.
    z, y, x = (min(edges) for edges in zip(*(model.patch for model in models), strict=True))
    # Along x (2) an ensemble is mirrored only where all of it exchanges the same left and right.
    sides_alike = all(set(model.mirror_pairs) == set(first.mirror_pairs) for model in models)
    axes = [axis for axis in first.mirror_axes if all(axis in model.mirror_axes for model in models)]
    made = replace(
        first,
        name=folder.absolute().name,
        patch=(z, y, x),
        description=f"The mean of {', '.join(names)}",
        mirror_axes=tuple(axis for axis in axes if axis != 2 or sides_alike),
        mirror_pairs=first.mirror_pairs if sides_alike else (),
        quick_spacing_mm=first.quick_spacing_mm if len({model.quick_spacing_mm for model in models}) == 1 else 0.0,
        one_window=first.one_window if len({model.one_window for model in models}) == 1 else None,
        overlap=max(model.overlap for model in models),
        found_by=None,  # with what each of them was trained on, which says when a part is to be found
        measured={},
        training={"combined_from": {model.name: dict(model.training) for model in models}},
        members=sum(model.members for model in models),
    )
    licences = dict.fromkeys((_folder(model) / "LICENSE").read_text(encoding="utf-8") for model in models)
    weights = [one for model in models for one in _weights(model)]
    return save_model(made, weights, folder, card=_card(made, names), licence="\n".join(licences))


def _check_same(first: Model, other: Model) -> None:
    for name, called in _SAME.items():
        if _plain(getattr(first, name)) != _plain(getattr(other, name)):
            raise InputError(
                f"{first.name} and {other.name} differ in their {called}, so their answers cannot be averaged; "
                "combine models that were trained alike"
            )


def _plain(value: Any) -> Any:
    """Lists and tuples mean the same."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _folder(model: Model) -> Path:
    if model.folder is None:
        raise ModelError(f"the model {model.name} was never saved, so it has no weights to take")
    return model.folder


def _weights(model: Model) -> list[Mapping[str, Any]]:
    found = [read_tensors(_folder(model) / weights_file(member)) for member in range(model.members)]
    if not all(isinstance(one, Mapping) for one in found):
        raise ModelError(f"{model.name} holds no weights; expected a state dict")
    return found


def _card(model: Model, names: Sequence[str]) -> str:
    return (
        f"# {model.name}\n\nThe mean of the answers of {len(names)} models: {', '.join(names)}. It takes as long as "
        "all of them one after the other, and can tell where they disagree. What they were trained on and what they "
        "are not for stands in their own cards.\n\nNot measured by itself. For research, not for diagnosis.\n"
    )
