from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io import read
from tests.cli.conftest import Run
from tests.train.classify.small import QUICK, network, write_medmnist, write_volumes


def test_the_whole_way_from_data_to_a_report(run: Run, tmp_path: Path) -> None:
    data = write_medmnist(tmp_path / "bars.npz")
    (tmp_path / "quick.json").write_text(json.dumps({**QUICK, "arguments": network()}))
    trained = run(
        "train", data, "-o", "model", "--task", "classify", "--plan", "quick.json", "--device", "cpu", "--json"
    )
    assert trained.code == 0, trained.err
    told = {"model", "best_metric", "history", "seconds", "plan", "before", "after", "stopped", "little"}
    assert set(trained.json) == told
    assert "held-out mean AUC" in trained.err
    said = run("classify", data, "-m", "model", "-o", "answers.csv", "--device", "cpu")
    assert said.code == 0, said.err
    assert said.out == ""
    with (tmp_path / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "predicted", "p_0", "p_1", "quality"]
    assert len(rows) == 60
    judged = run("evaluate", "answers.csv", data, "-o", "report", "--json")
    assert judged.code == 0, judged.err
    assert judged.json["mean"]["auc"] > 0.9
    assert (tmp_path / "report" / "report.html").is_file()


def test_heat_maps_and_what_cannot_be_read(run: Run, tmp_path: Path) -> None:
    data = write_volumes(tmp_path / "data", 4)
    changes = {**QUICK, "arguments": network(3), "steps": 2, "batch": 2}
    (tmp_path / "quick.json").write_text(json.dumps(changes))
    assert run("train", data, "-o", "m", "--task", "classify", "--plan", "quick.json", "--device", "cpu").code == 0
    (data / "broken.nii.gz").write_bytes(b"nothing")
    told = ("--explain", "heat", "--explain-with", "grad-cam++", "--explain-layer", "layer3", "--explain-class", "ill")
    said = run("classify", data, "-m", "m", *told, "--device", "cpu", "--json")
    assert said.code == 2
    why = next(image for image in said.json["images"] if image["path"].endswith("scan3.nii.gz"))
    assert why["explained"] == "ill"
    assert set(why["strongest"]) <= {"z", "y", "x"}
    assert why["heat"].endswith("scan3_heat.nii.gz")
    assert "1 of 9 images could not be classified" in said.err
    assert [image["predicted"] == "" for image in said.json["images"]].count(True) == 1
    heat, scan = read(tmp_path / "heat" / "scan3_heat.nii.gz"), read(data / "scan3.nii.gz")
    assert heat.same_grid(scan)
    assert 0 <= float(np.min(heat.data)) <= float(np.max(heat.data)) <= 1.001
    made = json.loads((tmp_path / "heat" / "scan3_heat.nii.gz.resmed.json").read_text())["made_by"]
    assert (made["parameters"], made["class"]) == ({"method": "grad-cam++", "layer": "layer3"}, "ill")
    assert len(list((tmp_path / "heat").glob("*.nii.gz"))) == 8


def test_modalities_of_which_some_are_missing(run: Run, tmp_path: Path) -> None:
    data = write_volumes(tmp_path / "data", 6)
    lines = ["T1,FLAIR,class"]
    for number in range(12):
        t1, flair = f"scan{number}.nii.gz", f"scan{(number + 4) % 12}.nii.gz"
        lines.append(f"{'' if number % 5 == 1 else t1},{'' if number % 5 == 2 else flair},{'ab'[number // 2 % 2]}")
    (data / "cases.csv").write_text("\n".join(lines))
    arguments = network(3, in_channels=2, drop_channels=0.3)
    changes = {**QUICK, "network": "BranchClassifier", "arguments": arguments, "steps": 2, "batch": 2}
    (tmp_path / "quick.json").write_text(json.dumps(changes))
    made = run("train", data, "-o", "m", "--task", "classify", "--plan", "quick.json", "--device", "cpu")
    assert made.code == 0, made.err
    # The other way round, and without classes.
    (data / "new.csv").write_text("FLAIR,T1\nscan4.nii.gz,scan0.nii.gz\nscan4.nii.gz,\n")
    said = run("classify", data / "new.csv", "-m", "m", "--device", "cpu", "--json")
    assert said.code == 0, said.err
    both, one = said.json["images"]
    assert both["path"].endswith("scan4.nii.gz")
    assert both["p_a"] != one["p_a"]
    before = (data / "new.csv").read_text()
    refused = run("classify", data / "new.csv", "-m", "m", "--device", "cpu", "-o", data / "new.csv").refused()
    assert "is itself read; choose another name" in refused
    assert (data / "new.csv").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("classify", "absent.png", "-m", "bands"), "does not exist"),
        (("train", ".", "-o", "m", "--task", "guess"), "segment or classify"),
        (("train", ".", "-o", "m", "--task", "classify"), "folder per class"),
        (("train", ".", "-o", "m", "--task", "classify", "--fold", "6/5"), "1/5"),
    ],
)
def test_calls_that_make_no_sense(run: Run, arguments: tuple[str, ...], said: str) -> None:
    assert said in run(*arguments).refused()
