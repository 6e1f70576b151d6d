"""A model on disk, in MONAI bundle layout: reading its description. No torch here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from napari_resmed.errors import InputError, ModelError
from napari_resmed.models.model import Model

__all__ = ["METADATA", "WEIGHTS", "load_model", "read_card", "weights_file"]

WEIGHTS = Path("models/model.pt")
METADATA = Path("configs/metadata.json")
_REQUIRED = (METADATA, Path("configs/inference.json"), WEIGHTS, Path("LICENSE"), Path("docs/README.md"))


def weights_file(member: int) -> Path:
    """Where in a model's folder the weights of one of its networks lie."""
    return WEIGHTS.with_stem(f"{WEIGHTS.stem}_{member}") if member else WEIGHTS


def load_model(folder: Path | str) -> Model:
    """Read a model's description; its weights stay on disk.

    Raises
    ------
    ModelError
        If the folder is missing, lacks a file, or its metadata is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}")
    missing = [str(path) for path in _REQUIRED if not (folder / path).is_file()]
    if missing:
        raise ModelError(f"{folder.name} is not a whole model folder: {', '.join(missing)} missing")
    try:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise ModelError(f"{folder.name}/{METADATA} cannot be read: {problem}") from problem
    if not isinstance(metadata, Mapping):
        raise ModelError(f"{folder.name}/{METADATA} holds no JSON object")
    try:
        model = Model.from_json(metadata, folder.resolve())
    except InputError as problem:
        raise ModelError(f"{folder.name}: {problem}") from problem
    gone = [str(path) for path in map(weights_file, range(model.members)) if not (folder / path).is_file()]
    if gone:
        raise ModelError(f"{folder.name} is not a whole model folder: {', '.join(gone)} missing")
    return model


def read_card(model: Model) -> str:
    """The model card, Markdown."""
    if model.folder is None:
        return ""
    return (model.folder / "docs/README.md").read_text(encoding="utf-8", errors="replace")
