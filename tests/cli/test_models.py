from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from tests.small_models import BANDS


class TestList:
    def test_json(self, run: Run) -> None:
        done = run("models", "list", "--json")
        assert done.code == 0
        models = {model["name"]: model for model in done.json}
        assert {"bands", "bands-2mm", "heavy"} <= models.keys()
        assert models["bands-2mm"]["spacing_mm"] == [2, 2, 2]
        assert models["bands"]["labels"] == BANDS.to_json()
        assert models["bands"]["channels"] == ["MR"]

    def test_table(self, run: Run) -> None:
        done = run("models", "list")
        assert done.code == 0
        assert "bands-2mm" in done.out
        assert "For tests" in done.out


class TestShow:
    def test_the_card(self, run: Run) -> None:
        done = run("models", "show", "bands")
        assert done.code == 0
        assert "Sorts voxels by brightness." in done.out

    def test_json(self, run: Run, models_folder: Path) -> None:
        done = run("models", "show", models_folder / "bands", "--json")
        assert done.json["name"] == "bands"
        assert done.json["card"].startswith("# bands")
        assert done.json["measured"] == {}

    def test_an_unknown_one(self, run: Run) -> None:
        assert "there is no model 'x'; expected a model folder or one of:" in run(
            "models", "show", "x", "--json"
        ).refused(2)
