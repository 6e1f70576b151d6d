"""Training a classifier from the images of a window: real window, real job, tiny pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import napari
import pytest
import torch
from pytestqt.qtbot import QtBot

from napari_resmed.errors import InputError
from napari_resmed.models.catalogue import list_models
from napari_resmed.nets import build_network
from napari_resmed.train.own_trainings import is_unfinished
from napari_resmed.viewer.parts.running_job import training_engine
from napari_resmed.viewer.parts.shown_volume import Origin
from napari_resmed.viewer.train.class_source import ClassSource
from napari_resmed.viewer.train.train_widget import TrainWidget
from napari_resmed.viewer.train.weights_elsewhere import Weights
from tests.train.classify.small import QUICK, network, picture, write_folders
from tests.viewer.train.test_patients import origin


@pytest.fixture(autouse=True, scope="module")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place for models, one for all tests here: the worker that is started first keeps it."""
    folder = tmp_path_factory.mktemp("own-models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESMED_MODELS", str(folder))
        yield folder
        training_engine().close()
        training_engine.cache_clear()


@pytest.fixture
def train(viewer: napari.Viewer) -> Iterator[TrainWidget]:
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
    assert isinstance(widget, TrainWidget)
    widget.task_choice.setCurrentIndex(1)
    yield widget
    widget.cancel()


def type_classes(viewer: napari.Viewer, train: TrainWidget, count: int = 8) -> ClassSource:
    for number in range(count):
        viewer.add_image(picture(number % 2, number), name=f"picture {number}")
    source = train.source
    assert isinstance(source, ClassSource)
    for row, entry in enumerate(source.rows.rows):
        kind = int(entry.image.name.split()[-1]) % 2
        source.rows.item(row, 1).setText(("wide", "Tall")[kind])
    return source


def quick(train: TrainWidget, **changes: object) -> None:
    train.more.plan.changes = {**QUICK, "arguments": network(), "batch": 2, **changes}


