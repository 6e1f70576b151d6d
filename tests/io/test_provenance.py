from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io.provenance import provenance_path, read_labels, write_provenance
from napari_resmed.labels import Code, Label, LabelMap, LabelSet

LABELS = LabelSet((Label(1, "Leber", (1, 2, 3), Code("SCT", "10200004", "Liver")), Label(9, "spleen", (4, 5, 6))))


@pytest.fixture
def labels() -> LabelMap:
    return LabelMap(np.ones((2, 2, 2), np.uint8), np.eye(4), meta={"made_by": {"model": "x"}}, labels=LABELS)


class TestProvenancePath:
    @pytest.mark.parametrize("name", ["scan_seg.nii.gz", "scan_seg.nrrd", "scan_seg"])
    def test_lies_beside_and_belongs_to_one_file(self, name: str) -> None:
        assert provenance_path(Path("a") / name) == Path("a") / f"{name}.resmed.json"


class TestNote:
    def test_round_trip(self, labels: LabelMap, tmp_path: Path) -> None:
        write_provenance(tmp_path / "a.nii.gz", labels)
        assert read_labels(tmp_path / "a.nii.gz") == LABELS

    def test_says_how_and_from_what(self, labels: LabelMap, tmp_path: Path) -> None:
        write_provenance(tmp_path / "a.nii.gz", labels, Path("/home/someone/secret study/t1.nii.gz"))
        text = (tmp_path / "a.nii.gz.resmed.json").read_text(encoding="utf-8")
        note = json.loads(text)
        assert note["made_by"] == {"model": "x"}
        assert note["image"] == "t1.nii.gz"
        assert note["not_for_diagnosis"] is True
        assert "someone" not in text

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '{"labels": 3}', '{"labels": [{"value": 0, "name": "x"}]}', "\xff"]
    )
    def test_a_damaged_note_is_none(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "a.nii.gz.resmed.json").write_text(content, encoding="latin-1")
        assert read_labels(tmp_path / "a.nii.gz") is None

    def test_no_note_is_none(self, tmp_path: Path) -> None:
        assert read_labels(tmp_path / "a.nii.gz") is None
