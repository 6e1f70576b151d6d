from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from napari_resmed.io import read
from napari_resmed.jobs.segment import segment
from napari_resmed.labels import Code, LabelSet
from napari_resmed.models.folder import WEIGHTS, load_model, read_card
from recipes.cross_validation import fold_of
from recipes.from_cases import Recipe, main
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
        image = read(data / "images" / "case0.nii.gz")
        assert finish(segment(image, str(out), device="cpu")).labels.data.shape == image.data.shape
