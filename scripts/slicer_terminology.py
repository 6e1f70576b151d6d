"""``python -m scripts.slicer_terminology``: the models' structures as a list that Slicer's terminology selector offers.

Slicer's own lists lack some of them. Written from the label sets of the recipes; the format is that of DICOM's segment
context files (dcmqi, "segment-context-schema").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from napari_resmed.io.terms import SLICERS_STRUCTURE
from napari_resmed.labels import Code, Label
from recipes.brain_mr.labels import labels as brain_mr
from recipes.head_neck_ct.__main__ import RECIPE as HEAD_NECK_CT
from recipes.hippocampus_mr.__main__ import RECIPE as HIPPOCAMPUS_MR

TARGET = Path(__file__).parents[1] / "slicer_module" / "ResMed" / "Resources" / "ResMed.term.json"
NAME = "Segmentation category and type - ResMed"


def context(labels: Iterable[Label]) -> dict[str, Any]:
    """The whole file as plain values."""
    return {
        "SegmentationCategoryTypeContextName": NAME,
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/segment-context-schema.json#",
        "SegmentationCodes": {"Category": [{**_code(SLICERS_STRUCTURE), "showAnatomy": False, "Type": _types(labels)}]},
    }


def _types(labels: Iterable[Label]) -> list[dict[str, Any]]:
    types: dict[str, dict[str, Any]] = {}
    for label in labels:
        if label.code is None:
            continue
        kind = types.setdefault(label.code.value, _code(label.code))
        shown = {"recommendedDisplayRGBValue": list(label.colour), "3dSlicerLabel": label.name}
        if label.modifier is None:
            kind |= shown
        else:
            kind.setdefault("Modifier", []).append({**_code(label.modifier), **shown})
    return sorted(types.values(), key=lambda kind: str(kind["CodeMeaning"]).casefold())


def _code(code: Code) -> dict[str, Any]:
    return {"CodeMeaning": code.meaning, "CodingSchemeDesignator": code.scheme, "CodeValue": code.value}


def _labels() -> Iterator[Label]:
    for labels in (brain_mr(), HEAD_NECK_CT.labels, HIPPOCAMPUS_MR.labels):
        yield from labels


if __name__ == "__main__":
    TARGET.write_text(json.dumps(context(_labels()), indent=1) + "\n", encoding="utf-8")
