"""The card and the licence of an imported nnU-Net: what its data set says of itself, and that the rest is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_resmed.models.model import Model
from napari_resmed.models.nnunet.find import Trained

__all__ = ["imported_card", "imported_licence", "makers"]


def makers(trained: Trained) -> str:
    """Who made it, as far as it says."""
    return _said(trained.dataset, "authors", "author", "reference") or "unknown"


def imported_licence(trained: Trained) -> str:
    """Text of ``LICENSE``."""
    said = _said(trained.dataset, "licence", "license")
    if not said:
        return (
            "The licence of this model is unknown: what it was imported from names none. Ask those who made it before\n"
            "using it for more than looking, and before sharing it.\n"
        )
    return f"{said}\n\nThis is what the model's data set says of its licence; the weights may have another.\n"


def imported_card(model: Model, trained: Trained) -> str:
    """Model card in Markdown."""
    dataset, training = trained.dataset, model.training
    folds = training["folds"]
    size = "×".join(str(edge) for edge in model.patch)
    spacing = "×".join(f"{mm:g}" for mm in model.preparation.spacing_mm)
    how_many = f"the mean of {len(folds)} folds ({', '.join(folds)})" if len(folds) > 1 else f"fold {folds[0]}"
    lines = [
        f"# {model.name}",
        "",
        "Research only, not for diagnosis. Imported from nnU-Net v2; this program's makers have not judged it.",
        "",
        "## What it does",
        "",
        f"Finds {', '.join(label.name for label in model.labels)} in {', '.join(model.channels)} volumes.",
        "",
        "## Where it comes from",
        "",
        f"- data set: {training['dataset']}",
        f"- description: {_said(dataset, 'description') or 'unknown'}",
        f"- reference: {_said(dataset, 'reference') or 'unknown'}",
        f"- licence: {_said(dataset, 'licence', 'license') or 'unknown'}",
        f"- release: {_said(dataset, 'release') or 'unknown'}",
        f"- cases it was trained on: {_said(dataset, 'numTraining') or 'unknown'}",
        "",
        "## How",
        "",
        f"{model.network}, windows of {size} voxels at {spacing} mm in the order of nnU-Net's axes, {how_many}, "
        f"{training['checkpoint']}, trained by {training['trainer'] or 'an unnamed trainer'}.",
        "",
        "## Figures and limits",
        "",
        "Unknown: nnU-Net's folder holds none. Postprocessing that nnU-Net may have found is not part of it.",
        "",
    ]
    return "\n".join(lines)


def _said(dataset: Mapping[str, Any], *names: str) -> str:
    """What the data set says under the first of some names, in one line."""
    for name in names:
        value = dataset.get(name)
        if isinstance(value, str | int | float) and str(value).strip():
            return " ".join(str(value).split())
    return ""
