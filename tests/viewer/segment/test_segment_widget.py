"""The click, in a real window with a real worker and the built-in model."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_resmed.io import read
from napari_resmed.models.catalogue import find_model
from napari_resmed.viewer.layers import KEY, layer_to_volume
from napari_resmed.viewer.parts.running_job import shared_engine
from napari_resmed.viewer.segment.segment_widget import SegmentWidget
from napari_resmed.volume import Volume
from tests.small_models import describe, random_weights, save

Show = Callable[[Volume], napari.layers.Layer]
Messages = list[tuple[str, str]]


A_CLICK = """
import sys, time, napari
import numpy as np
from qtpy.QtCore import QCoreApplication
viewer = napari.Viewer(show=True)
viewer.add_image(np.random.default_rng(0).random((48, 48, 48)))
_, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
widget.start_button.click()
while widget.is_running:
    QCoreApplication.processEvents()
    time.sleep(0.01)
print("made", widget.result.metadata["resmed"]["meta"]["made_by"]["model"])
print(sorted({"torch", "monai"} & set(sys.modules)))
viewer.close()
"""


def choose(widget: SegmentWidget, name: str) -> None:
    """As a person does in the list."""
    index = widget.model_choice.findText(name)
    widget.model_choice.setCurrentIndex(index)
    widget.model_choice.activated.emit(index)


def click_and_wait(qtbot: QtBot, widget: SegmentWidget) -> None:
    widget.start_button.click()
    assert widget.is_running
    qtbot.waitUntil(lambda: not widget.is_running)


def start_long_job(qtbot: QtBot, widget: SegmentWidget) -> None:
    """A job of some hundred windows, caught in the middle."""
    widget.options.overlap.setValue(0.9)
    widget.start_button.click()
    qtbot.waitUntil(lambda: widget.status.text().startswith("Segmenting,"))


class TestClick:
    def test_result_is_named_measured_and_in_place(
        self, viewer: napari.Viewer, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot
    ) -> None:
        image = show(small)
        before = image.data.copy()
        click_and_wait(qtbot, segment)
        labels = segment.result
        assert labels in viewer.layers
        assert isinstance(labels, napari.layers.Labels)
        assert labels.data.shape == image.data.shape
        np.testing.assert_allclose(labels.scale, image.scale)
        np.testing.assert_allclose(labels.translate, image.translate)
        assert labels.units == image.units
        assert np.array_equal(image.data, before)
        # This piece of a real brain holds deep grey matter: names, colours and volumes must be there.
        names = dict(zip(labels.features["index"], labels.features["structure"], strict=True))
        assert names[7] == "left thalamus"
        assert (labels.data == 7).any()
        np.testing.assert_allclose(labels.colormap.color_dict[7], np.array([153, 51, 68, 255]) / 255, atol=1e-6)
        rows = {segment.table.table.item(r, 0).text(): r for r in range(segment.table.table.rowCount())}
        shown = float(segment.table.table.item(rows["left thalamus"], 1).text())
        assert shown == pytest.approx((labels.data == 7).sum() / 1000, abs=0.006)
        made_by = labels.metadata[KEY]["meta"]["made_by"]
        assert made_by["model"] == "brain-mr"
        assert made_by["parameters"]["overlap"] == find_model("brain-mr").overlap
        assert "quick_look_mm" not in made_by["parameters"]

    def test_a_quick_look_is_coarser_and_says_so(
        self, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot
    ) -> None:
        image = show(small)
        assert segment.quick.isVisibleTo(segment)
        assert segment.quick.text() == "&Quick look at 2 mm"
        segment.quick.setChecked(True)
        click_and_wait(qtbot, segment)
        assert segment.result.data.shape == image.data.shape
        assert segment.result.metadata[KEY]["meta"]["made_by"]["parameters"]["quick_look_mm"] == 2.0

    def test_a_model_without_a_quick_look_offers_none(
        self,
        segment: SegmentWidget,
        show: Show,
        small: Volume,
        qtbot: QtBot,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        save(describe("plain"), tmp_path)
        monkeypatch.setenv("RESMED_MODELS", str(tmp_path))
        segment._fill_models()
        segment.quick.setChecked(True)
        choose(segment, "plain")
        assert not segment.quick.isVisibleTo(segment)
        show(small)
        click_and_wait(qtbot, segment)  # the tick was of the other model
        assert "quick_look_mm" not in segment.result.metadata[KEY]["meta"]["made_by"]["parameters"]

    def test_the_model_is_one_for_such_images_until_a_person_chooses(
        self, viewer: napari.Viewer, segment: SegmentWidget, show: Show, small: Volume
    ) -> None:
        show(dataclasses.replace(small, modality="CT"))
        assert segment.model_choice.currentText() == "head-neck-ct"
        assert segment.model_note.text() == "CT, 7 structures at 3 × 3.5 × 3.5 mm"
        show(small)
        assert segment.model_choice.currentText() == "brain-mr"
        # A file that says nothing, with air as CT has it.
        show(dataclasses.replace(small, modality="", data=small.data - 1000.0))
        assert segment.model_choice.currentText() == "head-neck-ct"
        choose(segment, "hippocampus-mr")
        viewer.layers.clear()
        show(small)
        show(dataclasses.replace(small, modality="CT"))
        assert segment.model_choice.currentText() == "hippocampus-mr"

    def test_the_model_takes_as_many_channels(
        self, segment: SegmentWidget, show: Show, small: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both = {"spatial_dims": 3, "in_channels": 2, "out_channels": 4, "channels": [2, 2], "strides": [1]}
        save(describe("two", channels=("MR", "MR 2"), arguments=both), tmp_path, random_weights(both))
        monkeypatch.setenv("RESMED_MODELS", str(tmp_path))
        segment._fill_models()
        show(small)
        assert segment.model_choice.currentText() == "brain-mr"
        show(small.with_data(np.stack([small.data, small.data]), "czyx"))
        assert segment.model_choice.currentText() == "two"

    def test_a_misfit_is_still_told_beside_the_result(
        self, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot
    ) -> None:
        choose(segment, "brain-mr")
        show(dataclasses.replace(small, modality="CT"))
        click_and_wait(qtbot, segment)
        told = "the image is CT, brain-mr was trained on MR"
        assert told in segment.status.text()
        assert any(told in note for note in segment.result.metadata["resmed"]["meta"]["made_by"]["warnings"])
        show(small)
        click_and_wait(qtbot, segment)
        assert told not in segment.status.text()
        assert not any(told in n for n in segment.result.metadata["resmed"]["meta"]["made_by"].get("warnings", []))

    def test_result_goes_back_to_the_files_own_grid(
        self, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot
    ) -> None:
        show(small)
        click_and_wait(qtbot, segment)
        back = layer_to_volume(
            segment.result.data, {"metadata": segment.result.metadata, **place(segment.result)}, labels=True
        )
        assert back.same_grid(small)
        np.testing.assert_array_equal(back.affine, small.affine)

    def test_result_lies_on_a_layer_that_was_turned_by_hand(
        self, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot
    ) -> None:
        image = show(small)
        image.rotate = (0, 0, 20)
        image.translate = np.array(image.translate) + np.array((0, 0, 8))
        click_and_wait(qtbot, segment)
        for index in ((0, 0, 0), (63, 63, 63), (10, 50, 30)):
            np.testing.assert_allclose(segment.result.data_to_world(index), image.data_to_world(index), atol=1e-6)

    def test_result_lies_on_a_layer_from_elsewhere(
        self, viewer: napari.Viewer, segment: SegmentWidget, small: Volume, qtbot: QtBot
    ) -> None:
        image = viewer.add_image(
            np.asarray(small.data), scale=(1, 1.5, 1), translate=(3, 2, 1), rotate=(10, 0, 5), units="mm"
        )
        click_and_wait(qtbot, segment)
        for index in ((0, 0, 0), (63, 63, 63), (10, 50, 30)):
            np.testing.assert_allclose(segment.result.data_to_world(index), image.data_to_world(index), atol=1e-6)

    def test_renaming_the_image_renames_the_choice(self, segment: SegmentWidget, show: Show, small: Volume) -> None:
        show(small).name = "other"
        assert segment.image_choice.currentText() == "other"

    def test_result_can_be_painted_and_undone(
        self, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot
    ) -> None:
        show(small)
        click_and_wait(qtbot, segment)
        before = segment.result.data.copy()
        segment.result.paint((32, 32, 32), 9)
        assert not np.array_equal(segment.result.data, before)
        segment.result.undo()
        assert np.array_equal(segment.result.data, before)

    def test_worker_stays_warm(self, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot) -> None:
        show(small)
        click_and_wait(qtbot, segment)
        pid = shared_engine().worker_pid
        click_and_wait(qtbot, segment)
        assert shared_engine().worker_pid == pid

    def test_uncertainty_is_a_hidden_image_beside_the_labels(
        self, viewer: napari.Viewer, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot
    ) -> None:
        image = show(small)
        segment.options.uncertainty.setChecked(True)
        segment.options.mirrored.setChecked(True)
        click_and_wait(qtbot, segment)
        unsure = next(layer for layer in viewer.layers if layer.name.endswith("uncertainty"))
        assert unsure.data.shape == image.data.shape
        assert 0 <= unsure.data.min() < unsure.data.max() <= 1
        table = segment.table.table
        assert not table.isColumnHidden(2)
        told = [table.item(row, 2).text() for row in range(table.rowCount())]
        there = [float(table.item(row, 1).text()) > 0 for row in range(table.rowCount())]
        assert any(there)
        assert all(bool(words) for words, some in zip(told, there, strict=True) if some)
        assert all(0 <= float(words.rstrip("%")) <= 100 for words in told if words)
        assert any(float(words.rstrip("%")) > 0 for words in told if words)
        assert [segment.image_choice.itemData(k) for k in range(segment.image_choice.count())] == [image]

    def test_table_saves_and_chooses_labels(
        self, segment: SegmentWidget, show: Show, small: Volume, qtbot: QtBot, tmp_path
    ) -> None:
        show(small)
        click_and_wait(qtbot, segment)
        segment.table.save(tmp_path / "volumes.csv")
        lines = (tmp_path / "volumes.csv").read_text().splitlines()
        assert lines[0] == "value,name,voxels,volume_ml"
        assert segment.table.table.isColumnHidden(2)  # nobody asked how unsure it is
        assert len(lines) == 1 + segment.table.table.rowCount()
        segment.table.table.setCurrentCell(3, 0)
        assert segment.result.selected_label == 4

    def test_dock_fits_a_narrow_column(self, segment: SegmentWidget, show: Show, template: Volume) -> None:
        show(template)
        assert segment.minimumSizeHint().width() <= 320

    def test_torch_never_enters_the_viewer(self) -> None:
        # In a napari of its own: other tests of this process do import torch.
        done = subprocess.run([sys.executable, "-c", A_CLICK], capture_output=True, text=True, timeout=800, check=True)
        # Before them stands what napari prints of the warning that this is no brain.
        assert done.stdout.splitlines()[-2:] == ["made brain-mr", "[]"]


class TestChoice:
    def test_active_image_is_chosen(
        self, viewer: napari.Viewer, segment: SegmentWidget, show: Show, small: Volume
    ) -> None:
        first, second = show(small), show(small)
        viewer.layers.selection.active = first
        assert segment.image_choice.currentData() is first
        viewer.layers.selection.active = second
        assert segment.image_choice.currentData() is second

    def test_without_an_image_there_is_nothing_to_click(self, segment: SegmentWidget) -> None:
        assert not segment.start_button.isEnabled()
        assert "Open an image" in segment.status.text()


class TestWrongInput:
    @pytest.mark.parametrize(
        ("spoil", "expected"),
        [
            (lambda data: np.full_like(data, 7), "the value 7 everywhere"),
            (lambda data: np.where(np.arange(data.size).reshape(data.shape) == 5, np.nan, data), "NaN or infinite"),
            (lambda data: np.where(np.arange(data.size).reshape(data.shape) == 5, np.inf, data), "NaN or infinite"),
            (lambda data: data[:, :1], "is 2D"),
        ],
        ids=["constant", "nan", "infinity", "2D"],
    )
    def test_one_sentence_and_no_layer(
        self,
        viewer: napari.Viewer,
        segment: SegmentWidget,
        show: Show,
        small: Volume,
        messages: Messages,
        qtbot: QtBot,
        spoil: Callable[[np.ndarray], np.ndarray],
        expected: str,
    ) -> None:
        show(small.with_data(spoil(small.data.astype(np.float32))))
        click_and_wait(qtbot, segment)
        assert expected in segment.status.text()
        assert [text for severity, text in messages if severity == "error"] == [segment.status.text()]
        assert len(viewer.layers) == 1

    def test_flat_picture(self, viewer: napari.Viewer, segment: SegmentWidget, messages: Messages, qtbot: QtBot):
        viewer.add_image(np.random.default_rng(0).random((64, 64)))
        click_and_wait(qtbot, segment)
        assert "is 2D" in segment.status.text()

    def test_wrong_channel_count(self, viewer: napari.Viewer, segment: SegmentWidget, qtbot: QtBot) -> None:
        viewer.add_image(np.random.default_rng(0).random((32, 32, 32, 3)), rgb=True)
        click_and_wait(qtbot, segment)
        assert "3 channels" in segment.status.text()

    def test_time_series(self, viewer: napari.Viewer, segment: SegmentWidget, qtbot: QtBot) -> None:
        viewer.add_image(np.random.default_rng(0).random((5, 32, 32, 32)))
        click_and_wait(qtbot, segment)
        assert "5 time points" in segment.status.text()


class TestCancel:
    def test_button_stops_the_job(
        self, viewer: napari.Viewer, segment: SegmentWidget, show: Show, template: Volume, qtbot: QtBot
    ) -> None:
        show(template)
        start_long_job(qtbot, segment)
        segment.progress.cancel_button.click()
        qtbot.waitUntil(lambda: not segment.is_running)
        assert "Cancelled" in segment.status.text()
        assert len(viewer.layers) == 1
        assert segment.start_button.isEnabled()

    def test_removing_the_layer_stops_its_job(
        self,
        viewer: napari.Viewer,
        segment: SegmentWidget,
        show: Show,
        template: Volume,
        messages: Messages,
        qtbot: QtBot,
    ) -> None:
        layer = show(template)
        start_long_job(qtbot, segment)
        viewer.layers.remove(layer)
        qtbot.waitUntil(lambda: not segment.is_running)
        assert any("was removed, so its segmentation was stopped" in text for _, text in messages)
        assert len(viewer.layers) == 0

    def test_killed_worker_is_one_message_and_the_next_click_works(
        self,
        viewer: napari.Viewer,
        segment: SegmentWidget,
        show: Show,
        template: Volume,
        messages: Messages,
        qtbot: QtBot,
    ) -> None:
        show(template)
        start_long_job(qtbot, segment)
        pid = shared_engine().worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        qtbot.waitUntil(lambda: not segment.is_running)
        assert "worker process was killed" in segment.status.text()
        assert len([text for severity, text in messages if severity == "error"]) == 1
        assert len(viewer.layers) == 1
        segment.options.overlap.setValue(0.0)
        click_and_wait(qtbot, segment)
        assert segment.result is not None
        assert shared_engine().worker_pid != pid

    def test_closing_the_window_stops_the_job(
        self, make_napari_viewer: Callable[..., napari.Viewer], template: Volume, qtbot: QtBot
    ) -> None:
        window = make_napari_viewer(show=True)
        _, widget = window.window.add_plugin_dock_widget("napari-resmed", "Segment")
        window.add_image(np.asarray(template.data))
        start_long_job(qtbot, widget)
        job = widget._job
        window.close()
        assert job is not None
        assert job._ticket is not None
        qtbot.waitUntil(job._ticket.done.is_set)

    def test_closing_the_dock_stops_the_job(
        self, viewer: napari.Viewer, show: Show, template: Volume, qtbot: QtBot
    ) -> None:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
        show(template)
        start_long_job(qtbot, widget)
        ticket = widget._job._ticket
        dock.destroyOnClose()
        qtbot.waitUntil(ticket.done.is_set)
        viewer.layers.clear()  # nothing of the closed dock may still listen
        assert len(viewer.layers) == 0


class TestRealFiles:
    def test_oblique_flair_opens_and_is_segmented_in_place(
        self, viewer: napari.Viewer, segment: SegmentWidget, shared_data, qtbot: QtBot
    ) -> None:
        path = shared_data / "brain_mri" / "chris_PD.nii.gz"
        viewer.open(path, plugin="napari-resmed")
        segment.options.overlap.setValue(0.0)
        click_and_wait(qtbot, segment)
        labels = segment.result
        back = layer_to_volume(labels.data, {"metadata": labels.metadata, **place(labels)}, labels=True)
        assert back.same_grid(read(path))


def place(layer: napari.layers.Layer) -> dict[str, object]:
    return {"scale": layer.scale, "translate": layer.translate, "units": layer.units}
