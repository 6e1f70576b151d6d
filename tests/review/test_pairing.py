from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.review.pairing import case_name, find_case, image_of, pair_files


def folder(place: Path, *names: str) -> Path:
    place.mkdir()
    for name in names:
        (place / name).write_bytes(b"")
    return place


def paired(tmp_path: Path, ours: tuple[str, ...], theirs: tuple[str, ...]) -> dict[str, str | None]:
    found = pair_files(folder(tmp_path / "ours", *ours), folder(tmp_path / "theirs", *theirs))
    return {pair.truth.name: pair.prediction.name if pair.prediction else None for pair in found.pairs}


class TestByName:
    @pytest.mark.parametrize(
        ("prediction", "truth"),
        [
            ("case.nii.gz", "case.nii.gz"),
            ("case.nrrd", "case.nii"),
            ("case_seg.nii.gz", "case.nii.gz"),
            ("case_0000_seg.nii.gz", "case.nii.gz"),
            ("case_0000.nii.gz", "case.nii.gz"),
            ("case.nii.gz", "case_0000.nii.gz"),
            ("case_pred.nii.gz", "case_gt.nii.gz"),
            ("case.seg.nrrd", "case-label.nrrd"),
            ("amos_0004_seg.nii.gz", "amos_0004.nii.gz"),
            ("1.2.840.5_seg.nii.gz", "1.2.840.5.nii.gz"),
        ],
    )
    def test_pairs(self, prediction: str, truth: str, tmp_path: Path) -> None:
        assert paired(tmp_path, (prediction,), (truth,)) == {truth: prediction}

    def test_numbers_of_four_digits_may_be_cases(self, tmp_path: Path) -> None:
        """As in AMOS and FLARE: a channel is never taken away on both sides."""
        ours = ("amos_0004.nii.gz", "amos_0005.nii.gz")
        theirs = ("amos_0004.nii.gz", "amos_0006.nii.gz")
        assert paired(tmp_path, ours, theirs) == {"amos_0004.nii.gz": "amos_0004.nii.gz", "amos_0006.nii.gz": None}

    def test_the_very_name_comes_first(self, tmp_path: Path) -> None:
        assert paired(tmp_path, ("a.nii.gz", "a_seg.nii.gz"), ("a.nii.gz",)) == {"a.nii.gz": "a.nii.gz"}

    def test_names_of_cases_tell_them_apart(self, tmp_path: Path) -> None:
        names = ("a_seg.nii.gz", "a_mask.nii.gz", "b_seg.nii.gz")
        found = pair_files(folder(tmp_path / "ours", *names), folder(tmp_path / "theirs", *names))
        assert [pair.name for pair in found.pairs] == ["a_mask", "a_seg", "b"]

    def test_in_the_order_people_count(self, tmp_path: Path) -> None:
        names = ("pt_10.nii.gz", "pt_9.nii.gz", "pt_100.nii.gz", "x.nii.gz")
        found = pair_files(folder(tmp_path / "ours", *names), folder(tmp_path / "theirs", *names))
        assert [pair.name for pair in found.pairs] == ["pt_9", "pt_10", "pt_100", "x"]

    def test_what_stands_alone_is_told(self, tmp_path: Path) -> None:
        ours = folder(
            tmp_path / "ours", "a.nii.gz", "b.nii.gz", "note.resmed.json", ".hidden.nii.gz", "pair.img", "pair.hdr"
        )
        found = pair_files(ours, folder(tmp_path / "theirs", "a.nii.gz", "c.nii.gz"))
        assert [path.name for path in found.predictions_alone] == ["b.nii.gz", "pair.hdr"]
        assert [(pair.name, pair.prediction is None) for pair in found.pairs] == [("a", False), ("c", True)]

    def test_of_a_header_and_its_voxels_the_header_counts(self, tmp_path: Path) -> None:
        afni = ("a+orig.HEAD", "a+orig.BRIK", "b+orig.HEAD", "b+orig.BRIK.gz")
        assert paired(tmp_path, afni, afni) == {name: name for name in afni if name.endswith("HEAD")}

    def test_two_files(self, tmp_path: Path) -> None:
        place = folder(tmp_path / "both", "one.nii.gz", "other_seg.nii.gz")
        found = pair_files(place / "one.nii.gz", place / "other_seg.nii.gz")
        assert [(pair.name, pair.prediction) for pair in found.pairs] == [("other", place / "one.nii.gz")]


class TestRefusals:
    def refused(self, ours: Path, theirs: Path) -> str:
        with pytest.raises(InputError) as caught:
            pair_files(ours, theirs)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_a_file_and_a_folder(self, tmp_path: Path) -> None:
        place = folder(tmp_path / "p", "a.nii.gz")
        assert "PREDICTIONS is a folder and TRUTH is a file" in self.refused(place, place / "a.nii.gz")

    def test_nothing_there(self, tmp_path: Path) -> None:
        assert "does not exist" in self.refused(tmp_path, tmp_path / "none")
        assert "holds no label map" in self.refused(folder(tmp_path / "e"), folder(tmp_path / "f", "a.nii.gz"))

    def test_nothing_pairs(self, tmp_path: Path) -> None:
        ours, theirs = folder(tmp_path / "o", "a.nii.gz"), folder(tmp_path / "t", *(f"c{n}.nii" for n in range(9)))
        message = self.refused(ours, theirs)
        assert "found a.nii.gz and c0.nii, c1.nii, c2.nii, c3.nii, c4.nii and 4 more" in message

    def test_two_that_could_be_one(self, tmp_path: Path) -> None:
        ours, theirs = folder(tmp_path / "o", "a_seg.nii.gz", "a_pred.nii.gz"), folder(tmp_path / "t", "a.nii.gz")
        assert "a_pred.nii.gz, a_seg.nii.gz of o could each be the case a" in self.refused(ours, theirs)

    def test_tables(self, tmp_path: Path) -> None:
        ours, theirs = folder(tmp_path / "o", "a.csv"), folder(tmp_path / "t", "b.csv")
        for place, other in ((ours, theirs), (ours / "a.csv", theirs / "b.csv")):
            message = self.refused(place, other)
            assert "is a table; expected two label maps, or answers as `classify` writes them" in message
            assert "CSV with path, predicted, p_CLASS" in message


class TestOtherFiles:
    def test_the_image_of_a_case(self, tmp_path: Path) -> None:
        images = folder(tmp_path / "i", "a_0000.nii.gz", "a_0001.nii.gz", "b.nii.gz", "amos_0001.nii.gz")
        assert image_of(Path("a.nii.gz"), images) == images / "a_0000.nii.gz"
        assert image_of(Path("b_seg.nii.gz"), images) == images / "b.nii.gz"
        assert image_of(Path("amos_0002.nii.gz"), images) is None
        assert image_of(Path("c.nii.gz"), images / "b.nii.gz") == images / "b.nii.gz"

    def test_the_row_of_a_case(self) -> None:
        rows = ["pt_1", "pt_10", "case_0000.nii.gz"]
        assert find_case(Path("pt_1_seg.nii.gz"), rows) == "pt_1"
        assert find_case(Path("case.nii.gz"), rows) == "case_0000.nii.gz"
        assert find_case(Path("pt_2.nii.gz"), rows) is None

    @pytest.mark.parametrize(
        ("file", "name"), [("seg.nii.gz", "seg"), ("a_b_seg_pred.nii", "a_b"), ("_seg.nii", "_seg")]
    )
    def test_a_name_is_left(self, file: str, name: str) -> None:
        assert case_name(Path(file)) == name
