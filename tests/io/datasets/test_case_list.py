from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.io.datasets import read_dataset
from tests.io.datasets.folders import image, labels, put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four cases; the structure 2 is in two of them."""
    files = {f"images/{name}.nii.gz": image() for name in "abcd"}
    held = {"a": (1, 2), "b": (1,), "c": (1, 2), "d": (1,)}
    return put(tmp_path, {**files, **{f"labels/{name}.nii.gz": labels(*values) for name, values in held.items()}})


def test_counts_say_what_was_looked_for(folder: Path) -> None:
    rows = "case,split,status,vx,Liver,Spleen\na,train-a,ok,3,5,7\nb,Validation,ok,3,4,0\nc,test,ok,3,9,3\nd,,ok,3,1,\n"
    dataset, notes = read_dataset(put(folder, {"cases.csv": rows}))
    assert [label.name for label in dataset.labels] == ["Liver", "Spleen"]
    assert [case.annotated for case in dataset.cases] == [(1, 2), (1,), (1, 2), (1,)]
    assert [case.split for case in dataset.cases] == ["train", "validation", "test", ""]
    assert notes == ()


def test_words_semicolons_and_patients(folder: Path) -> None:
    rows = "case;patient;liver;spleen\na;P1;yes;yes\nb;P1;yes;no\nc;P2;Yes;x\nd;P3;y;NO\n"
    dataset, _ = read_dataset(put(folder, {"cases.csv": rows}))
    assert [case.patient for case in dataset.cases] == ["P1", "P1", "P2", "P3"]
    assert [case.annotated for case in dataset.cases] == [(1, 2), (1,), (1, 2), (1,)]


def test_names_that_are_known_find_their_columns(folder: Path) -> None:
    rows = "case,Spleen,age,LIVER\na,1,60,1\nb,0,61,1\nc,1,62,1\nd,0,63,0\n"
    dataset, _ = read_dataset(put(folder, {"cases.csv": rows, "labels.json": {"liver": 1, "spleen": 2}}))
    assert [case.annotated for case in dataset.cases] == [(1, 2), (1,), (1, 2), ()]


def test_names_find_their_columns_however_they_are_written(folder: Path) -> None:
    rows = "case,Right_Parotid,spinal cord\na,1,1\nb,1,0\nc,1,1\nd,1,0\n"
    dataset, _ = read_dataset(put(folder, {"cases.csv": rows, "labels.json": {"Right Parotid": 1, "SpinalCord": 2}}))
    assert [case.annotated for case in dataset.cases] == [(1, 2), (1,), (1, 2), (1,)]


def test_names_that_differ_in_a_sign_have_a_column_each(folder: Path) -> None:
    rows = "case,ER+,ER-\na,yes,no\nb,no,yes\nc,1,1\nd,0,0\n"
    dataset, _ = read_dataset(put(folder, {"cases.csv": rows, "labels.json": {"ER+": 1, "ER-": 2}}))
    assert [case.annotated for case in dataset.cases] == [(1,), (2,), (1, 2), ()]


def test_an_umlaut_in_one_character_and_in_two(tmp_path: Path) -> None:
    """As macOS writes it, and as a person types it."""
    for kind, file in (("images", image()), ("labels", labels(1))):
        put(tmp_path, {f"{kind}/{unicodedata.normalize('NFD', name)}.nii.gz": file for name in ("Jäger", "Müller")})
    dataset, notes = read_dataset(put(tmp_path, {"cases.csv": "case,split\nMüller,test\nJäger,train\n"}))
    assert {unicodedata.normalize("NFC", case.name): case.split for case in dataset.cases} == {
        "Jäger": "train",
        "Müller": "test",
    }
    assert notes == ()


def test_a_structure_without_a_column_is_annotated_everywhere(folder: Path) -> None:
    rows = "case,spleen\na,1\nb,0\nc,1\nd,0\n"
    dataset, notes = read_dataset(put(folder, {"cases.csv": rows, "labels.json": {"liver": 1, "spleen": 2}}))
    assert [case.annotated for case in dataset.cases] == [(1, 2), (1,), (1, 2), (1,)]
    assert notes == ("cases.csv has no column for liver: taken as annotated everywhere",)


@pytest.mark.parametrize("word", ["holdout", "external test", "hold-out"])
def test_a_split_that_is_none(word: str, folder: Path) -> None:
    with pytest.raises(InputError, match=f"cases.csv, line 3 has the split '{word}', expected a word that begins with"):
        read_dataset(put(folder, {"cases.csv": f"case,split\na,train\nb,{word}\n"}))
    with pytest.raises(InputError, match="cases.csv, line 4 has the split"):
        read_dataset(put(folder, {"cases.csv": f"case,split\n\na,train\nb,{word}\n"}))


def test_looked_for_and_not_there(folder: Path) -> None:
    rows = "case,liver,spleen\na,yes,yes\nb,yes,yes\nc,yes,yes\nd,yes,yes\n"
    dataset, _ = read_dataset(put(folder, {"cases.csv": rows}))
    assert [case.annotated for case in dataset.cases] == [(1, 2)] * 4


def test_columns_that_contradict_the_labels(folder: Path) -> None:
    # The first of the columns is no structure, so the guess is off by one.
    rows = "case,visits,liver,spleen\na,0,1,1\nb,0,1,0\nc,0,1,1\nd,0,1,0\n"
    with pytest.raises(InputError, match=r"name the structures visits, liver, spleen .* but a holds the value 1"):
        read_dataset(put(folder, {"cases.csv": rows}))


def test_a_split_alone(folder: Path) -> None:
    dataset, _ = read_dataset(put(folder, {"cases.csv": "case,split\na,train\nb,train\nc,train\nd,val\n"}))
    assert [case.split for case in dataset.cases] == ["train", "train", "train", "validation"]
    assert {case.annotated for case in dataset.cases} == {None}


def test_cases_on_one_side_only(folder: Path) -> None:
    _, notes = read_dataset(put(folder, {"cases.csv": "case,liver,spleen\na,1,1\nb,1,0\nd,1,0\nz,1,0\n"}))
    assert notes == (
        "cases.csv lists cases that are not there: z",
        "cases.csv does not list c: there every structure is taken as annotated",
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("case,liver\na,1\na,0\n", "cases.csv has two rows for the case a"),
        ("case,split,split\na,1,2\n", "cases.csv has two columns called 'split'"),
        ("case,liver\n", "cases.csv has no rows"),
    ],
)
def test_tables_that_cannot_be_understood(rows: str, message: str, folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_dataset(put(folder, {"cases.csv": rows}))


def test_a_word_that_is_neither_yes_nor_no(folder: Path) -> None:
    rows = "case,liver,spleen\na,maybe,1\n"
    with pytest.raises(InputError, match="cases.csv, a has the entry 'maybe', expected yes or no"):
        read_dataset(put(folder, {"cases.csv": rows, "labels.json": {"liver": 1, "spleen": 2}}))
