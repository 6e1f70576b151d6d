from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_resmed.case import Case
from napari_resmed.io import read
from napari_resmed.io.datasets import read_dataset
from napari_resmed.jobs.segment import segment
from napari_resmed.labels import Code, LabelSet
from napari_resmed.models.catalogue import BUILT_IN, find_model
from napari_resmed.models.folder import WEIGHTS, load_model, read_card
from napari_resmed.volume import Volume
from recipes import overlap
from recipes.cross_validation import parts_of
from recipes.from_cases import Recipe, check, main
from recipes.head_neck_ct import __main__ as head_neck_ct
from recipes.hippocampus_mr import __main__ as hippocampus_mr
from tests.train.small import NAMES, QUICK, finish, write_folder

pytestmark = pytest.mark.usefixtures("own_models")

CODED = LabelSet(tuple(type(one)(one.value, one.name, one.colour, Code("SCT", "1", one.name)) for one in NAMES))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    here = tmp_path_factory.mktemp("ball_and_box")
    shutil.copy(hippocampus_mr.RECIPE.here / "card.md", here)
    (here / "licence.txt").write_text("as one likes\n")
    plan = {**QUICK, "minutes": None, "steps": 6}
    return Recipe("ball-and-box", here, "A ball and a box", CODED, ("CT",), minutes=0.1, folds=2, plan=plan)


@pytest.mark.parametrize(
    ("recipe", "data"), [(hippocampus_mr.RECIPE, "hippocampus"), (head_neck_ct.RECIPE, "headneck_ct")]
)
def test_committed_weights_give_what_their_card_says(recipe: Recipe, data: str, shared_data: Path) -> None:
    if not (BUILT_IN / recipe.name).exists():
        pytest.skip(f"{recipe.name} was not made yet")
    model = find_model(recipe.name)
    assert model.labels == recipe.labels
    known = model.measured["check"]
    images = sorted((shared_data / data / "images").glob("*.nii.gz"))
    path = next(path for path in images if hashlib.sha256(path.read_bytes()).hexdigest() == known["image_sha256"])
    found = finish(segment(read(path), recipe.name, device="cpu", precision="fp32")).labels.data
    true = read(shared_data / data / "labels" / path.name).data
    for value, dice in known["dice"].items():
        # Processors and threads add in their own order.
        assert overlap.dice(found == int(value), true == int(value)) == pytest.approx(dice, abs=2e-3)


@pytest.mark.parametrize("recipe", [hippocampus_mr.RECIPE, head_neck_ct.RECIPE])
def test_shipped_cards_are_in_the_recipes_words_with_the_models_figures(recipe: Recipe) -> None:
    model = find_model(recipe.name)
    shipped = read_card(model)
    words = re.split(r"\{\w+\}", (recipe.here / "card.md").read_text(encoding="utf-8"))
    assert re.fullmatch("(?s:.*?)".join(map(re.escape, words)), shipped)
    figures = model.measured["cross-validation"]
    assert f"**{figures['mean_dice']:.3f}**" in shipped
    assert f"**{figures['mean_dice_mirrored']:.3f}**" in shipped
    for name, of in figures["structures"].items():
        row = re.search(rf"\| {name} \| {of['cases']} \| ([\d.]+) ± ([\d.]+), worst ([\d.]+) \|", shipped)
        assert row is not None
        assert [float(figure) for figure in row.groups()] == pytest.approx(
            [of["mean"], of["sd"], of["worst"]], abs=6e-4
        )
    speed = model.measured["speed"]
    assert f"{speed['seconds']} s with the model warm, peak memory {speed['peak_memory_mb']} MB" in shipped


