from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from tests.models.monai_bundle.folders import write as write_bundle
from tests.models.nnunet.folders import configuration, write
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


class TestImport:
    def test_a_trained_nnunet(self, run: Run, tmp_path: Path) -> None:
        done = run("models", "import", write(tmp_path / "results"), "-o", tmp_path / "abdomen", "--json")
        assert done.code == 0, done.err
        assert done.json["name"] == "abdomen"
        assert [label["name"] for label in done.json["labels"]] == ["liver", "spleen"]
        assert "Dataset007_Abdomen" in run("models", "show", tmp_path / "abdomen").out

    def test_a_cascade(self, run: Run, tmp_path: Path) -> None:
        trained = write(tmp_path, chosen=configuration(previous_stage="3d_lowres"))
        said = run("models", "import", trained, "-o", tmp_path / "abdomen").refused(2)
        assert "is the second stage of a cascade" in said
        assert not (tmp_path / "abdomen").exists()

    def test_a_monai_bundle(self, run: Run, tmp_path: Path) -> None:
        done = run("models", "import", write_bundle(tmp_path / "bundle"), "-o", tmp_path / "bands", "--json")
        assert done.code == 0, done.err
        assert [label["name"] for label in done.json["labels"]] == ["dark", "middle", "bright"]


class TestCombine:
    def test_two(self, run: Run, models_folder: Path, tmp_path: Path) -> None:
        done = run("models", "combine", "bands", models_folder / "bands", "-o", tmp_path / "both", "--json")
        assert done.code == 0, done.err
        assert (done.json["name"], done.json["labels"]) == ("both", BANDS.to_json())
        said = run("models", "combine", "bands", "bands-2mm", "-o", tmp_path / "mixed").refused(2)
        assert "bands and bands-2mm differ in their preparation of images" in said


class TestExport:
    def test_torchscript(self, run: Run, tmp_path: Path) -> None:
        done = run("models", "export", "bands", "-o", tmp_path / "bands.ts", "--format", "torchscript", "--json")
        assert done.code == 0, done.err
        assert done.json == {
            "model": "bands", "output": str(tmp_path / "bands.ts"), "format": "torchscript", "note": "",
        }  # fmt: skip
        assert (tmp_path / "bands.ts").stat().st_size > 1000

    def test_an_unknown_format(self, run: Run, tmp_path: Path) -> None:
        said = run("models", "export", "bands", "-o", tmp_path / "x", "--format", "keras").refused(2)
        assert "the format is 'keras', expected bundle, torchscript, onnx" in said


class TestRemove:
    def test_a_built_in_one_stays(self, run: Run) -> None:
        assert "brain-mr is built in and stays" in run("models", "remove", "brain-mr").refused(2)
