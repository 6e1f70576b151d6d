from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from napari_resmed.io import read
from napari_resmed.io.datasets import read_dataset
from napari_resmed.jobs.segment import segment
from napari_resmed.labels import Code, LabelSet
from napari_resmed.models.catalogue import BUILT_IN, find_model
from napari_resmed.models.folder import WEIGHTS, load_model, read_card
from recipes import overlap
from recipes.cross_validation import fold_of
from recipes.from_cases import Recipe, check, main
from recipes.head_neck_ct import __main__ as head_neck_ct
from recipes.hippocampus_mr import __main__ as hippocampus_mr
from tests.train.small import NAMES, QUICK, finish, write_folder

pytestmark = pytest.mark.usefixtures("own_models")

CODED = LabelSet(tuple(type(one)(one.value, one.name, one.colour, Code("SCT", "1", one.name)) for one in NAMES))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    here = tmp_path_factory.mktemp("ball_and_box")
    (here / "card.md").write_text("# {cases} cases, {mean}, {minutes} min\n{rows}\n{failures}\n{command}\n")
    (here / "licence.txt").write_text("as one likes\n")
    plan = {**QUICK, "minutes": None, "steps": 6}
    return Recipe("ball-and-box", here, "A ball and a box", CODED, minutes=0.1, folds=2, plan=plan)


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


class TestMain:
    def test_from_cases_to_a_model_with_its_card(
        self, recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data, work, out = write_folder(tmp_path / "data"), tmp_path / "work", tmp_path / "ball-and-box"
        words = ["--data", str(data), "--work", str(work), "--out", str(out)]
        main(recipe, [*words, "--only", "2"])
        assert "parts are missing" in capsys.readouterr().out
        assert not out.exists()
        of_second = (work / "fold2" / "ball-and-box" / WEIGHTS).stat().st_mtime_ns

        main(recipe, words)
        assert (work / "fold2" / "ball-and-box" / WEIGHTS).stat().st_mtime_ns == of_second  # not made again
        # No network saw what it was judged on.
        for fold in (0, 1):
            learnt = (work / f"fold{fold + 1}" / "ball-and-box.csv").read_text()
            assert [f"case{number}" in learnt for number in range(4)] == [fold_of(n, 2) != fold for n in range(4)]
        model = load_model(out)
        figures = model.measured["cross-validation"]
        assert (figures["cases"], figures["folds"]) == (4, 2)
        report = json.loads((work / "report" / "metrics.json").read_text())
        assert figures["mean_dice"] == pytest.approx(report["mean"]["dice"], abs=1e-4)
        assert model.labels == CODED
        card = read_card(model)
        assert f"4 cases, {report['mean']['dice']:.3f}, 0.1 min" in card
        assert [name for name in ("ball", "box") if name in card] == ["ball", "box"]
        assert len(list((out / "docs").glob("worst*.png"))) == 3
        written = card + (out / "configs" / "metadata.json").read_text()
        assert "case0" not in written
        assert str(tmp_path) not in written
        weights = torch.load(out / WEIGHTS, weights_only=True)
        assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
        cases, _ = read_dataset(data)
        assert check(model, cases) == model.measured["check"]
        image = read(data / "images" / "case0.nii.gz")
        assert finish(segment(image, str(out), device="cpu")).labels.data.shape == image.data.shape
