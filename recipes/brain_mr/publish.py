"""Write the model folder: weights, metadata, card."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from napari_resmed.models.model import Model
from napari_resmed.models.save import save_model
from napari_resmed.prepare.preparation import Preparation
from recipes.brain_mr.labels import labels
from recipes.brain_mr.train import NETWORK, STAGES

VERSION = "0.1.0"
COMMAND = (
    "python -m recipes.brain_mr --labelmaps ../shared/data/brain_labelmaps --work .runs/brain-mr --minutes {minutes:g}"
)


def averaged_weights(work: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The averaged weights of a run in half precision, and where the run stood."""
    state = torch.load(work / "checkpoint.pt", weights_only=True)
    weights = {
        name.removeprefix("module."): tensor.half()
        for name, tensor in state["average"].items()
        if name.startswith("module.")
    }
    return weights, {"step": state["step"], "minutes": round(state["spent"] / 60, 1)}


def write_model(
    work: Path, folder: Path, label_maps: Sequence[Path], measured: dict[str, Any], minutes: float, seed: int
) -> Model:
    """Write the folder of the model as the run stands now."""
    weights, place = averaged_weights(work)
    spacing = STAGES[-1].spacing_mm
    patch = (STAGES[-1].patch,) * 3
    command = COMMAND.format(minutes=minutes)
    training = {
        "command": command,
        "seed": seed,
        "steps": place["step"],
        "minutes": place["minutes"],
        "plan": [vars(stage) for stage in STAGES],
        "history": _history(work),
        "familiar": load_familiar(work),
        "data": {"label_maps": [path.name for path in label_maps], "sha256": _fingerprint(label_maps)},
    }
    arguments = dict(NETWORK)
    name = arguments.pop("name", "UNet")
    model = Model(
        name="brain-mr",
        network=name,
        arguments=arguments,
        preparation=Preparation((spacing, spacing, spacing)),
        patch=patch,
        labels=labels(),
        channels=("MR",),
        version=VERSION,
        description="Brain structures in T1-weighted MR of adults, whole head or skull-stripped",
        mirror_axes=(2,),
        measured=measured,
        training=training,
    )
    here = Path(__file__).parent
    licence = (here.parent.parent / "LICENSE").read_text(encoding="utf-8")
    return save_model(model, weights, folder, card=card(model), licence=licence)


def _fingerprint(label_maps: Sequence[Path]) -> str:
    """One digest over the files that were trained on, in order."""
    digest = hashlib.sha256()
    for path in label_maps:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _history(work: Path) -> list[dict[str, float]]:
    """Loss and soft Dice by the minute, thinned to about forty points."""
    with (work / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    step = max(1, len(rows) // 40)
    names = ("step", "minutes", "spacing_mm", "loss", "soft_dice")
    return [{name: float(row[name]) for name in names} for row in rows[::step]]


def card(model: Model) -> str:
    """The model card, from what was measured."""
    text = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    held_out = model.measured.get("held_out_maps", {})
    template = model.measured.get("mni152", {})
    rows = "\n".join(
        f"| {label.value} | {label.name} | "
        + (
            f"{scores['mean']:.3f} ± {scores['sd']:.3f}"
            if (scores := held_out.get("structures", {}).get(label.name))
            else "not measured"
        )
        + f" | {label.code.value if label.code else 'none'} |"
        for label in model.labels
    )
    speed = model.measured.get("speed", {})
    return text.format(
        version=model.version,
        spacing=model.preparation.spacing_mm[0],
        structures=len(model.labels),
        minutes=model.training["minutes"],
        steps=model.training["steps"],
        command=model.training["command"],
        rows=rows,
        images=held_out.get("images", 0),
        mean_dice=held_out.get("mean_dice", "not measured"),
        worst=held_out.get("worst_image", "not measured"),
        grey=template.get("gm", "not measured"),
        white=template.get("wm", "not measured"),
        white_all=template.get("wm_with_brainstem", "not measured"),
        seconds=speed.get("seconds", "not measured"),
        memory=speed.get("peak_memory_mb", "not measured"),
        machine=speed.get("machine", "not measured"),
    )


def load_familiar(work: Path) -> dict[str, Any]:
    """What the network of this run finds on images it was made for, if that was measured."""
    path = work / "familiar.json"
    return json.loads(path.read_text()) if path.exists() else {}


def load_measured(work: Path) -> dict[str, Any]:
    """Figures measured before, if any."""
    path = work / "measured.json"
    return json.loads(path.read_text()) if path.exists() else {}
