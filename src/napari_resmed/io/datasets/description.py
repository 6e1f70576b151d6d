"""``dataset.json``: nnU-Net's of either version, and the Medical Segmentation Decathlon's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError
from napari_resmed.io.datasets.meaning import Meaning, read_json, read_meaning

__all__ = ["FILE", "Description", "read_description"]

FILE = "dataset.json"


@dataclass(frozen=True)
class Description:
    """What ``dataset.json`` says.

    ``meaning`` is None and ``channels`` empty where it does not say; ``listed`` has the lists of cases, by the name of
    the part (``"training"``, ``"validation"``).
    """

    meaning: Meaning | None = None
    channels: tuple[str, ...] = ()
    listed: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)


def read_description(folder: Path) -> Description:
    """The folder's ``dataset.json``; an empty description where there is none.

    Raises
    ------
    InputError
        If it is no JSON, defines overlapping regions, or its entries have another form.
    """
    path = folder / FILE
    if not path.is_file():
        return Description()
    content = read_json(path)
    if not isinstance(content, Mapping):
        raise InputError(f'{FILE} holds a {type(content).__name__}, expected an object with "labels" and channel names')
    labels = content.get("labels")
    channels = content.get("channel_names", content.get("modality"))
    return Description(
        read_meaning(labels, FILE) if labels else None,
        _channels(channels) if channels else (),
        {part: entries for part in ("training", "validation") if (entries := _entries(content, part))},
    )


def _channels(entry: Any) -> tuple[str, ...]:
    """Names in the order of their numbers: ``{"0": "T1"}``, a list, or a single word."""
    if isinstance(entry, str):
        return (entry,)
    if isinstance(entry, list):
        return tuple(map(str, entry))
    if isinstance(entry, Mapping) and all(str(key).isdecimal() for key in entry):
        return tuple(str(entry[key]) for key in sorted(entry, key=lambda key: int(key)))
    raise InputError(f'{FILE} has channel names {entry!r}, expected e.g. {{"0": "CT"}}')


def _entries(content: Mapping[str, Any], part: str) -> tuple[Mapping[str, Any], ...]:
    """The listed cases. nnU-Net 2 may list them under ``"dataset"``, by name, with ``"images"``."""
    entries = content.get(part) or []
    if part == "training" and isinstance(content.get("dataset"), Mapping):
        entries = [{"name": name, **entry} for name, entry in content["dataset"].items() if isinstance(entry, Mapping)]
    if not isinstance(entries, list):
        raise InputError(f'{FILE} has a "{part}" that is no list; expected [{{"image": ..., "label": ...}}, ...]')
    if part == "validation" and not all(isinstance(entry, Mapping) for entry in entries):
        return ()  # a list of bare images is nothing to learn from
    for entry in entries:
        if not isinstance(entry, Mapping) or not (entry.get("image") or entry.get("images")):
            raise InputError(
                f'{FILE} lists {str(entry)[:60]!r} under "{part}", expected {{"image": ..., "label": ...}}'
            )
    return tuple(entries)