class TestTyping:
    def test_what_is_missing_is_said_before_the_click(self, viewer: napari.Viewer, train: TrainWidget) -> None:
        source = train.source
        assert "Open the images" in source.advice.text()
        for number in range(3):
            viewer.add_image(picture(0, number), name=f"picture {number}")
        assert "Type a class" in source.advice.text()
        assert not train.train_button.isEnabled()
        source.rows.item(0, 1).setText("wide")
        assert "two classes are needed" in source.advice.text()
        # However it is written, one class is one class.
        source.rows.item(1, 1).setText(" WIDE ")
        assert source.rows.item(1, 1).text() == "wide"
        source.rows.item(2, 1).setText("tall")
        assert "“tall” needs images of two patients" in source.advice.text()
        assert train.options.name == "tall-or-wide"
        train.train_button.click()
        assert not train.is_running

    def test_what_was_typed_stays_with_its_layer(self, viewer: napari.Viewer, train: TrainWidget) -> None:
        source = type_classes(viewer, train, 3)
        del viewer.layers["picture 1"]
        assert [(row.image.name, row.class_name) for row in source.rows.rows] == [
            ("picture 0", "wide"),
            ("picture 2", "wide"),
        ]
        train.task_choice.setCurrentIndex(0)
        assert not source.isVisible()
        train.task_choice.setCurrentIndex(1)
        assert source.rows.item(0, 1).text() == "wide"

    def test_patients_are_found_in_the_files(self, viewer: napari.Viewer, train: TrainWidget, qtbot: QtBot) -> None:
        for number, file in enumerate(("one.png", "one.png", "two.png")):
            origin = {"resmed": {"origin": Origin(path=Path(file))}}
            viewer.add_image(picture(0, number), name=f"picture {number}", metadata=origin)
        rows = train.source.rows
        qtbot.waitUntil(lambda: [row.patient for row in rows.rows] == ["patient 1", "patient 1", ""])
        assert [rows.item(number, 2).text() for number in range(3)] == ["patient 1", "patient 1", ""]
        for number in range(3):
            rows.item(number, 1).setText("wide")
        rows.item(1, 2).setText("")  # nobody knows, whatever the file says
        rows.item(2, 2).setText("me")
        assert [case["group"] for case in train.source.collect()()] == ["patient 1", "", "me"]
        rows.item(1, 2).setText("patient 1")
        rows.item(0, 1).setText("")
        assert [case["group"] for case in train.source.collect()()] == ["patient 1", "me"]

    def test_images_of_several_modalities_are_one_case_of_their_patient(
        self, viewer: napari.Viewer, train: TrainWidget
    ) -> None:
        source = type_classes(viewer, train, 8)
        rows, numbers = source.rows, [int(row.image.name.split()[-1]) for row in source.rows.rows]
        for row, number in enumerate(numbers):
            rows.item(row, 2).setText(f"p{number % 2}{number // 4}")
        assert (source.trouble(), source.channels) == ("", 1)
        assert len(source.collect()()) == 8
        rows.item(numbers.index(0), 3).setText("T1")
        assert "has no modality; type one for each image" in source.advice.text()
        for row, number in enumerate(numbers):
            if number:
                rows.item(row, 3).setText(" t1" if number % 4 < 2 else "FLAIR")
        assert (source.trouble(), source.channels) == ("", 2)
        assert source.advice.text() == "4 Tall, 4 wide: 4 FLAIR, 4 T1; 4 of 4 patients have all"
        rows.item(numbers.index(7), 1).setText("")  # of the last patient one modality is not there
        assert source.advice.text().endswith("3 of 4 patients have all")
        cases = {case["group"]: case for case in source.collect()()}
        assert sorted(cases) == ["p00", "p01", "p10", "p11"]
        assert sorted(zip(cases["p00"]["modalities"], [one.name for one in cases["p00"]["images"]], strict=True)) == [
            ("FLAIR", "picture 2"),
            ("T1", "picture 0"),
        ]
        assert cases["p11"]["modalities"] == ["T1"]
        rows.item(numbers.index(2), 1).setText("Tall")
        assert "p00 is “Tall” in one image and “wide” in another" in source.advice.text()
        rows.item(numbers.index(2), 1).setText("wide")
        rows.item(numbers.index(2), 3).setText("T1")
        assert "p00 has two images “T1”" in source.advice.text()
        with pytest.raises(InputError, match="p00 has two images “T1”"):
            source.collect()()

    def test_whose_modalities_they_are_is_found_in_dicom_files(
        self, viewer: napari.Viewer, train: TrainWidget, qtbot: QtBot, tmp_path: Path
    ) -> None:
        # Each modality of a patient is a study of its own; only the number of the patient is the same.
        known = [(patient, modality) for patient in ("A1", "B2", "C3", "D4") for modality in ("T1", "FLAIR")]
        for number, (patient, modality) in enumerate(known):
            found = origin(tmp_path / f"{number}", f"1.2.{number}", patient)
            viewer.add_image(
                picture(number // 2 % 2, number), name=f"{modality} {patient}", metadata={"resmed": {"origin": found}}
            )
        source = train.source
        assert isinstance(source, ClassSource)
        rows = source.rows
        qtbot.waitUntil(lambda: all(row.patient for row in rows.rows))
        for row, entry in enumerate(rows.rows):
            modality, patient = entry.image.name.split()
            rows.item(row, 1).setText("wide" if patient in ("A1", "C3") else "tall")
            rows.item(row, 3).setText(modality)
        assert source.advice.text() == "4 tall, 4 wide: 4 FLAIR, 4 T1; 4 of 4 patients have all"
        made = [(case["group"], sorted(image.name for image in case["images"])) for case in source.collect()()]
        assert sorted(made) == [
            (f"patient {number}", [f"FLAIR {patient}", f"T1 {patient}"])
            for number, patient in enumerate(("A1", "B2", "C3", "D4"), 1)
        ]

    def test_a_modality_is_one_however_and_whenever_it_is_typed(
        self, viewer: napari.Viewer, train: TrainWidget
    ) -> None:
        for number in range(2):
            viewer.add_image(picture(0, number), name=f"picture {number}")
        rows = train.source.rows
        rows.item(0, 3).setText("T1")  # before there is a class
        rows.item(1, 3).setText("t1")
        assert rows.item(1, 3).text() == "T1"
        assert rows.modalities == []
        rows.item(0, 1).setText("wide")
        assert rows.modalities == ["T1"]

    def test_images_of_two_modalities_and_nobodys_are_no_pairs(self, viewer: napari.Viewer, train: TrainWidget) -> None:
        source = type_classes(viewer, train, 8)
        for row in range(8):
            source.rows.item(row, 3).setText(("T1", "FLAIR")[row // 4])
        assert source.advice.text() == "No patient has images of two modalities; type whose each image is."

    def test_a_folder_per_class(self, train: TrainWidget, qtbot: QtBot, tmp_path: Path) -> None:
        train.set_data(str(write_folders(tmp_path / "shapes", 3)))
        qtbot.waitUntil(lambda: train.source.dataset is not None)
        assert "3 tall, 3 wide" in train.source.disk.line.text()
        assert train.options.name == "shapes"


class TestWhatOnlyClassesHave:
    def test_weights_from_elsewhere_never_fetched_unsaid_a_search_and_a_fold(self, train: TrainWidget) -> None:
        options, more = train.options, train.more
        (action,) = [one for one in options.weights_button.fetched.actions() if one.text().startswith("resnet18 ")]
        action.trigger()
        assert options.start == {"base": "monai:resnet18", "download": True}
        assert "from the internet" in options.base_note.text()
        options.read_models()
        assert options.begins_with == "MONAI's resnet18"
        assert (more.parameters["search"], more.parameters["fold"]) == (None, None)
        more.of_classes.search.setValue(3)
        more.of_classes.fold_choice.setCurrentIndex(2)
        assert (more.parameters["search"], more.parameters["fold"]) == (3.0, (1, 5))
        train.task_choice.setCurrentIndex(0)
        assert options.start == {"base": ""}
        assert not options.weights_button.isVisible()
        assert not {"search", "fold"} & set(more.parameters)


class TestTraining:
    def test_cancelled_and_resumed_it_makes_a_model(
        self, viewer: napari.Viewer, train: TrainWidget, qtbot: QtBot, tmp_path: Path
    ) -> None:
        source = type_classes(viewer, train)
        source.rows.item(0, 2).setText("p1")
        train.options.name_edit.setText("shapes")
        quick(train, steps=5000, check_every=5)
        torch.save(build_network("ImageClassifier", network()).state_dict(), tmp_path / "theirs.pth")
        train.options.take_weights(Weights(str(tmp_path / "theirs.pth"), "theirs.pth"))
        assert "theirs.pth" in train.options.base_note.text()
        train.train_button.click()
        assert train.is_running, train.view.status.text()
        qtbot.waitUntil(lambda: train.view.stop_button.isEnabled() or not train.is_running)
        assert train.is_running, train.view.status.text()
        assert "starts from theirs.pth: " in train.view.notes.text()
        assert set(train.view.curves.measured.dice) <= {"Tall", "wide"}
        assert train.view.curves.measured.mean
        train.view.cancel_button.click()
        qtbot.waitUntil(lambda: not train.is_running)
        assert is_unfinished("shapes")
        viewer.layers.clear()
        train.unfinished.resume_button.click()
        qtbot.waitUntil(lambda: train.view.stop_button.isEnabled() or not train.is_running)
        train.view.stop_button.click()
        qtbot.waitUntil(lambda: not train.is_running)
        assert train.result is not None, train.view.status.text()
        assert "Classify dock" in train.view.status.text()
        (model,) = [model for model in list_models("classification")[0] if model.name == "shapes"]
        assert model.classes == ("Tall", "wide")
        assert train.view.dice.table.horizontalHeaderItem(0).text() == "Class"
        assert [train.view.dice.table.item(row, 0).text() for row in range(2)] == ["Tall", "wide"]
