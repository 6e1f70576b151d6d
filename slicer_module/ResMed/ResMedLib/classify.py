"""Tell what volumes as a whole are, and show where they say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import slicer

from napari_resmed.errors import InputError
from ResMedLib.engines import shared_engine
from ResMedLib.hierarchy import beside
from ResMedLib.overlays import add_overlay, show_over
from ResMedLib.running_job import OnEvent, RunningJob
from ResMedLib.tables import add_table
from ResMedLib.undo import step
from ResMedLib.volumes import SHOWN, Source, source_of

__all__ = ["Classes", "classify"]


@dataclass(frozen=True)
class Classes:
    """What a classification left in the scene.

    Parameters
    ----------
    table:
        A table node, one row a volume: its name, the class, the probability of each, what is unusual about it.
    overlays:
        A volume node each where it was asked for: where the image speaks for its class; None where it could not be
        used.
    predicted:
        The class of each; empty where it could not be used.
    """

    table: Any
    overlays: tuple[Any, ...]
    predicted: tuple[str, ...]


def classify(
    nodes: Sequence[Any],
    model: str,
    on_event: OnEvent,
    *,
    frame: int = SHOWN,
    explain: bool = True,
    **options: Any,
) -> RunningJob:
    """Classify volumes, one by one; returns at once. The last event is ``Finished`` with :class:`Classes`.

    Parameters
    ----------
    explain:
        Whether to show where each volume speaks for its class.
    options:
        Of :func:`napari_resmed.jobs.classify.classify`.

    Raises
    ------
    InputError
        If there is no volume, or one holds no image.
    """
    if not nodes:
        raise InputError("no volume is chosen; choose one")
    sources = [source_of(node, frame) for node in nodes]
    # Numbers for names: a node's may be a patient's.
    images = [replace(source.volume, name=str(number)) for number, source in enumerate(sources, 1)]
    parameters = {"images": images, "model": model, "explain": explain, **options}

    def finish(result: dict[str, Any]) -> Classes:
        with step():
            return _show(sources, result)

    return RunningJob(shared_engine(), "classify", parameters, finish, on_event)


def _show(sources: Sequence[Source], result: dict[str, Any]) -> Classes:
    images = result["images"]
    there = [slicer.mrmlScene.IsNodePresent(source.node) for source in sources]
    names = [source.node.GetName() if present else "(removed)" for source, present in zip(sources, there, strict=True)]
    columns: list[tuple[str, str, Sequence[Any]]] = [
        ("Volume", "", names),
        ("Predicted", "", [image["predicted"] for image in images]),
        *(
            (f"p {name}", "", [float(image["probabilities"].get(name, 0.0)) for image in images])
            for name in result["classes"]
        ),
        ("Quality", "", [image["quality"] for image in images]),
    ]
    table = add_table(f"{result['model']} classes", columns)
    overlays = []
    for source, image, present in zip(sources, images, there, strict=True):
        overlay = None
        if image["heat"] is not None and present:
            overlay = add_overlay(source, image["heat"], f"{source.node.GetName()} {image['predicted']}")
            beside(source.node, [overlay])
        overlays.append(overlay)
    if there[0]:
        beside(sources[0].node, [table])
    if len(sources) == 1 and overlays[0] is not None:
        show_over(sources[0].node, overlays[0])
    return Classes(table, tuple(overlays), tuple(image["predicted"] for image in images))
