from __future__ import annotations

import csv
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Warning
from napari_resmed.jobs.evaluate_classes import evaluate_classes
from napari_resmed.review.class_scores import ClassEvaluation
from napari_resmed.review.class_table import is_class_table
from tests.train.classify.small import write_folders, write_medmnist
from tests.train.small import finish


def table(folder: Path, cases: list[tuple[str, str]], wrong: int = 3, name: str = "answers.csv") -> Path:
    """Answers to cases of path and class, the first few of them wrong."""
    classes = sorted({kind for _, kind in cases})
    rng = np.random.default_rng(0)
    lines = [",".join(["path", "predicted", *(f"p_{kind}" for kind in classes), "quality"])]
    for number, (path, kind) in enumerate(cases):
        other = classes[1 - classes.index(kind)]
        said = other if number < wrong else kind
        sure = round(float(rng.uniform(0.55, 0.95)), 4)
        shares = [str(round(sure if of == said else 1 - sure, 4)) for of in classes]
        lines.append(",".join([path, said, *shares, "good"]))
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def of_folders(data: Path) -> list[tuple[str, str]]:
    return [(str(path), path.parent.name) for path in sorted(data.rglob("*.png"))]


def run(predictions: Path, truth: Path, **more: object) -> tuple[list[Event], ClassEvaluation]:
    said: list[Event] = []
    return said, finish(evaluate_classes(predictions, truth, **{"resamples": 50, **more}), said)  # type: ignore[arg-type]


