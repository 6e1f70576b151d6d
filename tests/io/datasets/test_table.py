from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets import load_case, read_dataset
from tests.io.datasets.folders import image, labels, put


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return put(
        tmp_path,
        {
            "scans/p1/t1.nii.gz": image(1),
            "scans/p1/flair.nii.gz": image(2),
            "scans/p1/seg.nii.gz": labels(1, 2),
            "scans/p2/t1.nii.gz": image(3),
            "scans/p2/flair.nii.gz": image(4),
            "scans/p2/seg.nii.gz": labels(1),
        },
    )


def test_everything_a_row_may_say(files: Path) -> None:
    put(files, {"labels.json": {"liver": 1, "spleen": 2}})
    rows = (
        "Case,Image,Label,Split,Patient,Annotated,Only_painted\n"
        "one,scans/p1/t1.nii.gz,scans/p1/seg.nii.gz,training,X,Liver;2,no\n"
        "two,scans/p2/t1.nii.gz,scans/p2/seg.nii.gz,val,Y,liver,yes\n"
    )
    put(files, {"list.csv": rows})
    dataset, notes = read_dataset(files / "list.csv")
    one, two = dataset.cases
    assert (one.name, one.split, one.patient, one.annotated, one.only_painted) == ("one", "train", "X", (1, 2), False)
    assert (two.name, two.split, two.patient, two.annotated, two.only_painted) == ("two", "validation", "Y", (1,), True)
    assert notes == ()
    assert (load_case(one, dataset)[0].data == image(1).data).all()
    # A folder with a single table is that table.
    assert read_dataset(files)[0].cases == dataset.cases


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("image", "scans/p{0}/t1.nii.gz;scans/p{0}/flair.nii.gz"),
        ("image_1,image_2", "scans/p{0}/t1.nii.gz,scans/p{0}/flair.nii.gz"),
        ("image2,image1", "scans/p{0}/flair.nii.gz,scans/p{0}/t1.nii.gz"),
        ("T1,FLAIR", "scans/p{0}/t1.nii.gz,scans\\p{0}\\flair.nii.gz"),
    ],
)
def test_channels(head: str, cells: str, files: Path) -> None:
    rows = "\n".join(f"{cells.format(n)},scans/p{n}/seg.nii.gz" for n in (1, 2))
    dataset, _ = read_dataset(put(files, {"list.csv": f"{head},label\n{rows}\n"}))
    assert [[path.name for path in case.images] for case in dataset.cases] == [["t1.nii.gz", "flair.nii.gz"]] * 2
    assert [case.name for case in dataset.cases] == ["p1", "p2"]
    assert dataset.channels == (("T1", "FLAIR") if head == "T1,FLAIR" else ("image 1", "image 2"))
    assert (load_case(dataset.cases[1], dataset)[0].data[1] == image(4).data).all()


def test_a_spreadsheet_from_windows(files: Path) -> None:
    rows = "image;label;case\r\nscans/p1/t1.nii.gz;scans/p1/seg.nii.gz;Fall Müller-Straße\r\n"
    (files / "list.csv").write_bytes(rows.encode("cp1252"))
    assert read_dataset(files)[0].cases[0].name == "Fall Müller-Straße"


@pytest.mark.parametrize("word", ["", "n/a", "None", "-"])
def test_words_for_no_labels(word: str, files: Path) -> None:
    rows = f"image,label\nscans/p1/t1.nii.gz,scans/p1/seg.nii.gz\nscans/p2/t1.nii.gz,{word}\n"
    dataset, _ = read_dataset(put(files, {"list.csv": rows}))
    assert [case.labels is None for case in dataset.cases] == [False, True]


def test_a_word_for_none_among_several_files(files: Path) -> None:
    rows = "image,label\nscans/p1/t1.nii.gz;n/a,scans/p1/seg.nii.gz\n"
    dataset, _ = read_dataset(put(files, {"list.csv": rows}))
    assert [path.name for path in dataset.cases[0].images] == ["t1.nii.gz"]  # type: ignore[union-attr]


def test_a_word_for_nobody_is_no_patient(files: Path) -> None:
    rows = "image,label,patient\nscans/p1/t1.nii.gz,,n/a\nscans/p2/t1.nii.gz,,NaN\nscans/p3/t1.nii.gz,,X\n"
    dataset, _ = read_dataset(put(files, {"list.csv": rows}))
    assert [case.group for case in dataset.cases] == ["", "", "X"]


def test_no_labels_yet_and_files_that_are_not_there(files: Path) -> None:
    rows = "image,label\nscans/p1/t1.nii.gz,\nscans/p3/t9.nii.gz,scans/p3/seg.nii.gz\n"
    dataset, _ = read_dataset(put(files, {"list.csv": rows}))
    assert dataset.cases[0].labels is None
    with pytest.raises(InputError, match=r"^its file t9.nii.gz is missing$"):
        load_case(dataset.cases[1], dataset)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("image,label\na.png,pneumonia\n", r"gives each image a class \('label' is e.g. 'pneumonia'\)"),
        ("path,class\na.nii.gz,1\n", r"gives each image a class \('class' is e.g. '1'\)"),
        ("image,label\na.png,pneumonia\nb.png,n/a\n", r"gives each image a class \('label' is e.g. 'pneumonia'\)"),
        ("file,truth\na,b\n", "has the columns file, truth; expected image"),
        ("image,label\n,a.nii.gz\n", "has no image in line 2"),
        ("image,label\na.nii,b.nii\n\n\n,c.nii\n", "has no image in line 5"),
        ("t1,label\na.nii,b.nii\n\nc.nii,d.nii\n\ne,f.nii\n", "has 'e' under t1 in line 6"),
        ("image,label,only_painted\na.nii,b.nii,perhaps\n", "only_painted has the entry 'perhaps', expected yes or no"),
        ("image,label,annotated\na.nii,b.nii,liver\n", "has 'liver' under annotated; expected values"),
        ("case,image,label\nx,a.nii,b.nii\nx,c.nii,d.nii\n", "two cases are called x"),
        ("case,image,label\n,a.nii,b.nii\n", "has a row without a name"),
        (
            "image,label,split\na.nii,b.nii,train\nc.nii,d.nii,holdout\n",
            "line 3 has the split 'holdout', expected a word",
        ),
        (
            "image,label,split\na.nii,b.nii,train\n\nc.nii,d.nii,holdout\n",
            "line 4 has the split 'holdout', expected a word",
        ),
    ],
)
def test_tables_that_cannot_be_understood(rows: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_dataset(put(tmp_path, {"list.csv": rows}) / "list.csv")
