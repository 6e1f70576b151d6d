from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from napari_resmed.case import Case, Dataset
from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.io.archives import forget_archives
from napari_resmed.io.datasets.classes import load_channels, read_classes
from napari_resmed.io.datasets.classes.load import open_image
from napari_resmed.io.datasets.classes.table import read_unlabelled
from napari_resmed.volume import Volume
from tests.train.classify.small import picture, write_folders, write_medmnist, write_volumes


class TestMedmnist:
    def test_a_real_one(self, shared_data: Path) -> None:
        dataset, _ = read_classes(shared_data / "classification/pneumoniamnist.npz")
        splits = [case.split for case in dataset.cases]
        assert (splits.count("train"), splits.count("validation")) == (3882, 524)
        assert dataset.classes == ("0", "1")
        assert dataset.channels == ("image",)
        volume = open_image(dataset.cases[-1].images[0])
        assert volume.shape == (1, 28, 28)
        forget_archives()

    def test_every_image_is_the_right_one(self, tmp_path: Path) -> None:
        dataset, _ = read_classes(write_medmnist(tmp_path / "a.npz", shape=(4, 16, 16)))
        case = dataset.cases[43]
        assert (case.name, case.split, case.class_name) == ("val_3", "validation", "1")
        assert np.array_equal(open_image(case.images[0]).data, picture(1, 1003, (4, 16, 16)))

    def test_colour(self, tmp_path: Path) -> None:
        images = np.random.default_rng(0).integers(0, 255, (4, 8, 9, 3), np.uint8)
        np.savez(tmp_path / "a.npz", train_images=images, train_labels=np.arange(4)[:, None] % 2)
        dataset, _ = read_classes(tmp_path / "a.npz")
        assert dataset.channels == ("red", "green", "blue")
        red = load_channels(dataset.cases[2], dataset)[0]
        assert red is not None
        assert np.array_equal(red.data[0], images[2, ..., 0])

    @pytest.mark.parametrize(
        ("arrays", "said"),
        [
            ({"images": np.zeros((2, 4, 4))}, "expected train_labels"),
            ({"train_images": np.zeros((2, 4, 4)), "train_labels": np.zeros((2, 14), int)}, "14 labels"),
            ({"train_images": np.zeros((2, 4, 4)), "train_labels": np.zeros((2, 1), int)}, "one class only"),
        ],
    )
    def test_others_are_refused(self, tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
        np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=said):
            read_classes(tmp_path / "a.npz")

    def test_damaged_ones_and_code_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04nothing")
        np.savez(tmp_path / "code.npz", train_labels=np.array([{"a": 1}], object))
        for name in ("damaged", "code"):
            with pytest.raises(InputError, match="damaged"):
                read_classes(tmp_path / f"{name}.npz")


class TestFolders:
    def test_a_folder_per_class(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "data", 3)
        (folder / "wide" / "notes.txt").write_text("hello")
        dataset, notes = read_classes(folder)
        assert dataset.classes == ("tall", "wide")
        assert [case.name for case in dataset.cases][:2] == ["tall/0.png", "tall/1.png"]
        assert any("notes.txt" in note for note in notes)
        assert np.array_equal(open_image(dataset.cases[0].images[0]).data[0], picture(1, 0))

    def test_folders_of_a_split_around_them(self, tmp_path: Path) -> None:
        dataset, _ = read_classes(write_folders(tmp_path / "data", 2, ("train", "val")))
        assert [case.split for case in dataset.cases] == ["train"] * 4 + ["validation"] * 4
        assert dataset.classes == ("tall", "wide")

    def test_one_class_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "only").mkdir()
        sitk.WriteImage(sitk.GetImageFromArray(picture(0, 0)), str(tmp_path / "only" / "a.png"))
        with pytest.raises(InputError, match="one class only, 'only'; at least two classes"):
            read_classes(tmp_path)