def test_the_whole_report(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 12)
    said, found = run(table(tmp_path, of_folders(data)), data, report=tmp_path / "report")
    assert found.mean["accuracy"] == pytest.approx(21 / 24)
    assert found.confusion.tolist() == [[9, 3], [0, 12]]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "metrics.csv",
        "metrics.json",
        "report.html",
    ]
    document = json.loads((tmp_path / "report/metrics.json").read_text())
    assert document["task"] == "classification"
    assert document["mean"]["accuracy"] == 0.875
    assert [label["name"] for label in document["labels"]] == ["tall", "wide"]
    assert document["labels"][0]["mean"]["recall"] == 0.75
    with (tmp_path / "report/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert [row["correct"] for row in rows].count("False") == 3
    page = (tmp_path / "report/report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons", ""
    )
    assert "tall/0.png" in page
    # The three that were answered wrongly, as they look.
    assert page.count('src="data:image/png;base64,') == 3
    assert "is tall, was said to be wide" in page
    assert any("only 12 cases" in event.message for event in said if isinstance(event, Warning))


def test_a_truth_in_a_table_or_an_archive(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 4)
    cases = of_folders(data)
    lines = ["image,diagnosis,patient", *(f"{path},{kind},p{n // 2}" for n, (path, kind) in enumerate(cases))]
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    _, found = run(table(tmp_path, cases, wrong=0), tmp_path / "truth.csv")
    assert found.mean["accuracy"] == 1
    assert len(set(found.answers.patients)) == 4
    archive = write_medmnist(tmp_path / "a.npz", 4, 4)
    numbers = [(f"{archive}/val/{number}", str(number % 2)) for number in range(4)]
    said, found = run(table(tmp_path, numbers, wrong=1), archive)
    assert found.answers.names == ("val_0", "val_1", "val_2", "val_3")
    assert any("4 cases are not in the table" in event.message for event in said if isinstance(event, Warning))


def test_names_are_enough_where_paths_differ(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    moved = [(f"/elsewhere/{Path(path).parent.name}/{Path(path).name}", kind) for path, kind in of_folders(data)]
    assert len(run(table(tmp_path, moved, wrong=0), data)[1].answers.names) == 6


def test_folders_of_any_depth_elsewhere(tmp_path: Path) -> None:
    places = ("p1/t1", "p2/study/t1b", "p3/t1c", "p4/t1d")
    kinds = ("a", "b", "a", "b")
    answers = table(tmp_path, [(f"data/{place}", kind) for place, kind in zip(places, kinds, strict=True)], wrong=0)
    rows = [f"new/{place},{kind}" for place, kind in zip(places, kinds, strict=True)]
    (tmp_path / "truth.csv").write_text("path,class\n" + "\n".join(rows))
    assert len(run(answers, tmp_path / "truth.csv")[1].answers.names) == 4


def test_what_has_no_answer_is_told_and_in_no_figure(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    answers = table(tmp_path, of_folders(data), wrong=0)
    lines = answers.read_text().splitlines()
    lines[1] = f"{of_folders(data)[0][0]},,,,not usable: it is damaged"
    answers.write_text("\n".join(lines))
    _, found = run(answers, data)
    assert found.failed == {"tall/0.png": "not usable: it is damaged"}
    assert len(found.answers.names) == 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("p_tall", "p_long"), "class 'tall'"),
        (("p_tall", "tall"), "p_CLASS"),
        (("good", "bad"), ""),
    ],
)
def test_tables_that_do_not_belong_together(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    data = write_folders(tmp_path / "data", 3)
    answers = table(tmp_path, of_folders(data))
    answers.write_text(answers.read_text().replace(*change))
    if not said:
        assert run(answers, data)[1].mean["accuracy"] == 0.5
        return
    with pytest.raises(InputError, match=said):
        run(answers, data)


def test_answers_beside_the_images_and_paths_written_otherwise(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    (tmp_path / "truth").mkdir()
    cases = of_folders(data)
    lines = [f"../data/{kind}/{Path(path).name},{kind}" for path, kind in cases]
    (tmp_path / "truth/truth.csv").write_text("\n".join(["path,class", *lines]))
    answers = table(data, [(f"{path}", kind) for path, kind in cases], wrong=0)
    assert len(run(answers, tmp_path / "truth/truth.csv")[1].answers.names) == 6
    assert len(run(answers, data)[1].answers.names) == 6


def test_umlauts_of_any_system(tmp_path: Path) -> None:
    names = [unicodedata.normalize("NFD", "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller"), "Schmidt"]
    answers = table(tmp_path, [(f"{name}.nii.gz", kind) for name, kind in zip(names, "ab", strict=True)], wrong=0)
    lines = [f"{unicodedata.normalize('NFC', name)}.nii.gz,{kind}" for name, kind in zip(names, "ab", strict=True)]
    (tmp_path / "truth.csv").write_text("\n".join(["path,class", *lines]), encoding="utf-8")
    assert len(run(answers, tmp_path / "truth.csv")[1].answers.names) == 2


def test_an_image_that_was_classified_twice(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    answers = table(tmp_path, of_folders(data), wrong=0)
    lines = answers.read_text().splitlines()
    answers.write_text("\n".join([*lines, lines[1]]))
    assert len(run(answers, data)[1].answers.names) == 6
    answers.write_text("\n".join([*lines, lines[1].replace("good", "dark")]))
    with pytest.raises(InputError, match=r"0\.png in line 8 once more, with another answer"):
        run(answers, data)
    answers.write_text("\n\n".join([*lines, lines[1].replace("good", "dark")]))
    with pytest.raises(InputError, match=r"0\.png in line 15 once more"):
        run(answers, data)


def test_truth_of_one_class(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 4)
    found = run(table(tmp_path, of_folders(data), wrong=1), _of_class(data, "tall"))[1]
    assert found.mean["accuracy"] == 0.75
    assert found.mean["auc"] is None


def _of_class(data: Path, kind: str) -> Path:
    lines = [f"{path},{of}" for path, of in of_folders(data) if of == kind]
    (data.parent / "truth.csv").write_text("\n".join(["path,class", *lines]))
    return data.parent / "truth.csv"


def test_answers_to_what_was_learnt_from_are_told(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 2, ("train", "val"))
    said, _ = run(table(tmp_path, of_folders(data), wrong=0), data)
    assert any("4 of the 8 answers are to cases of the training split" in str(event) for event in said)


def test_answers_to_nothing_but_what_was_learnt_from_are_told(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    rows = [f"{path},{kind},train" for path, kind in of_folders(data)]
    (tmp_path / "truth.csv").write_text("\n".join(["path,class,split", *rows]))
    said, _ = run(table(tmp_path, of_folders(data), wrong=0), tmp_path / "truth.csv")
    assert any(isinstance(event, Warning) and "6 of the 6" in event.message for event in said)


def test_no_range_where_chance_cannot_be_told(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    assert run(table(tmp_path, of_folders(data), wrong=0), data)[1].intervals["accuracy"] is None
    lines = [f"{path},{kind},one" for path, kind in of_folders(data)]
    (tmp_path / "truth.csv").write_text("\n".join(["path,class,patient", *lines]))
    found = run(table(tmp_path, of_folders(data), wrong=2), tmp_path / "truth.csv")[1]
    assert found.mean["accuracy"] == pytest.approx(4 / 6)
    assert found.intervals["accuracy"] is None


def test_any_name_of_a_class_can_be_drawn(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    names = {"tall": "$x_$", "wide": "_hidden"}
    lines = [f"{path},{names[kind]}" for path, kind in of_folders(data)]
    (tmp_path / "truth.csv").write_text("\n".join(["path,class", *lines]))
    answers = table(tmp_path, [(path, names[kind]) for path, kind in of_folders(data)])
    run(answers, tmp_path / "truth.csv", report=tmp_path / "report")
    page = (tmp_path / "report/report.html").read_text(encoding="utf-8")
    assert "$x_$" in page
    assert "_hidden: AUC" in page or "$x_$: AUC" in page


def test_other_images(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "data", 3)
    with pytest.raises(InputError, match="same images"):
        run(table(tmp_path, [("/x/one.png", "tall"), ("/x/two.png", "wide")]), data)


def test_what_a_table_of_answers_is(tmp_path: Path) -> None:
    assert is_class_table(table(tmp_path, [("a", "x"), ("b", "y")]))
    (tmp_path / "other.csv").write_text("path,class\na,b")
    assert not is_class_table(tmp_path / "other.csv")
    assert not is_class_table(tmp_path)
