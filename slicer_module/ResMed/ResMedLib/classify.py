"""Tell what volumes as a whole are, and show where they say so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import slicer

from napari_resmed.errors import InputError
from napari_resmed.models.catalogue import find_model
from ResMedLib.engines import shared_engine
from ResMedLib.hierarchy import beside
from ResMedLib.overlays import add_overlay, show_over
from ResMedLib.running_job import OnEvent, RunningJob
from ResMedLib.tables import add_table
from ResMedLib.undo import step
from ResMedLib.volumes import SHOWN, Source, source_of

__all__ = ["Classes", "classify"]

# A volume node; or of a model of several channels one for each, None for one that is not there.
Study = Any


@dataclass(frozen=True)
class Classes:
    """What a classification left in the scene.

    Parameters
    ----------
    table:
        A table node, one row a study: its name, the class, the probability of each, what is unusual about it.
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
    studies: Sequence[Study],
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
    studies:
        Volume nodes; or, of a model of several channels, sequences of them in the order of the channels, with None for
        one that is not there. They need not lie on one grid. Not changed.
    model:
        A name or a folder.
    frame:
        Of a sequence; see :func:`ResMedLib.volumes.source_of`.
    explain:
        Whether to show where each volume speaks for its class.
    options:
        Of :func:`napari_resmed.jobs.classify.classify`.

    Raises
    ------
    InputError
        If there is no volume, one holds no image, or the model takes another number of them.
    """
    seen = [_Seen.of(study, frame) for study in studies]
    if not seen:
        raise InputError("no volume is chosen; choose one")
    _check_channels(studies, model)
    # Numbers for names: a node's may be a patient's.
    images = [one.image(str(number)) for number, one in enumerate(seen, 1)]
    parameters = {"images": images, "model": model, "explain": explain, **options}

    def finish(result: dict[str, Any]) -> Classes:
        with step():
            return _show(seen, result, model)

    return RunningJob(shared_engine(), "classify", parameters, finish, on_event)


def _check_channels(studies: Sequence[Study], model: str) -> None:
    """Of what was not asked for, the model would believe that it is not there."""
    channels = find_model(model).channels
    for study in studies:
        if isinstance(study, list | tuple) and len(study) not in (1, len(channels)):
            raise InputError(
                f"{len(study)} volumes can be chosen and {Path(model).name} takes {len(channels)} "
                f"({', '.join(channels)}); give it one volume that has them all, or classify on the command line"
            )


@dataclass(frozen=True)
class _Seen:
    """A study as it was at the click."""

    sources: dict[int, Source]  # by the place of its channel
    several: bool
    frame: int

    @classmethod
    def of(cls, study: Study, frame: int) -> _Seen:
        nodes = list(study) if isinstance(study, list | tuple) else [study]
        sources = {place: source_of(node, frame) for place, node in enumerate(nodes) if node is not None}
        if not sources:
            raise InputError("no volume is chosen; choose one")
        # A vector volume has all channels itself.
        whole = len(sources) == 1 and 0 in sources and "c" in sources[0].volume.axes
        return cls(sources, len(nodes) > 1 and not whole, frame)

    @property
    def is_there(self) -> bool:
        """Whether all of it is in the scene still."""
        return all(slicer.mrmlScene.IsNodePresent(source.node) for source in self.sources.values())

    @property
    def first(self) -> Source:
        return next(iter(self.sources.values()))

    @property
    def name(self) -> str:
        if not self.is_there:
            return "(removed)"
        names = " + ".join(source.node.GetName() for source in self.sources.values())
        return names if self.frame == SHOWN else f"{names} frame {self.frame}"

    def image(self, name: str) -> Any:
        """What the job takes for it."""
        if not self.several:
            return replace(self.first.volume, name=name)
        return {"name": name, "images": [one.volume for one in self.sources.values()], "channels": list(self.sources)}

    def explained(self, image: dict[str, Any], model: str) -> Source:
        """In which of its volumes the heat lies."""
        if not self.several:
            return self.first
        return self.sources[find_model(model).channels.index(image["channel"])]


def _show(seen: Sequence[_Seen], result: dict[str, Any], model: str) -> Classes:
    images = result["images"]
    columns: list[tuple[str, str, Sequence[Any]]] = [
        ("Volume", "", [one.name for one in seen]),
        ("Predicted", "", [image["predicted"] for image in images]),
        *(
            (f"p {name}", "", [float(image["probabilities"].get(name, math.nan)) for image in images])
            for name in result["classes"]
        ),
        ("Quality", "", [image["quality"] for image in images]),
    ]
    table = add_table(f"{result['model']} classes", columns)
    overlays = []
    for one, image in zip(seen, images, strict=True):
        overlay = None
        if image["heat"] is not None and one.is_there:
            source = one.explained(image, model)
            overlay = add_overlay(source, image["heat"], f"{source.node.GetName()} {image['predicted']}")
            beside(source.node, [overlay])
            if len(seen) == 1:
                show_over(source.node, overlay)
        overlays.append(overlay)
    if seen[0].is_there:
        beside(seen[0].first.node, [table])
    return Classes(table, tuple(overlays), tuple(image["predicted"] for image in images))
