"""The card and the licence of an imported bundle: its own, under a few lines of ours."""

from __future__ import annotations

from typing import Any

from napari_resmed.models.model import Model
from napari_resmed.models.monai_bundle.find import Bundle

__all__ = ["imported_card", "imported_licence", "makers"]

_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "license.txt", "docs/license.txt", "docs/LICENSE")
_CARDS = ("docs/README.md", "README.md")


def makers(bundle: Bundle) -> str:
    """Who made it, as far as it says."""
    return _said(bundle, "authors", "copyright") or "unknown"


def imported_licence(bundle: Bundle) -> str:
    """Text of ``LICENSE``."""
    own = bundle.text(*_LICENCES)
    if own.strip():
        return own
    said = _said(bundle, "license", "licence", "copyright")
    if said:
        return f"{said}\n\nThis is all that the model's description says; its text was not in the bundle.\n"
    return (
        "The licence of this model is unknown: what it was imported from names none. Ask those who made it before\n"
        "using it for more than looking, and before sharing it.\n"
    )


def imported_card(model: Model, bundle: Bundle, notes: list[str]) -> str:
    """Model card in Markdown."""
    size = "×".join(str(edge) for edge in model.patch)
    spacing = "×".join(f"{mm:g}" for mm in model.preparation.spacing_mm)
    where = "the image's own spacing" if model.preparation.own_spacing else f"{spacing} mm"
    where = "pictures of that size" if model.preparation.size else where
    lines = [
        f"# {model.name}",
        "",
        "Research only, not for diagnosis. Imported from a MONAI bundle; this program's makers have not judged it.",
        "",
        "## What it does",
        "",
        f"Finds {', '.join(label.name for label in model.labels)} in {', '.join(model.channels)} images. "
        f"{_said(bundle, 'description')}",
        "",
        "## Where it comes from",
        "",
        f"- bundle: {_said(bundle, 'name') or bundle.called}, version {model.version}",
        f"- authors: {makers(bundle)}",
        f"- copyright: {_said(bundle, 'copyright') or 'unknown'}",
        f"- data: {_said(bundle, 'data_source') or 'unknown'}",
        f"- intended use: {_said(bundle, 'intended_use') or 'unknown'}",
        "",
        "## How",
        "",
        f"{model.network}, windows of {size} voxels at {where}, overlapping by {model.overlap:g}.",
        *notes,
        "",
        "## Figures and limits",
        "",
        *(f"- {name}: {value}, as its makers say" for name, value in _figures(bundle.metadata.get("eval_metrics"))),
        "",
    ]
    own = bundle.text(*_CARDS).strip()
    return "\n".join(lines) + (f"\n## The bundle's own card\n\n{own}\n" if own else "")


def _said(bundle: Bundle, *names: str) -> str:
    for name in names:
        value = bundle.metadata.get(name)
        if isinstance(value, str | int | float) and str(value).strip():
            return " ".join(str(value).split())
    return ""


def _figures(values: Any, before: str = "") -> list[tuple[str, float]]:
    if not isinstance(values, dict):
        return []
    found: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, int | float):
            found.append((f"{before}{name}", value))
        found.extend(_figures(value, f"{before}{name} "))
    return found
