"""Another model made one of ours, whichever of those that are known it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from napari_resmed.errors import ModelError
from napari_resmed.models.folder import load_model, read_card, weights_file
from napari_resmed.models.model import Model
from napari_resmed.models.monai_bundle import import_bundle, is_bundle, open_bundle
from napari_resmed.models.nnunet import import_nnunet
from napari_resmed.models.save import check_model_place, save_model
from napari_resmed.models.tensors_only import read_tensors
from napari_resmed.models.torchscript import SCRIPT, TORCHSCRIPT, check_script, load_script
from napari_resmed.nets import build_network

__all__ = ["import_model"]


def import_model(source: Path | str, folder: Path | str) -> Model:
    """Write a trained nnU-Net v2, a MONAI bundle, or a model of this program from elsewhere, as a model folder.

    Parameters
    ----------
    source:
        A folder or a zip file.
    folder:
        Where the model goes; its name becomes the model's.

    Raises
    ------
    InputError
        If the source is none of these, or something else is in the way.
    ModelError
        If it is one that this program cannot run; the reason is named.
    WorkError
        If writing fails.
    """
    source, folder = Path(source), Path(folder)
    if not is_bundle(source):
        return import_nnunet(source, folder)
    check_model_place(folder)
    with open_bundle(source) as bundle:
        if "resmed" not in bundle.metadata:
            return import_bundle(source, folder)
        return _copy(bundle.folder, folder)


def _copy(source: Path, folder: Path) -> Model:
    """A model of this program, checked as whatever comes from elsewhere."""
    model = load_model(source)
    members = [read_tensors(source / weights_file(member)) for member in range(model.members)]
    if not all(isinstance(weights, Mapping) for weights in members):
        raise ModelError(f"{source.name} holds no weights; expected a state dict")
    script = check_script(source / SCRIPT) if (source / SCRIPT).is_file() else None
    scripted = model.network == TORCHSCRIPT
    network = load_script(source / SCRIPT) if scripted else build_network(model.network, model.arguments)
    for member, weights in enumerate(members):
        try:
            network.load_state_dict(weights)
        except (RuntimeError, AttributeError, TypeError) as problem:
            raise ModelError(
                f"{source.name}/{weights_file(member)} does not fit the network {model.network}; get the model anew"
            ) from problem
    metadata = json.loads((source / "configs/metadata.json").read_text(encoding="utf-8"))
    return save_model(
        replace(model, name=folder.absolute().name),
        members,
        folder,
        card=read_card(model),
        licence=(source / "LICENSE").read_text(encoding="utf-8", errors="replace"),
        changelog=metadata.get("changelog"),
        authors=str(metadata.get("authors", "unknown")),
        files={SCRIPT: script} if script is not None else None,
    )
