"""Which models there are: those that ship inside, and the person's own."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from napari_resmed.errors import ModelError
from napari_resmed.models.folder import load_model
from napari_resmed.models.model import Model

__all__ = ["BUILT_IN", "find_model", "list_models", "own_models_folder"]

BUILT_IN = Path(__file__).parent.parent / "starter"


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
