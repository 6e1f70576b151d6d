from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.datasets import load_case
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.volume import Volume
from tests.affines import affines, make_affine
from tests.train.small import NAMES, dataset, little_plan, write_folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.beside(tmp_path / "model")
    run.begin()
    return run


class TestPlace:
    def test_beside_the_model_out_of_sight(self, tmp_path: Path) -> None:
        assert RunFolder.beside(tmp_path / "liver").path == tmp_path / ".liver.training"

    def test_unfinished_is_what_can_be_gone_on_with(self, run: RunFolder) -> None:
        assert not run.is_unfinished
        run.keep_dataset(dataset(1))
        assert not run.is_unfinished
        little_plan().save(run.plan)
        assert run.is_unfinished


class TestBegin:
    def test_an_unfinished_one_is_set_aside(self, run: RunFolder) -> None:
        run.checkpoint.write_text("first")
        assert run.begin()
        assert list(run.path.iterdir()) == []
        assert (run.path.with_name(run.path.name + ".old") / "checkpoint.pt").read_text() == "first"

    def test_one_that_got_nowhere_is_not_and_leaves_the_one_set_aside(self, run: RunFolder) -> None:
        run.checkpoint.write_text("first")
        assert run.begin()
        (run.path / "plan.json").write_text("{}")
        assert not run.begin()
        assert list(run.path.iterdir()) == []
        assert (run.path.with_name(run.path.name + ".old") / "checkpoint.pt").read_text() == "first"

    def test_discarding_it_leaves_the_one_set_aside(self, run: RunFolder) -> None:
        run.checkpoint.write_text("first")
        run.begin()
        run.checkpoint.write_text("second")
        run.discard()
        assert run.checkpoint.read_text() == "first"
        run.discard()
        assert list(run.path.parent.iterdir()) == []

    def test_what_could_not_be_discarded_goes_with_the_next_one(
        self, run: RunFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(path: Path, **_: object) -> None:
            raise PermissionError(13, "in use", str(path))

        run.checkpoint.write_text("first")
        with monkeypatch.context() as patch:
            patch.setattr("napari_resmed.train.run_folder.shutil.rmtree", fail)
            with pytest.raises(WorkError, match=r"could not remove .*\.discarded: "):
                run.discard()
        (left,) = run.path.parent.iterdir()
        assert (left / "checkpoint.pt").exists()
        run.remove()
        assert list(run.path.parent.iterdir()) == []
        left.mkdir()
        run.begin()
        assert not left.exists()

    def test_giving_up_brings_it_back(self, run: RunFolder) -> None:
        run.checkpoint.write_text("first")
        run.give_up(run.begin())
        assert run.checkpoint.read_text() == "first"
        assert [path.name for path in run.path.parent.iterdir()] == [run.path.name]

    def test_giving_up_a_first_one_leaves_nothing(self, tmp_path: Path) -> None:
        run = RunFolder.beside(tmp_path / "model")
        run.give_up(run.begin())
        assert list(tmp_path.iterdir()) == []

    def test_where_nothing_can_be_made(self, locked_disk: Path) -> None:
        with pytest.raises(WorkError, match="could not make .*: writing is not allowed there"):
            RunFolder.beside(locked_disk / "model").begin()

    def test_removing_takes_both(self, run: RunFolder) -> None:
        run.checkpoint.write_text("first")
        run.begin()
        run.remove()
        assert list(run.path.parent.iterdir()) == []


class TestDataset:
    def test_of_files_comes_back(self, run: RunFolder, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "data", 2)
        cases = tuple(
            Case(
                f"case{k}",
                (folder / f"images/case{k}.nii.gz",),
                folder / f"labels/case{k}.nii.gz",
                annotated=(1,),
                only_painted=True,
                complete_slices=((0, 3), (2, 1)),
                split="train",
                group="Anna",
            )
            for k in range(2)
        )
        data = Dataset((*cases, replace(cases[0], name="bare", labels=None, annotated=None)), NAMES, ("MR",), 7, 9, "x")
        assert run.keep_dataset(data) == data
        assert run.read_dataset() == data
        assert list((run.path / "cases").iterdir()) == []

    def test_relative_paths_are_kept_whole(
        self, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_folder(tmp_path / "data", 1)
        monkeypatch.chdir(tmp_path)
        data = Dataset((Case("a", (Path("data/images/case0.nii.gz"),), Path("data/labels/case0.nii.gz")),), NAMES)
        run.keep_dataset(data)
        monkeypatch.chdir("/")
        kept = run.read_dataset()
        load_case(kept.cases[0], kept)

    def test_links_to_files_without_an_ending_keep_their_names(self, run: RunFolder, tmp_path: Path) -> None:
        write_folder(tmp_path / "data", 1)
        places = []
        for kind in ("images", "labels"):
            stored = (tmp_path / f"data/{kind}/case0.nii.gz").rename(tmp_path / f"{kind}-4f1d")
            (tmp_path / f"{kind}.nii.gz").symlink_to(stored)
            places.append(tmp_path / f"{kind}.nii.gz")
        run.keep_dataset(Dataset((Case("a", (places[0],), places[1]),), NAMES))
        kept = run.read_dataset()
        load_case(kept.cases[0], kept)

    @settings(max_examples=25)
    @given(
        affines(),
        st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8", "?"]),
        st.integers(1, 3),
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=2),
    )
    def test_what_came_from_a_viewer_is_the_same_from_its_files(
        self, tmp_path_factory: pytest.TempPathFactory, affine: np.ndarray, dtype: str, channels: int, slices: list
    ) -> None:
        run = RunFolder(tmp_path_factory.mktemp("run"))
        rng = np.random.default_rng(0)
        shape = (4, 5, 6)
        voxels = (100 * rng.random((channels, *shape))).astype(dtype)
        image = Volume(voxels, affine, "czyx") if channels > 1 else Volume(voxels[0], affine)
        named = LabelSet((Label(1, "a", (1, 1, 1)), Label(300, "b", (1, 1, 1))))
        labels = LabelMap(rng.choice([0, 1, 300], shape).astype(np.uint16), affine, labels=named)
        case = Case("a", (image,), labels, only_painted=True, complete_slices=tuple(slices))
        given = Dataset((case,), named, tuple(f"c{k}" for k in range(channels)))
        kept = run.keep_dataset(given)
        assert run.read_dataset() == kept
        assert all(isinstance(one, Path) for one in (*kept.cases[0].images, kept.cases[0].labels))
        for before, after in zip(load_case(case, given), load_case(kept.cases[0], kept), strict=True):
            # Whatever order of axes the file has: voxel for voxel at the same place.
            assert np.allclose(after.affine, before.affine, atol=1e-3)
            assert np.allclose(after.data.astype(float), before.data.astype(float), rtol=1e-6)
        assert load_case(case, given)[1].meta.get("complete_slices", []) == load_case(kept.cases[0], kept)[1].meta.get(
            "complete_slices", []
        )

    def test_several_images_of_one_case(self, run: RunFolder) -> None:
        image = Volume(np.random.default_rng(0).random((4, 5, 6)), make_affine())
        labels = LabelMap(np.ones((4, 5, 6), np.uint8), make_affine())
        data = Dataset((Case("a", (image, image.with_data(-image.data)), labels),), NAMES, ("T1", "T2"))
        kept = run.keep_dataset(data)
        assert len(kept.cases[0].images) == 2
        found, _ = load_case(kept.cases[0], kept)
        assert np.allclose(found.data[0], -found.data[1])

    def test_labels_without_an_image(self, run: RunFolder) -> None:
        labels = LabelMap(np.ones((4, 5, 6), np.uint8), make_affine(), labels=NAMES)
        run.keep_dataset(Dataset((Case("a", (labels,), labels),), NAMES))
        (case,) = run.read_dataset().cases
        assert not case.has_image
        assert len(list((run.path / "cases").iterdir())) == 1

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"cases": [{}]}'])
    def test_a_damaged_one_is_one_sentence(self, text: str, run: RunFolder) -> None:
        (run.path / "dataset.json").write_text(text)
        with pytest.raises(InputError, match="is damaged; start it anew"):
            run.read_dataset()

    def test_a_full_disk_is_one_sentence(self, tiny_disk: Path) -> None:
        (tiny_disk / "filler").write_bytes(b"x" * 50_000)
        run = RunFolder.beside(tiny_disk / "model")
        run.begin()
        with pytest.raises(WorkError, match="the disk is full"):
            run.keep_dataset(dataset(1))


class TestFacts:
    def test_without_names_no_case_is_named(self, run: RunFolder) -> None:
        run.keep_facts(
            {
                "name": "Müller",
                "cases": [{"name": "Anna"}],
                "left_out": [],
                "notes": ["Anna"],
                "spacing": [1],
                "same_images": [["Anna", "copy"]],
            }
        )
        assert run.facts_without_names() == {"spacing": [1], "cases": 1, "left_out": 0}

    @pytest.mark.parametrize("text", [None, "{"])
    def test_that_are_gone_are_none(self, text: str | None, run: RunFolder) -> None:
        if text is not None:
            (run.path / "fingerprint.json").write_text(text)
        assert run.facts_without_names() == {}
