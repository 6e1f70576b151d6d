from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.project.description import Description, read_description, write_description
from napari_resmed.labels import Label, LabelSet, default_colour


def labels(**names: int) -> LabelSet:
    return LabelSet(tuple(Label(value, name, default_colour(value)) for name, value in names.items()))


class TestRoundTrip:
    def test_gaps_are_filled_for_nnunet_and_not_seen_again(self, tmp_path: Path) -> None:
        write_description(tmp_path, Description(labels(liver=2, ignore=4), ("CT", "PET")), 7)
        told = json.loads((tmp_path / "dataset.json").read_text())
        assert told["labels"] == {"background": 0, "unused 1": 1, "liver": 2, "unused 3": 3, "ignore": 4}
        assert told["numTraining"] == 7
        back = read_description(tmp_path)
        assert back.labels == labels(liver=2, ignore=4)
        assert back.channels == ("CT", "PET")

    def test_a_mark_at_the_beginning_as_windows_writes_it(self, tmp_path: Path) -> None:
        write_description(tmp_path, Description(labels(liver=1)), 1)
        file = tmp_path / "dataset.json"
        file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8-sig")
        assert read_description(tmp_path).labels == labels(liver=1)

    def test_nothing_to_say_is_not_written(self, tmp_path: Path) -> None:
        write_description(tmp_path, Description(labels(liver=1)), 1)
        before = (tmp_path / "dataset.json").stat().st_mtime_ns
        write_description(tmp_path, read_description(tmp_path), 1)
        assert (tmp_path / "dataset.json").stat().st_mtime_ns == before

    def test_regions_are_left_as_they_are(self, tmp_path: Path) -> None:
        regions = {"background": 0, "whole": [1, 2], "core": [2]}
        told = {"channel_names": {"0": "MR"}, "labels": regions, "file_ending": ".nii.gz", "numTraining": 0}
        (tmp_path / "dataset.json").write_text(json.dumps(told))
        found = read_description(tmp_path)
        assert [(label.value, label.name) for label in found.labels] == [(1, "label 1"), (2, "core")]
        write_description(tmp_path, found, 3)
        assert json.loads((tmp_path / "dataset.json").read_text()) == told | {"numTraining": 3}
        with pytest.raises(InputError, match="regions"):
            found.with_labels(labels(liver=1))


class TestWrongLabels:
    @pytest.mark.parametrize(
        ("wrong", "expected"),
        [
            (LabelSet((Label(1, "a", (0, 0, 0)), Label(2, "a", (0, 0, 0)))), "two labels are called a"),
            (labels(background=1), "a name of its own"),
            (LabelSet((Label(1, " ", (0, 0, 0)),)), "a name of its own"),
            (LabelSet((Label(3, "unused 3", (0, 0, 0)),)), "as values that nobody uses are; give it another name"),
            (labels(ignore=1, liver=2), "must have the highest value"),
        ],
    )
    def test_what_nnunet_could_not_train_on(self, wrong: LabelSet, expected: str) -> None:
        with pytest.raises(InputError, match=expected):
            Description().with_labels(wrong)