class TestTable:
    def test_patients_and_classes(self, tmp_path: Path) -> None:
        dataset, _ = read_classes(write_volumes(tmp_path / "data", 3))
        assert dataset.classes == ("ill", "well")
        assert [case.patient for case in dataset.cases] == ["p0", "p0", "p1", "p1", "p2", "p2"]

    def test_modalities_of_which_some_are_missing(self, tmp_path: Path) -> None:
        folder = write_volumes(tmp_path / "data", 2)
        (folder / "cases.csv").write_text(
            "T1;FLAIR;class\nscan0.nii.gz;scan1.nii.gz;a\n;scan2.nii.gz;b\nscan3.nii.gz;;b"
        )
        dataset, _ = read_classes(folder / "cases.csv")
        assert dataset.channels == ("T1", "FLAIR")
        there = [[volume is not None for volume in load_channels(case, dataset)] for case in dataset.cases]
        assert there == [[True, True], [False, True], [True, False]]

    def test_words_for_no_image(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("T1,FLAIR,class\n0.nii,1.nii,a\n2.nii,N/A,b\n3.nii,-,b\n4.nii,5.nii,a")
        dataset, _ = read_classes(tmp_path / "cases.csv")
        assert dataset.channels == ("T1", "FLAIR")
        assert [len(case.images) for case in dataset.cases] == [2, 1, 1, 2]
        (case, *_) = read_unlabelled(tmp_path / "cases.csv", ("FLAIR", "T1"))
        assert case.channels == (1, 0)

    def test_a_slip_makes_no_modality_vanish(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("T1,FLAIR,class\n0.nii,1.nii,a\n2.nii,3.nii,b\n4.nii,5nii,b")
        with pytest.raises(InputError, match="'5nii' under FLAIR in line 4, where other lines have images"):
            read_classes(tmp_path / "cases.csv")

    def test_folders_of_dicom_are_images(self, tmp_path: Path) -> None:
        for place in ("p1/t1", "p2/t1", "p1/flair"):
            (tmp_path / place).mkdir(parents=True)
        (tmp_path / "1").mkdir()
        (tmp_path / "cases.csv").write_text("site,T1,FLAIR,class\n1,p1/t1,p1/flair,a\n1,p2/t1,,b")
        dataset, _ = read_classes(tmp_path / "cases.csv")
        assert dataset.channels == ("T1", "FLAIR")

    def test_a_folder_beside_the_table_is_an_image_too(self, tmp_path: Path) -> None:
        for place in ("p1_t1", "p2_t1", "p1_fl", "ill", "well"):
            (tmp_path / place).mkdir()
        (tmp_path / "cases.csv").write_text("T1,FLAIR,arm,class\np1_t1,p1_fl,ill,a\np2_t1,n.a.,ill,b")
        dataset, _ = read_classes(tmp_path / "cases.csv")
        assert dataset.channels == ("T1", "FLAIR")
        assert [len(case.images) for case in dataset.cases] == [2, 1]

    def test_a_modality_of_few_images_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("T1,FLAIR,class,patient\n0.nii,1.nii,a,x\n2.nii,see notes,b,y")
        dataset, notes = read_classes(tmp_path / "cases.csv")
        assert dataset.channels == ("T1",)
        assert notes == ("cases.csv: the column FLAIR is not used, as only 1 of its 2 entries look like images",)

    def test_text_that_is_too_long_for_a_path(self, tmp_path: Path) -> None:
        text = "mild oedema; " * 30 + "MR w/o contrast"
        (tmp_path / "cases.csv").write_text(f"T1,report,class\n0.nii,{text},a\n1.nii,{text}!,b")
        assert read_classes(tmp_path / "cases.csv")[0].channels == ("T1",)

    def test_a_column_that_names_people_goes_before_one_of_groups(self, tmp_path: Path) -> None:
        rows = "path,class,group,PatientID,patient_id\n0.nii,a,AD,x,\n1.nii,b,AD,y,\n2.nii,b,CN,y,"
        (tmp_path / "cases.csv").write_text(rows)
        assert [case.patient for case in read_classes(tmp_path / "cases.csv")[0].cases] == ["x", "y", "y"]

    @pytest.mark.parametrize("column", ["patient", "Patient ID", "patient_id", "SubjectID", "participant_id"])
    def test_whose_an_image_is(self, column: str, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text(f"path,class,{column}\n0.nii,a,x\n1.nii,b,x\n2.nii,b,y")
        dataset, notes = read_classes(tmp_path / "cases.csv")
        assert [case.patient for case in dataset.cases] == ["x", "x", "y"]
        assert not notes
        (tmp_path / "cases.csv").write_text("path,class\n0.nii,a\n1.nii,b")
        (note,) = read_classes(tmp_path / "cases.csv")[1]
        assert note.startswith("every case counts as a patient of its own: cases.csv has no column patient")

    def test_answers_beside_the_images_are_no_data_set(self, tmp_path: Path) -> None:
        folder = write_folders(tmp_path / "data", 3)
        (folder / "answers.csv").write_text("path,predicted,p_tall,p_wide,quality\ntall/0.png,tall,0.9,0.1,good")
        (folder / "heat").mkdir()
        for name in ("0_heat.nii.gz", "0_heat.nii.gz.resmed.json"):
            (folder / "heat" / name).write_bytes(b"{}")
        dataset, notes = read_classes(folder)
        assert dataset.classes == ("tall", "wide")
        assert len(dataset.cases) == 6
        assert not any("heat" in note for note in notes)

    def test_names_that_are_digits_but_no_numbers(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("path,class\n0.nii,10\n1.nii,\N{SUPERSCRIPT TWO}\n2.nii,9", "utf-8")
        assert read_classes(tmp_path / "cases.csv")[0].classes == ("9", "10", "\N{SUPERSCRIPT TWO}")

    def test_rows_without_a_class_are_left_out_and_told(self, tmp_path: Path) -> None:
        folder = write_volumes(tmp_path / "data", 2)
        (folder / "cases.csv").write_text(
            "path,diagnosis\nscan0.nii.gz,1\nscan1.nii.gz,\nscan2.nii.gz,10\nscan3.nii.gz,2"
        )
        dataset, notes = read_classes(folder)
        assert len(dataset.cases) == 3
        assert dataset.classes == ("1", "2", "10")
        assert "lines 3" in notes[0]

    def test_no_row_with_a_class(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("path,class\n0.nii,\n1.nii,\n")
        with pytest.raises(InputError, match="cases.csv has no class in any line, its column 'class' is empty"):
            read_classes(tmp_path / "cases.csv")

    def test_rows_without_a_class_count_for_what_a_column_is(self, tmp_path: Path) -> None:
        rows = "T1,FLAIR,class,patient\n0.nii,1.nii,a,x\n2.nii,3.nii,b,y\n4.nii,late,,z\n5.nii,late,,z"
        (tmp_path / "cases.csv").write_text(rows)
        dataset, notes = read_classes(tmp_path / "cases.csv")
        assert dataset.channels == ("T1",)
        assert [len(case.images) for case in dataset.cases] == [1, 1]
        assert notes[1:] == ("cases.csv: the column FLAIR is not used, as only 2 of its 4 entries look like images",)

    def test_a_word_for_none_keeps_its_place_among_several_files(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("path,class\n0.nii;1.nii,a\n2.nii;n/a,b\nnone;3.nii,b")
        dataset, _ = read_classes(tmp_path / "cases.csv")
        assert dataset.channels == ("image 1", "image 2")
        assert [[path.name for path in case.images] for case in dataset.cases] == [  # type: ignore[union-attr]
            ["0.nii", "1.nii"],
            ["2.nii"],
            ["3.nii"],
        ]
        assert [case.channels for case in dataset.cases] == [(), (0,), (1,)]

    def test_lines_are_those_of_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "cases.csv").write_text("path,class\n\n0.nii,a\n\n1.nii,\n2.nii,b\n")
        assert "lines 5" in read_classes(tmp_path / "cases.csv")[1][0]
        (tmp_path / "cases.csv").write_text("path,class\n\n0.nii,a\n\n,b\n")
        with pytest.raises(InputError, match="no image in line 5"):
            read_classes(tmp_path / "cases.csv")

    def test_a_split_that_is_none(self, tmp_path: Path) -> None:
        folder = write_volumes(tmp_path / "data", 2)
        (folder / "cases.csv").write_text(
            "path,class,split\nscan0.nii.gz,a,train\nscan1.nii.gz,,\nscan2.nii.gz,b,external test"
        )
        with pytest.raises(InputError, match="line 4 has the split 'external test', expected a word that begins"):
            read_classes(folder / "cases.csv")
        # What is only classified is not learnt from.
        assert len(read_unlabelled(folder / "cases.csv", ("image",))) == 3

    @pytest.mark.parametrize(
        ("head", "places"),
        [
            ("t1,flair", [0, 1]),
            ("Flair,T1", [1, 0]),
            ("FLAIR", [1]),
            ("before,after", [0, 1]),
            ("image_1,image_2", [0, 1]),
        ],
    )
    def test_columns_of_modalities_find_their_channels(self, head: str, places: list[int], tmp_path: Path) -> None:
        (tmp_path / "new.csv").write_text(head + "\n" + ",".join(f"{n}.nii.gz" for n in range(len(places))) + "\n")
        (case,) = read_unlabelled(tmp_path / "new.csv", ("T1", "FLAIR"))
        assert list(case.channels or range(2)) == places

    @pytest.mark.parametrize(
        ("head", "said"), [("FLAIR,T1w", "'T1w'"), ("T1,FLAIR,T2", "'T2'"), ("a,b,c", "'a'"), ("before", "'before'")]
    )
    def test_columns_that_are_no_channels(self, head: str, said: str, tmp_path: Path) -> None:
        count = head.count(",") + 1
        (tmp_path / "new.csv").write_text(head + "\n" + ",".join(f"{n}.nii.gz" for n in range(count)) + "\n")
        with pytest.raises(InputError, match=f"the column {said}, which is none of the model's channels, T1, FLAIR;"):
            read_unlabelled(tmp_path / "new.csv", ("T1", "FLAIR"))

    def test_a_table_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("name,age\nx,3")
        with pytest.raises(InputError, match="path .* and class"):
            read_classes(tmp_path / "a.csv")


class TestLoading:
    def test_grey_and_colour_pictures_come_together(self, tmp_path: Path) -> None:
        colour = np.zeros((6, 7, 3), np.uint8)
        colour[..., 1] = 200
        sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(tmp_path / "a.png"))
        case = Case("a", (tmp_path / "a.png",), class_name="x")
        grey = load_channels(case, Dataset((case,), classes=("x", "y")))[0]
        assert grey is not None
        assert np.allclose(grey.data, 0.587 * 200)
        three = load_channels(case, Dataset((case,), channels=("red", "green", "blue"), classes=("x", "y")))
        assert [int(volume.data.max()) for volume in three if volume is not None] == [0, 200, 0]

    def test_one_modality_is_not_all_and_all_are_not_grey(self) -> None:
        grey = Case("a", (Volume(np.ones((2, 3, 4), np.float32), np.eye(4)),), class_name="x")
        with pytest.raises(InputError, match=r"it has 1 channel, expected 3 \(T1, T2, FLAIR\)"):
            load_channels(grey, Dataset((grey,), channels=("T1", "T2", "FLAIR"), classes=("x", "y")))
        assert len(load_channels(grey, Dataset((grey,), channels=("red", "green", "blue"), classes=("x", "y")))) == 3
        three = Case("a", (Volume(np.ones((3, 2, 3, 4), np.float32), np.eye(4), "czyx"),), class_name="x")
        with pytest.raises(InputError, match=r"it has 3 channels, expected 1 \(MR\)"):
            load_channels(three, Dataset((three,), channels=("MR",), classes=("x", "y")))

    def test_three_modalities_in_a_file_are_no_colours(self, tmp_path: Path) -> None:
        for kind in ("a", "b"):
            (tmp_path / kind).mkdir()
            data = np.random.default_rng(len(kind)).normal(size=(3, 4, 5, 6)).astype(np.float32)
            write(Volume(data, np.eye(4), "czyx"), tmp_path / kind / "0.nrrd")
        assert read_classes(tmp_path)[0].channels == ("channel 1", "channel 2", "channel 3")

    def test_frames_in_time_stay_so(self) -> None:
        data = np.arange(5 * 2 * 3 * 4).reshape(5, 2, 1, 3, 4)
        assert open_image(Volume(data[:, 0], np.eye(4), "tzyx")).axes == "tzyx"
        assert open_image(Volume(data[:1, 0], np.eye(4), "tzyx")).axes == "zyx"
        case = Case("a", (Volume(data, np.eye(4), "tczyx"),), class_name="x")
        one, other = load_channels(case, Dataset((case,), channels=("early", "late"), classes=("x", "y")))
        assert one is not None
        assert other is not None
        assert (one.axes, other.axes) == ("tzyx", "tzyx")
        assert np.array_equal(other.data, data[:, 1])

    def test_a_class_that_is_none(self) -> None:
        with pytest.raises(InputError, match="expected x, y"):
            Dataset((Case("a", (Path("a.png"),), class_name="z"),), classes=("x", "y"))
