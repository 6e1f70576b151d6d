"""Writing a model folder."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.whole_file import reason, whole_folder
from napari_resmed.models.bundle import inference_config, network_data_format, required_packages
from napari_resmed.models.folder import METADATA, load_model, weights_file
from napari_resmed.models.model import Model

__all__ = ["AUTHORS", "check_model_place", "save_model"]

AUTHORS = "The napari-resmed developers"


def save_model(
    model: Model,
    weights: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    folder: Path | str,
    *,
    card: str,
    licence: str,
    changelog: Mapping[str, str] | None = None,
    authors: str = AUTHORS,
    files: Mapping[Path, bytes] | None = None,
) -> Model:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    model:
        The description.
    weights:
        The network's state dict; tensors only. Half precision is kept as it is. Of a model of several members, each
        one's.
    folder:
        Where; an existing model folder is replaced.
    card, licence:
        Text of ``docs/README.md`` and ``LICENSE``.
    changelog:
        What each version brought.
    authors:
        Who made it and has the right in it.
    files:
        What else belongs into the folder, by place.

    Raises
    ------
    InputError
        If another kind of folder or a file is in the way.
    WorkError
        If writing fails.
    """
    folder = Path(folder)
    check_model_place(folder)
    members = [weights] if isinstance(weights, Mapping) else weights
    if len(members) != model.members:
        raise ValueError(f"{len(members)} sets of weights for {model.members} members")
    metadata = _metadata(model, changelog or {model.version: "first version"}, authors)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise WorkError(f"could not write the model to {folder}: {reason(problem)}") from problem
    with whole_folder(folder) as part:
        for name in ("configs", "models", "docs"):
            (part / name).mkdir()
        (part / METADATA).write_text(_json(metadata), encoding="utf-8")
        (part / "configs/inference.json").write_text(_json(inference_config(model)), encoding="utf-8")
        (part / "docs/README.md").write_text(card, encoding="utf-8")
        (part / "LICENSE").write_text(licence, encoding="utf-8")
        for number, one in enumerate(members):
            (part / weights_file(number)).write_bytes(_weights(one))
        for place, content in (files or {}).items():
            (part / place).write_bytes(content)
    return load_model(folder)


def check_model_place(folder: Path) -> None:
    """Refuse, before any work is done, a place where no model folder can be written.

    Raises
    ------
    InputError
        If another kind of folder or a file is there, or nothing can be written.
    """
    if folder.exists() and not (folder / METADATA).is_file():
        raise InputError(f"{folder} is there and is no model folder; choose another place")
    around = next(place for place in folder.parents if place.exists())
    if not around.is_dir() or not os.access(around, os.W_OK):
        raise InputError(f"cannot write {folder}: nothing can be written in {around}; choose another place")


def _weights(weights: Mapping[str, Tensor]) -> bytes:
    # Through memory: writing to the file itself, torch tells a full disk as an error of its own and keeps it open.
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu().clone() for name, tensor in weights.items()}, buffer)
    return buffer.getvalue()


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _installed(package: str) -> str:
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return "0"


def _metadata(model: Model, changelog: Mapping[str, str], authors: str) -> dict[str, Any]:
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
        "meta_schema_20240725.json",
        "version": model.version,
        "changelog": dict(changelog),
        "monai_version": _installed("monai"),
        "pytorch_version": _installed("torch"),
        "numpy_version": _installed("numpy"),
        "required_packages_version": required_packages(model),
        "supported_apps": {},
        "name": model.name,
        "task": model.task,
        "description": model.description,
        "authors": authors,
        "copyright": authors,
        "intended_use": "Research; not for diagnosis.",
        "network_data_format": network_data_format(model),
        "resmed": model.to_json(),
    }