class TestMain:
    def test_from_cases_to_a_model_with_its_card(
        self, recipe: Recipe, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        data, work, out = write_folder(tmp_path / "data"), tmp_path / "work", tmp_path / "ball-and-box"
        (data / "labels.json").unlink()
        words = ["--data", str(data), "--work", str(work), "--out", str(out)]
        main(recipe, [*words, "--only", "2"])
        assert "nothing is written yet" in capfd.readouterr().out
        assert not out.exists()
        of_second = (work / "fold2" / "ball-and-box" / WEIGHTS).stat().st_mtime_ns

        main(recipe, [*words, "--at-once", "2"])
        said = capfd.readouterr().out
        assert said.count("nothing is written yet") == 2  # a process for each part, and one for the model itself
        half = max(1, torch.get_num_threads() // 2)
        made_on = {(work / part / "made_on.txt").read_text() for part in ("fold1", "all")}
        assert made_on == {f"{half} CPU core{'s' if half > 1 else ''}"}
        assert (work / "fold2" / "ball-and-box" / WEIGHTS).stat().st_mtime_ns == of_second  # not made again
        # No network saw what it was judged on.
        for fold in (0, 1):
            learnt = (work / f"fold{fold + 1}" / "ball-and-box.csv").read_text()
            assert [f"case{number}" in learnt for number in range(4)] == [number % 2 != fold for number in range(4)]
        model = load_model(out)
        figures = model.measured["cross-validation"]
        assert (figures["cases"], figures["folds"]) == (4, 2)
        report = json.loads((work / "report" / "metrics.json").read_text())
        assert figures["mean_dice"] == pytest.approx(report["mean"]["dice"], abs=1e-4)
        flipped = json.loads((work / "report-mirrored" / "metrics.json").read_text())["mean"]["dice"]
        assert figures["mean_dice_mirrored"] == pytest.approx(flipped, abs=1e-4)
        assert flipped != report["mean"]["dice"]
        assert (model.labels, model.channels) == (CODED, ("CT",))
        assert set(figures["structures"]) == {label.name for label in CODED}
        card = read_card(model)
        assert "{" not in card
        assert f"Mean Dice over the structures **{report['mean']['dice']:.3f}**" in card
        assert f"**{flipped:.3f}**" in card
        assert f"0.1 minutes on {next(iter(made_on))}." in card
        assert card.count("--minutes 0.1 --folds 2 --seed 0 --at-once 2\n") == 1
        assert all(f"| {label.name} | 4 | " in card for label in CODED)
        speed = model.measured["speed"]
        assert f": {speed['seconds']} s with the model warm, peak memory {speed['peak_memory_mb']} MB." in card
        assert 100 < speed["peak_memory_mb"] < 3000
        assert len(list((out / "docs").glob("worst*.png"))) == 3
        rows = list(csv.DictReader((out / "docs" / "cases.csv").open()))
        assert [(row["case"], row["part"]) for row in rows] == [(f"case{n}", str(1 + n % 2)) for n in range(4)]
        assert np.mean([float(row[label.name]) for row in rows for label in CODED]) == pytest.approx(
            figures["mean_dice"], abs=1e-3
        )
        written = card + (out / "configs" / "metadata.json").read_text()
        assert str(tmp_path) not in written
        weights = torch.load(out / WEIGHTS, weights_only=True)
        assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
        cases, _ = read_dataset(data)
        assert check(model, cases) == model.measured["check"]
        with pytest.raises(ValueError, match="was begun with minutes 0.1, and 0.2 was asked for"):
            main(recipe, [*words, "--minutes", "0.2"])
        image = read(data / "images" / "case0.nii.gz")
        assert finish(segment(image, str(out), device="cpu")).labels.data.shape == image.data.shape

    @pytest.mark.parametrize("words", [["--only", "3"], ["--only", "1", "--at-once", "2"]])
    def test_what_does_not_go_is_refused(self, recipe: Recipe, tmp_path: Path, words: list[str]) -> None:
        with pytest.raises(SystemExit):
            main(recipe, ["--data", str(tmp_path), "--work", str(tmp_path / "work"), *words])
        assert not (tmp_path / "work").exists()

    def test_other_values_than_the_recipe_knows(self, recipe: Recipe, tmp_path: Path) -> None:
        data = write_folder(tmp_path / "data")
        one = replace(recipe, labels=LabelSet(tuple(CODED)[:1]))
        with pytest.raises(ValueError, match="has the values"):
            main(one, ["--data", str(data), "--work", str(tmp_path / "work")])


def test_a_patient_is_in_one_part() -> None:
    volume = Volume(np.zeros((2, 2, 2)), np.eye(4))
    cases = [Case(name, (volume,), group=group) for name, group in (("a", "p"), ("b", ""), ("c", "p"), ("d", ""))]
    assert parts_of(cases, 2) == {"a": 0, "b": 1, "c": 0, "d": 0}
    assert parts_of(cases, 2, (("b", "d"),)) == {"a": 0, "b": 1, "c": 0, "d": 1}
