"""The Classify dock, in a real window with a real worker; the networks have random weights."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
import torch
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_resmed.models.catalogue import find_model
from napari_resmed.models.save import save_model
from napari_resmed.nets import build_network
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.train.classify.plan import ClassPlan
from napari_resmed.viewer.classify.channel_choices import ChannelChoices
from napari_resmed.viewer.classify.classify_widget import ClassifyWidget
from napari_resmed.viewer.classify.judgement import truth_within
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.train.classify.small import network, picture, write_folders

Messages = list[tuple[str, str]]

TURNED = make_affine((2, 0, 1), (-1, 1, -1), spacing_mm=(2, 1, 1.5))


def save(
    folder: Path, name: str, dims: int, channels: tuple[str, ...] = ("MR",), kind: str = "ImageClassifier"
) -> None:
    plan = ClassPlan(
        name=name, classes=("well", "ill"), channels=channels, network=kind,
        arguments=network(dims, in_channels=len(channels), dropout=0.0),
        preparation=Preparation((1.0, 1.0, 1.0), orientation=STORED if dims == 2 else Preparation.orientation),
        patch=(1, 16, 16) if dims == 2 else (16, 16, 16), fit="whole", batch=2, training=("x",), held_out=("y",),
        steps=1,
    )  # fmt: skip
    torch.manual_seed(0)
    weights = build_network(kind, plan.arguments).state_dict()
    weights["head.weight"].abs_()  # so that some place speaks for every class
    made = plan.model(temperature=1.5, training={"quality": {"overexposed": (-0.1, 0.5)}})
    save_model(made, weights, folder / name, card="", licence="")


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifiers")
    save(folder, "a-flat", 2)
    save(folder, "b-deep", 3)
    save(folder, "c-both", 3, ("T1", "FLAIR"), "BranchClassifier")
    return folder


@pytest.fixture
def classify(viewer: napari.Viewer, classifiers: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClassifyWidget]:
    """The dock, opened as the menu opens it."""
    monkeypatch.setenv("RESMED_MODELS", str(classifiers))
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Classify")
    assert isinstance(widget, ClassifyWidget)
    yield widget
    widget.cancel()


def finish(qtbot: QtBot, widget: ClassifyWidget) -> dict[str, Any]:
    assert widget.is_running
    qtbot.waitUntil(lambda: not widget.is_running)
    assert widget.result is not None, widget.status.text()
    return widget.result


def scan(name: str = "scan") -> Volume:
    return Volume(picture(0, 1, (16, 8, 16)), TURNED, "zyx", "MR", name)


class TestClick:
    def test_a_volume(
        self,
        classify: ClassifyWidget,
        show: Callable[[Volume], Image],
        viewer: napari.Viewer,
        qtbot: QtBot,
        tmp_path: Path,
    ) -> None:
        image = show(scan())
        before = np.array(image.data)
        classify.models.choice.setCurrentText("b-deep")
        assert classify.models.note.text() == "MR: well, ill"
        assert not classify.options.mirrored.isEnabled()  # it knows no mirrored images
        classify.start_button.click()
        said = finish(qtbot, classify)
        rows = classify.answer.table.rows()
        assert [name for name, _ in rows] == sorted(
            said["probabilities"], key=lambda name: -said["probabilities"][name]
        )
        assert rows[0][1] == f"{100 * max(said['probabilities'].values()):.1f} %"
        assert classify.answer.badge.label.text() == "✓ Looks like the training images"
        # The heat lies on the image, which is as it was and still chosen.
        heat = classify.heat
        assert heat in viewer.layers
        assert heat.data.shape == image.data.shape
        np.testing.assert_allclose(heat.scale, image.scale)
        np.testing.assert_allclose(heat.translate, image.translate)
        np.testing.assert_array_equal(image.data, before)
        assert classify.channels.layers == [image]
        # Go there.
        axis, index = classify.answer.strongest or (9, 9)
        others = tuple(other for other in range(3) if other != axis)
        line = heat.data.sum(others)
        assert line[index] == pytest.approx(line.max(), rel=1e-4)
        viewer.dims.set_current_step(axis, (index + 3) % heat.data.shape[axis])
        classify.answer.slice_button.click()
        assert viewer.dims.current_step[axis] == index
        # The other class, at another layer.
        qtbot.waitUntil(lambda: classify.options.layer_choice.count() == 4)
        assert [classify.options.layer_choice.itemText(k) for k in (0, 1)] == ["several together", "layer3 (4×4×4)"]
        classify.options.layer_choice.setCurrentIndex(2)
        classify.answer.table.setCurrentCell(1, 0)
        classify.answer.why_button.click()
        finish(qtbot, classify)
        assert classify.heat.name == f"scan {rows[1][0]} LayerCAM"
        assert len([layer for layer in viewer.layers if "LayerCAM" in layer.name]) == 2
        # The same again takes the place of the former.
        classify.answer.why_button.click()
        finish(qtbot, classify)
        assert len([layer for layer in viewer.layers if "LayerCAM" in layer.name]) == 2
        made_by = classify.heat.metadata["resmed"]["meta"]["made_by"]
        assert made_by["parameters"] == {"method": "layer-cam", "layer": "layer2"}
        classify.answer.save(tmp_path / "answers.csv")
        with (tmp_path / "answers.csv").open(newline="") as file:
            assert [row["path"] for row in csv.DictReader(file)] == ["scan"]

    def test_a_picture_from_anywhere(self, classify: ClassifyWidget, viewer: napari.Viewer, qtbot: QtBot) -> None:
        image = viewer.add_image(np.full((16, 16), 250, np.uint8), name="picture")
        image.data[:4] = picture(0, 1)[:4]
        classify.models.choice.setCurrentText("a-flat")
        classify.options.method_choice.setCurrentIndex(3)
        classify.start_button.click()
        finish(qtbot, classify)
        assert classify.heat.data.shape == (16, 16)
        assert classify.heat.name.endswith("occlusion")
        assert classify.answer.badge.label.text() == "! Unusual: overexposed or clipped"
        (kept,) = classify.heat.metadata["resmed"]["meta"]["made_by"]["warnings"]
        assert kept.endswith("a-flat was trained on: overexposed or clipped")
        assert not classify.answer.slice_button.isVisible()

    def test_what_cannot_be_used_is_said(
        self,
        classify: ClassifyWidget,
        show: Callable[[Volume], Image],
        viewer: napari.Viewer,
        qtbot: QtBot,
        messages: Messages,
    ) -> None:
        viewer.add_image(np.zeros((16, 16), np.uint8), name="empty")
        classify.models.choice.setCurrentText("a-flat")
        classify.start_button.click()
        qtbot.waitUntil(lambda: not classify.is_running)
        assert "not usable" in messages[-1][1]
        assert classify.result is None
        # A volume is no picture.
        show(scan())
        classify.start_button.click()
        qtbot.waitUntil(lambda: not classify.is_running)
        assert "it has 16 slices, expected a single one" in messages[-1][1]
        assert classify.result is None

    def test_a_modality_that_is_missing(
        self, classify: ClassifyWidget, show: Callable[[Volume], Image], qtbot: QtBot
    ) -> None:
        flair = show(scan("my FLAIR"))
        show(scan("unnamed"))
        classify.models.choice.setCurrentText("c-both")
        assert classify.channels.names == ("T1", "FLAIR")
        assert classify.channels.layers == [None, flair]
        classify.start_button.click()
        said = finish(qtbot, classify)
        assert said["counted"] == {"T1": 0, "FLAIR": 1}
        assert classify.answer.counted.text() == "Counted: FLAIR 100%, T1 0%"
        assert classify.heat.name.startswith("my FLAIR ")
        # That it is not there was a person's choice, and stays.
        (t1, _) = classify.channels.choices
        show(scan("my T1"))
        assert t1.currentText() == "my T1"
        t1.setCurrentIndex(0)
        t1.activated.emit(0)
        show(scan("another T1"))
        assert classify.channels.layers == [None, flair]
        # Another model has not answered yet.
        assert classify.answer.isVisible()
        classify.models.choice.setCurrentText("b-deep")
        assert not classify.answer.isVisible()
        assert len(classify.channels.layers) == 1
        assert classify.channels.layers[0] is not None

    @pytest.mark.parametrize(
        "names", [("P1_T1c", "P1_T1", "P1_T2-FLAIR", "P1_T2"), ("P1_T2", "P1_T2-FLAIR", "P1_T1", "P1_T1c")]
    )
    def test_layers_called_alike(
        self, names: tuple[str, ...], show: Callable[[Volume], Image], viewer: napari.Viewer, qtbot: QtBot
    ) -> None:
        choices = ChannelChoices(viewer)
        qtbot.addWidget(choices)
        choices.show_channels(("T1", "T1c", "T2", "T2-FLAIR"))
        for name in names:
            show(scan(name))
        found = {name: layer.name for name, layer in zip(choices.names, choices.layers, strict=True)}
        assert found == {"T1": "P1_T1", "T1c": "P1_T1c", "T2": "P1_T2", "T2-FLAIR": "P1_T2-FLAIR"}
        choices.let_go()

    def test_answers_to_layers_of_one_name_are_all_saved(
        self, classify: ClassifyWidget, show: Callable[[Volume], Image], qtbot: QtBot, tmp_path: Path
    ) -> None:
        model = find_model("c-both")
        said: dict[str, Any] = {"path": "T1", "predicted": "ill", "quality": "good", "counted": {}, "explained": "ill"}
        first, second = show(scan("T1")), show(scan("T1"))
        view = classify.answer
        for layer, share in ((first, 0.6), (second, 1 - 1e-9), (first, 0.7)):
            view.show_answer({**said, "probabilities": {"well": 1 - share, "ill": share}}, None, model, [layer, None])
        view.save(tmp_path / "answers.csv")
        with (tmp_path / "answers.csv").open() as file:
            assert [float(row["p_ill"]) for row in csv.DictReader(file)] == [0.7, 1 - 1e-9]
        # Trained anew under its name, it is another model.
        anew = replace(model, classes=("well", "ill", "unsure"), arguments={**model.arguments, "out_channels": 3})
        shares = {"well": 0.1, "ill": 0.6, "unsure": 0.3}
        view.show_answer({**said, "probabilities": shares}, None, anew, [second, None])
        view.save(tmp_path / "answers.csv")
        with (tmp_path / "answers.csv").open() as file:
            assert [row["p_unsure"] for row in csv.DictReader(file)] == ["0.3"]

    def test_why_is_asked_of_the_image_that_was_answered(
        self,
        classify: ClassifyWidget,
        show: Callable[[Volume], Image],
        viewer: napari.Viewer,
        qtbot: QtBot,
        messages: Messages,
    ) -> None:
        first, second = show(scan("first")), show(scan("second"))
        classify.models.choice.setCurrentText("b-deep")
        viewer.layers.selection.active = first
        classify.start_button.click()
        said = finish(qtbot, classify)
        viewer.layers.selection.active = second
        assert classify.channels.layers == [second]
        classify.answer.why_button.click()
        assert finish(qtbot, classify)["path"] == "first"
        assert classify.heat.name == f"first {said['predicted']} LayerCAM"
        viewer.layers.remove(first)
        classify.answer.why_button.click()
        assert not classify.is_running
        assert messages[-1][1].startswith("first was removed, so it cannot be asked why")
        assert classify.status.text() == messages[-1][1]


class TestFolder:
    def test_into_a_table(self, classify: ClassifyWidget, qtbot: QtBot, tmp_path: Path) -> None:
        data = write_folders(tmp_path / "data", 2)
        (data / "wide" / "broken.png").write_bytes(b"nothing")
        classify.models.choice.setCurrentText("a-flat")
        assert not classify.start_button.isEnabled()
        assert classify.folder_button.isEnabled()
        classify.options.folder_maps.setChecked(True)
        classify.classify_folder(data, tmp_path / "answers.csv")
        qtbot.waitUntil(lambda: not classify.is_running)
        assert "Classified 4 images" in classify.status.text()
        assert "1 could not be used" in classify.status.text()
        assert classify.status.toolTip().startswith("broken.png: not usable")
        with (tmp_path / "answers.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["path", "predicted", "p_well", "p_ill", "quality"]
        assert len(rows) == 5
        maps = sorted((tmp_path / "answers_heat").glob("*.nii.gz"))
        notes = sorted((tmp_path / "answers_heat").glob("*.resmed.json"))
        assert len(maps) == 4
        assert [f"{path.name}.resmed.json" for path in maps] == [path.name for path in notes]
        # Compared with what they are: one of them is the other.
        assert classify.judgement.isVisible()
        said = {row["path"]: row["predicted"] for row in rows if row["predicted"]}
        usual = max(said.values(), key=list(said.values()).count)
        wrong = next(path for path, kind in said.items() if kind == usual)
        truth = said | {wrong: "ill" if usual == "well" else "well"}
        lines = ["path,class", *(f"{path},{kind}" for path, kind in truth.items())]
        (tmp_path / "truth.csv").write_text("\n".join(lines))
        classify.judge(str(tmp_path / "truth.csv"))
        qtbot.waitUntil(lambda: not classify.is_running)
        assert "accuracy <b>0.750</b>" in classify.judgement.line.text(), classify.status.text()
        assert "only" in classify.status.text()  # so few cases of a class say little
        assert (tmp_path / "answers_report/report.html").is_file()
        confusion = classify.judgement.confusion
        counts = [[int(confusion.item(row, column).text()) for column in (0, 1)] for row in (0, 1)]
        assert np.sum(counts) == 4
        assert np.trace(counts) == 3
        assert classify.judgement.figures.horizontalHeaderItem(3).text() == "F1"
        classify.models.choice.setCurrentText("b-deep")
        assert not classify.judgement.isVisible()

    def test_folders_called_like_classes_are_the_truth(self, tmp_path: Path) -> None:
        assert not truth_within(write_folders(tmp_path / "a", 1), ("well", "ill"))
        assert truth_within(tmp_path / "a", ("tall", "wide"))
        assert truth_within(write_folders(tmp_path / "b", 1, ("train", "test")), ("tall", "wide"))

    def test_an_empty_one(self, classify: ClassifyWidget, qtbot: QtBot, tmp_path: Path, messages: Messages) -> None:
        (tmp_path / "empty").mkdir()
        classify.classify_folder(tmp_path / "empty", tmp_path / "answers.csv")
        qtbot.waitUntil(lambda: not classify.is_running)
        assert "holds no image" in messages[-1][1]
        assert not (tmp_path / "answers.csv").exists()


class TestChoice:
    def test_without_a_model(self, viewer: napari.Viewer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("RESMED_MODELS", str(tmp_path))
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Classify")
        viewer.add_image(np.zeros((16, 16)))
        assert "Train one in the Train dock" in widget.models.note.text()
        assert not widget.start_button.isEnabled()
        assert not widget.folder_button.isEnabled()
