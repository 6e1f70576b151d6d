"""Which models there are: those that ship inside, and the person's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

from napari_resmed.errors import ModelError, WorkError
from napari_resmed.models.as_base import why_no_base
from napari_resmed.models.folder import load_model
from napari_resmed.models.model import Model

__all__ = ["BUILT_IN", "find_model", "list_bases", "list_models", "own_models_folder", "remove_model"]

BUILT_IN = Path(__file__).parent.parent / "starter"
# Networks whose encoder a classifier can take: those of napari_resmed.nets.encoders, which a face must not load.
WITH_ENCODER = ("UNet", "UNetWithHead", "PlainConvUNet", "ResidualEncoderUNet")


def own_models_folder() -> Path:
    """Where a person's models are kept: ``RESMED_MODELS``, or the system's place for application data."""
    chosen = os.environ.get("RESMED_MODELS")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("napari-resmed", appauthor=False)) / "models"


def list_models(task: str = "") -> tuple[list[Model], list[str]]:
    """Every model that can be used, and one sentence for every folder that cannot.

    An own model hides a built-in one of the same name.

    Parameters
    ----------
    task:
        Only models for this; empty for all.
    """
    models: dict[str, Model] = {}
    problems: list[str] = []
    for place in (BUILT_IN, own_models_folder()):
        if not place.is_dir():
            continue
        for folder in sorted(place.iterdir()):
            if not folder.is_dir() or folder.name.startswith((".", "_")):
                continue
            try:
                model = load_model(folder)
            except ModelError as problem:
                problems.append(str(problem))
            else:
                models[model.name] = model
    return [model for model in models.values() if task in ("", model.task)], problems


def list_bases(task: str) -> list[Model]:
    """Every model that a training for a task, ``"segment"`` or ``"classify"``, can start from.

    A classifier may begin with the encoder of a model that segments.
    """
    every, _ = list_models()
    if task == "classify":
        return [model for model in every if model.classifies or model.network in WITH_ENCODER]
    return [model for model in every if not why_no_base(model)]


def find_model(name: str | Path) -> Model:
    """The model of a name, or in a folder.

    Raises
    ------
    ModelError
        If there is none.
    """
    models, problems = list_models()
    for model in models:
        if model.name == str(name):
            return model
    if str(name) and Path(name).is_dir():
        return load_model(name)
    for problem in problems:
        if problem.startswith((f"{name}:", f"{name} ", f"{name}/")):
            raise ModelError(f"the model {name} cannot be used: {problem}")
    known = ", ".join(model.name for model in models) or "none"
    raise ModelError(f"there is no model {str(name)!r}; expected a model folder or one of: {known}")


def remove_model(name: str) -> Path:
    """Delete one of a person's own models, by name; where it was.

    Raises
    ------
    ModelError
        If there is no own model of that name, a built-in one included.
    WorkError
        If it cannot be deleted.
    """
    places = own_models_folder()
    own = [model.folder for model in list_models()[0] if model.name == name and model.folder is not None]
    folder = next((place for place in own if place.parent == places.resolve()), None)
    if folder is None:
        what = "is built in and stays" if own else "is none of your own models"
        raise ModelError(f"{name} {what}; only models in {places} are removed")
    try:
        # Out of the list at once: half a model would be one that cannot be read.
        with tempfile.TemporaryDirectory(prefix=".removed-", dir=places) as gone:
            folder.rename(Path(gone) / "model")
    except OSError as problem:
        raise WorkError(f"could not remove {name}: {(problem.strerror or str(problem)).lower()}") from problem
    return folder
