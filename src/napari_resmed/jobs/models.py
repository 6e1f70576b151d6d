"""Bring a model in, or write one for other programs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from napari_resmed.events import Event, Progress, Started
from napari_resmed.models.bring_in import import_model as bring_in
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.export import export_model as write_for_others

__all__ = ["export_model", "import_model"]


def import_model(source: str, folder: str) -> Generator[Event, None, dict[str, Any]]:
    """See :func:`napari_resmed.models.bring_in.import_model`.

    Returns
    -------
    dict
        ``name, folder, labels``.
    """
    yield Started("Reading the model")
    model = bring_in(source, folder)
    yield Progress("Imported", 1.0)
    return {"name": model.name, "folder": str(model.folder), "labels": len(model.labels)}


def export_model(model: str, out: str, kind: str) -> Generator[Event, None, dict[str, Any]]:
    """See :func:`napari_resmed.models.export.export_model`.

    Returns
    -------
    dict
        ``out, note``.
    """
    yield Started(f"Writing {model}")
    note = write_for_others(find_model(model), out, kind)
    yield Progress("Written", 1.0)
    return {"out": out, "note": note}
