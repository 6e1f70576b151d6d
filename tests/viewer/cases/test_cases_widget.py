"""A folder of images annotated case by case, in a real window with a real worker."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import napari
import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QColor, QDropEvent, QKeySequence, QShortcut

from napari_resmed.io import read, write
from napari_resmed.io.project import (
    NO_LABELS,
    State,
    add,
    create,
    list_cases,
    open_project,
    read_label_set,
    read_labels,
    write_label_set,
    write_labels,
)
from napari_resmed.io.project.lock import LOCK
from napari_resmed.io.project.sources import Source, read_source
from napari_resmed.labels import LabelMap
from napari_resmed.models.found_by import FoundBy
from napari_resmed.review.familiar import Familiar
from napari_resmed.viewer.cases import work_page
from napari_resmed.viewer.cases.cases_widget import CasesWidget
from napari_resmed.viewer.parts.complete_slices import complete_slices, mark
from napari_resmed.viewer.parts.label_meanings import rename
from napari_resmed.viewer.parts.models_changed import models_changed
from napari_resmed.viewer.parts.running_job import shared_engine
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.small_models import BANDS, describe, save

Messages = list[tuple[str, str]]

# x is stored first and upside down, as sagittal scans are: what is painted has to find its way back.
PLACE = make_affine((2, 0, 1), (1, -1, 1), spacing_mm=(2, 1, 1))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four small images of three grey bands each."""
    folder = tmp_path / "bands" / "images"
    folder.mkdir(parents=True)
    for number, name in enumerate(("a", "b", "c", "d")):
        data = np.random.default_rng(number).normal(10, 3 + 2 * number, (16, 18, 20)).astype(np.float32)
        data[4:8] += 35
        data[8:12] += 80
        write(Volume(data, PLACE), folder / f"{name}.nii.gz")
    return folder


@pytest.fixture
def cases(viewer: napari.Viewer, images: Path, qtbot: QtBot) -> Iterator[CasesWidget]:
    """The Cases dock with a project made by it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
    assert isinstance(widget, CasesWidget)
    widget.open_folder(images)
    qtbot.waitUntil(lambda: widget.start.is_asking)
    widget.start.new_project.create_button.click()
    qtbot.waitUntil(lambda: len(widget.cases) == 4)
    yield widget
    widget._predict.cancel()


def open_case(qtbot: QtBot, widget: CasesWidget, name: str) -> napari.layers.Labels:
    widget.open_case(name)
    wait_for(qtbot, widget, name)
    labels: napari.layers.Labels = widget.open_case_now.labels
    return labels


def wait_for(qtbot: QtBot, widget: CasesWidget, name: str) -> None:
    """A case is shown to its last layer."""
    qtbot.waitUntil(
        lambda: not widget.desk.wish and widget.open_case_now is not None and widget.open_case_now.name == name
    )


def press(qtbot: QtBot, widget: CasesWidget, key: Qt.Key) -> None:
    """Press a key until it is heard: other tests' windows are on the same screen, and one alone has the keyboard."""
    heard: list[bool] = []
    (shortcut,) = [one for one in widget.findChildren(QShortcut) if one.key() == QKeySequence(key)]
    shortcut.activated.connect(lambda: heard.append(True))

    def is_heard() -> bool:
        widget.window().activateWindow()
        widget.work.list.setFocus()
        if widget.work.list.hasFocus():
            qtbot.keyClick(widget.work.list, key)
        return bool(heard)

    qtbot.waitUntil(is_heard)


def settle(qtbot: QtBot, widget: CasesWidget) -> None:
    """All that was handed over is written."""
    done: list[bool] = []
    widget._files.run(lambda: None, lambda _: done.append(True))
    qtbot.waitUntil(lambda: bool(done))


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Nothing can be written to a project: its lock cannot be had, for a superuser either."""
    lock = folder / LOCK
    lock.unlink(missing_ok=True)
    lock.mkdir()
    try:
        yield
    finally:
        lock.rmdir()


def states(widget: CasesWidget) -> dict[str, State]:
    return {case.name: case.state for case in list_cases(widget.project)}


class TestProject:
    def test_lies_beside_the_images_and_opens_again_from_them(
        self, cases: CasesWidget, images: Path, qtbot: QtBot
    ) -> None:
        assert cases.project.folder == images.parents[1] / "Dataset501_bands"
        before = cases.project
        cases.open_folder(images)
        qtbot.waitUntil(lambda: cases.project is not before)
        assert cases.project.folder == before.folder
        assert cases.pages.currentWidget() is cases.work

    def test_the_list_shows_every_case_with_picture_and_words(self, cases: CasesWidget, qtbot: QtBot) -> None:
        assert cases.work.list.names == ["a", "b", "c", "d"]
        assert cases.work.list.model().index(0, 0).data() == "a, not started"
        assert cases.work.count_buttons[State.NOT_STARTED].text() == "4 not started"
        pictures = cases.work.list.model().pictures
        # A picture is made when its row is drawn; how many rows are in sight hangs on the window.
        qtbot.waitUntil(lambda: "a" in pictures)
        image = pictures["a"].toImage()
        greys = {QColor(image.pixel(48, y)).lightness() // 20 for y in range(image.height())}
        assert len(greys) > 3

    def test_a_folder_dropped_on_the_dock(self, viewer: napari.Viewer, images: Path, qtbot: QtBot) -> None:
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(images))])
        drop = QDropEvent(
            QPointF(9, 9),
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        widget.dropEvent(drop)
        assert drop.isAccepted()
        qtbot.waitUntil(lambda: widget.start.is_asking)
        assert "4 cases" in widget.start.new_project.question.text()

    @pytest.mark.parametrize("what", ["empty", "broken"])
    def test_a_useless_folder_is_one_sentence(
        self, what: str, viewer: napari.Viewer, tmp_path: Path, messages: Messages, qtbot: QtBot
    ) -> None:
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
        (tmp_path / what).mkdir()
        if what == "broken":
            (tmp_path / what / "dataset.json").write_text("{")
            (tmp_path / what / "imagesTr").mkdir()
        widget.open_folder(tmp_path / what)
        qtbot.waitUntil(lambda: bool(messages))
        assert messages == [("error", widget.status.text())]
        assert {"empty": "holds no image", "broken": "no readable dataset.json"}[what] in widget.status.text()

    def test_what_was_left_out_is_told(self, viewer: napari.Viewer, images: Path, qtbot: QtBot) -> None:
        (images / "e.nii.gz").write_bytes(b"no")
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
        widget.make_project(images, images.parent / "p")
        qtbot.waitUntil(lambda: widget.status.text().startswith("Left out: e: e.nii.gz"))
        assert len(widget.cases) == 4

    def test_dock_fits_a_narrow_column(self, cases: CasesWidget) -> None:
        for page in (0, 1, 0):
            cases.pages.setCurrentIndex(page)
            cases.start.setCurrentIndex(page)
            cases.work.fold.button.setChecked(True)
            assert cases.minimumSizeHint().width() <= 320


class TestBringingIn:
    """A project is made, or added to, while the person goes on working."""

    @pytest.fixture
    def gate(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
        """The first image is read at once, the others once this is set."""
        may_go_on, reads = threading.Event(), itertools.count()

        def read_later(source: Source) -> tuple[Volume, ...]:
            if next(reads):
                assert may_go_on.wait(60)
            return read_source(source)

        for module in (add, create):
            monkeypatch.setattr(module, "read_source", read_later)
        yield may_go_on
        may_go_on.set()

    def test_labels_are_saved_meanwhile_and_what_was_added_stays_when_it_is_stopped(
        self, cases: CasesWidget, images: Path, gate: threading.Event, tmp_path: Path, qtbot: QtBot
    ) -> None:
        more = tmp_path / "more"
        more.mkdir()
        for name in ("e", "f", "g"):
            write(Volume(np.full((4, 5, 6), ord(name), np.float32), PLACE), more / f"{name}.nii.gz")
        labels = open_case(qtbot, cases, "a")
        cases._maker.add(cases.project, more)
        qtbot.waitUntil(lambda: "e" in states(cases))
        assert not cases.work.add_button.isEnabled()
        assert not cases.work.predict_button.isEnabled()
        labels.data_setitem(np.nonzero(np.ones_like(labels.data)), 1)
        cases.save()
        qtbot.waitUntil(lambda: states(cases)["a"] is State.CORRECTED)
        cases.open_folder(tmp_path)
        assert "or press Cancel" in cases.status.text()
        assert not cases.progress.isHidden()
        cases.progress.cancel_button.click()
        gate.set()
        qtbot.waitUntil(lambda: cases.status.text() == "Stopped; the images that were added already stay.")
        assert cases.progress.isHidden()
        assert cases.work.add_button.isEnabled()
        qtbot.waitUntil(lambda: len(cases.cases) in (5, 6))
        found = list(states(cases))
        assert found in (["a", "b", "c", "d", "e"], ["a", "b", "c", "d", "e", "f"])
        gate.set()
        cases._maker.add(cases.project, more)
        qtbot.waitUntil(lambda: len(cases.cases) == 7)
        assert cases.status.text() == "The images were added."

    @pytest.mark.parametrize("how", ["cancelled", "closed"])
    def test_a_project_that_is_stopped_leaves_nothing(
        self, viewer: napari.Viewer, images: Path, gate: threading.Event, how: str, messages: Messages, qtbot: QtBot
    ) -> None:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
        widget.make_project(images, images.parent / "p")
        assert not widget.start.new_project.create_button.isEnabled()
        qtbot.waitUntil(lambda: "Reading a" in widget.status.text())
        assert list(images.parent.glob(".part-*"))
        if how == "cancelled":
            widget.progress.cancel_button.click()
            gate.set()
            qtbot.waitUntil(lambda: widget.status.text() == "Stopped; no project was made.")
            assert widget.start.new_project.create_button.isEnabled()
            assert widget.project is None
        else:
            threading.Timer(0.5, gate.set).start()  # closing waits for the image that is being read
            dock.destroyOnClose()
            assert [kind for kind, _ in messages] == ["info"]
        qtbot.waitUntil(lambda: sorted(path.name for path in images.parent.iterdir()) == ["images"])


class TestOpen:
    def test_image_and_labels_in_place(self, viewer: napari.Viewer, cases: CasesWidget, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "b")
        image = viewer.layers["b"]
        assert [layer.name for layer in viewer.layers] == ["b", "b labels"]
        np.testing.assert_allclose(labels.scale, image.scale)
        np.testing.assert_allclose(labels.translate, image.translate)
        assert labels.units == image.units
        assert viewer.layers.selection.active == labels
        assert cases.work.list.open_name == "b"

    def test_the_next_takes_its_place_and_the_brush_stays(
        self, viewer: napari.Viewer, cases: CasesWidget, qtbot: QtBot
    ) -> None:
        other = viewer.add_points(np.zeros((1, 3)), name="mine")
        labels = open_case(qtbot, cases, "a")
        labels.brush_size, labels.selected_label, labels.mode = 3, 2, "paint"
        before, modes = labels, []
        viewer.layers.events.removing.connect(lambda: modes.append(str(before.mode)))
        labels = open_case(qtbot, cases, "b")
        assert modes[0] == "pan_zoom"  # napari may crash where a layer goes that is painted on
        assert {layer.name for layer in viewer.layers} == {"mine", "b", "b labels"}
        assert (labels.brush_size, labels.selected_label, str(labels.mode)) == (3, 2, "paint")
        assert other in viewer.layers

    def test_of_many_clicks_the_last_one_counts(self, viewer: napari.Viewer, cases: CasesWidget, qtbot: QtBot) -> None:
        for name in ("a", "b", "c"):
            cases.open_case(name)
        wait_for(qtbot, cases, "c")
        settle(qtbot, cases)
        assert [layer.name for layer in viewer.layers] == ["c", "c labels"]

    def test_layers_of_several_channels(self, viewer: napari.Viewer, tmp_path: Path, qtbot: QtBot) -> None:
        for case in range(2):
            for channel in range(2):
                data = np.random.default_rng(10 * case + channel).random((6, 7, 8))
                write(Volume(data, PLACE), tmp_path / f"p{case}_{channel:04d}.nii.gz")
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
        widget.make_project(tmp_path, tmp_path.parent / f"{tmp_path.name}-project")
        qtbot.waitUntil(lambda: len(widget.cases) == 2)
        open_case(qtbot, widget, "p0")
        open_case(qtbot, widget, "p1")
        names = ["p1 channel 0", "p1 channel 1", "p1 labels"]
        assert [layer.name for layer in viewer.layers] == names
        assert [layer.visible for layer in viewer.layers] == [True, False, True]

    def test_a_case_that_cannot_be_read_leaves_what_is_open(
        self, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        open_case(qtbot, cases, "a")
        path = cases.project.layout.images("b", State.NOT_STARTED)[0]
        path.unlink()
        path.write_bytes(b"no")
        cases.open_case("b")
        qtbot.waitUntil(lambda: bool(messages))
        assert "b_0000.nii.gz" in messages[0][1]
        assert cases.open_case_now.name == "a"

    def test_keys_of_the_dock(self, cases: CasesWidget, qtbot: QtBot) -> None:
        press(qtbot, cases, Qt.Key.Key_N)
        wait_for(qtbot, cases, "a")
        cases.open_case_now.labels.paint((8, 8, 8), 1)
        press(qtbot, cases, Qt.Key.Key_A)
        qtbot.waitUntil(lambda: states(cases)["a"] is State.ACCEPTED)
        wait_for(qtbot, cases, "b")


class TestSave:
    def test_on_change_of_case_in_the_images_own_grid(self, cases: CasesWidget, images: Path, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "a")
        index = (3, 5, 7)
        world = labels.data_to_world(index)
        labels.data_setitem(tuple(np.array([value]) for value in index), 2)
        assert cases.work.list.model().index(0, 0).data() == "a, corrected"
        open_case(qtbot, cases, "b")
        settle(qtbot, cases)
        assert states(cases)["a"] is State.CORRECTED
        saved = read(cases.project.folder / "labelsUn" / "a.nii.gz")
        assert isinstance(saved, LabelMap)
        assert saved.same_grid(read(images / "a.nii.gz"))
        assert saved.counts() == {2: 1}
        # napari's world is (z, y, x) in LPS mm: the voxel lies where it was painted.
        place = saved.affine @ [*np.argwhere(saved.data)[0], 1]
        np.testing.assert_allclose(place[:3][::-1], world, atol=1e-4)
        again = open_case(qtbot, cases, "a")
        assert again.data[index] == 2

    def test_every_minute_if_something_changed(self, cases: CasesWidget, qtbot: QtBot) -> None:
        assert cases.desk.autosave.isActive()
        assert cases.desk.autosave.interval() == 60_000
        labels = open_case(qtbot, cases, "a")
        cases.desk.autosave.timeout.emit()
        settle(qtbot, cases)
        assert states(cases)["a"] is State.NOT_STARTED
        labels.paint((8, 8, 8), 1)
        cases.desk.autosave.timeout.emit()
        settle(qtbot, cases)
        path = cases.project.folder / "labelsUn" / "a.nii.gz"
        written = path.stat()
        cases.desk.autosave.timeout.emit()
        settle(qtbot, cases)
        assert path.stat().st_mtime_ns == written.st_mtime_ns
        assert path.stat().st_ino == written.st_ino

    def test_undo_still_works_after_saving_and_is_saved_too(self, cases: CasesWidget, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "a")
        labels.paint((8, 8, 8), 1)
        labels.paint((4, 4, 4), 2)
        cases.save()
        settle(qtbot, cases)
        assert not cases.work.list.is_unsaved
        labels.undo()
        assert cases.work.list.is_unsaved
        cases.save()
        settle(qtbot, cases)
        saved, _ = read_labels(cases.project, "a")
        assert set(np.unique(saved.data)) == {0, 1}
        labels.visible = False
        labels.redo()  # of a hidden layer nothing is drawn
        cases.save()
        settle(qtbot, cases)
        saved, _ = read_labels(cases.project, "a")
        assert set(np.unique(saved.data)) == {0, 1, 2}

    def test_on_closing_the_dock(self, viewer: napari.Viewer, images: Path, messages: Messages, qtbot: QtBot) -> None:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
        widget.make_project(images, images.parent / "p")
        qtbot.waitUntil(lambda: len(widget.cases) == 4)
        labels = open_case(qtbot, widget, "a")
        assert labels.metadata["resmed"]["autosaved"]
        labels.paint((8, 8, 8), 1)
        folder = widget.project.folder
        dock.destroyOnClose()
        qtbot.waitUntil(lambda: (folder / "labelsUn" / "a.nii.gz").exists())
        assert any("not saved to the project" in text for _, text in messages)
        assert not labels.metadata["resmed"]["autosaved"]  # another dock may keep them now
        labels.paint((4, 4, 4), 1)  # nothing of the closed dock may still listen
        viewer.layers.clear()

    def test_on_removing_the_labels(
        self, viewer: napari.Viewer, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        labels = open_case(qtbot, cases, "a")
        labels.paint((8, 8, 8), 1)
        viewer.layers.remove(labels)
        settle(qtbot, cases)
        assert states(cases)["a"] is State.CORRECTED
        assert cases.open_case_now is None
        said = "a was closed; what you paint now is not saved to the project; click it in the list to open it again."
        assert cases.status.text() == said
        assert said in [text for _, text in messages]
        assert len(viewer.layers) == 0  # its image went, too
        open_case(qtbot, cases, "a")
        assert len(viewer.layers) == 2

    def test_goes_on_after_an_image_of_the_case_was_removed(
        self, viewer: napari.Viewer, cases: CasesWidget, qtbot: QtBot
    ) -> None:
        labels = open_case(qtbot, cases, "a")
        viewer.layers.remove("a")
        assert cases.open_case_now.images == []
        labels.paint((8, 8, 8), 1)
        cases.desk.autosave.timeout.emit()
        settle(qtbot, cases)
        assert states(cases)["a"] is State.CORRECTED
        open_case(qtbot, cases, "b")
        settle(qtbot, cases)
        assert [layer.name for layer in viewer.layers] == ["b", "b labels"]

    def test_on_closing_the_window(self, images: Path, tmp_path: Path) -> None:
        # In a napari of its own, whose process ends at once.
        code = """
import sys, time, napari
from pathlib import Path
from qtpy.QtCore import QCoreApplication
def spin(until):
    end = time.time() + 400
    while not until():
        assert time.time() < end
        QCoreApplication.processEvents()
        time.sleep(0.01)
viewer = napari.Viewer(show=True)
_, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
widget.make_project(Path(sys.argv[1]), Path(sys.argv[2]))
spin(lambda: widget.cases)
widget.work.next_button.click()
spin(lambda: widget.open_case_now is not None)
widget.open_case_now.labels.paint((8, 8, 8), 3)
viewer.close()
print(sorted({"torch", "monai"} & set(sys.modules)))
"""
        done = subprocess.run(
            [sys.executable, "-c", code, str(images), str(tmp_path / "p")],
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["[]"]
        assert 3 in read(tmp_path / "p" / "labelsUn" / "a.nii.gz").data

    def test_a_full_disk_is_told_and_tried_again(
        self, cases: CasesWidget, messages: Messages, small_disk: Callable[..., object], qtbot: QtBot
    ) -> None:
        labels = open_case(qtbot, cases, "a")
        noise = np.random.default_rng(0).integers(0, 200, labels.data.shape)
        labels.data_setitem(tuple(np.indices(labels.data.shape).reshape(3, -1)), noise.reshape(-1))
        with small_disk():  # type: ignore[attr-defined]
            cases.save()
            qtbot.waitUntil(lambda: bool(messages))
        assert "could not write" in messages[0][1]
        assert cases.work.list.is_unsaved
        cases.save()
        settle(qtbot, cases)
        assert states(cases)["a"] is State.CORRECTED
        assert not cases.work.list.is_unsaved


class TestCompleteSlices:
    def test_come_back_with_the_case_in_the_files_own_axes(self, cases: CasesWidget, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "a")
        assert not cases.work.partly.isVisibleTo(cases)
        labels.data[8] = 1
        labels.data = labels.data
        cases.save()
        settle(qtbot, cases)
        mark(labels, [(0, 8)])  # nothing is painted any more
        assert cases.work.list.is_unsaved
        assert "1 slice is complete" in cases.work.partly_words.text()
        open_case(qtbot, cases, "b")
        assert not cases.work.partly.isVisibleTo(cases)
        settle(qtbot, cases)
        saved, _ = read_labels(cases.project, "a")
        ((axis, index),) = saved.meta["complete_slices"]
        painted = np.moveaxis(saved.data, axis, 0)
        assert painted[index].all()
        assert not np.delete(painted, index, 0).any()
        labels = open_case(qtbot, cases, "a")
        assert complete_slices(labels) == [(0, 8)]
        assert cases.work.partly.isVisibleTo(cases)
        assert cases.minimumSizeHint().width() <= 320
        cases.accept()
        qtbot.waitUntil(lambda: cases.work.list.model().index(0, 0).data() == "a, accepted · 1 slice")

    def test_whole_case_takes_the_marks_away(self, cases: CasesWidget, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "a")
        labels.paint((8, 8, 8), 1)
        mark(labels, [(0, 8), (1, 3)])
        cases.save()
        settle(qtbot, cases)
        assert len(read_labels(cases.project, "a")[0].meta["complete_slices"]) == 2
        cases.work.whole_button.click()
        assert complete_slices(labels) == []
        cases.save()
        settle(qtbot, cases)
        assert "complete_slices" not in read_labels(cases.project, "a")[0].meta


class TestAccept:
    def test_moves_the_case_to_nnunet_and_goes_on(self, cases: CasesWidget, qtbot: QtBot) -> None:
        open_case(qtbot, cases, "a").paint((8, 8, 8), 1)
        cases.work.accept_button.click()
        wait_for(qtbot, cases, "b")
        assert states(cases)["a"] is State.ACCEPTED
        assert (cases.project.folder / "imagesTr" / "a_0000.nii.gz").exists()
        assert read(cases.project.folder / "labelsTr" / "a.nii.gz").data.any()
        assert json.loads((cases.project.folder / "dataset.json").read_text())["numTraining"] == 1
        assert cases.work.train_button.isEnabled()
        assert cases.status.text().startswith("Accepted a.")

    def test_an_empty_case_is_asked_about_once(self, cases: CasesWidget, qtbot: QtBot) -> None:
        open_case(qtbot, cases, "a")
        cases.accept()
        settle(qtbot, cases)
        assert states(cases)["a"] is State.NOT_STARTED
        assert "Nothing is painted on a" in cases.status.text()
        cases.accept()
        qtbot.waitUntil(lambda: states(cases)["a"] is State.ACCEPTED)
        settle(qtbot, cases)
        assert not read(cases.project.folder / "labelsTr" / "a.nii.gz").data.any()

    def test_it_can_be_taken_back(self, cases: CasesWidget, qtbot: QtBot) -> None:
        open_case(qtbot, cases, "a").paint((8, 8, 8), 1)
        cases.accept()
        wait_for(qtbot, cases, "b")
        open_case(qtbot, cases, "a")
        assert cases.work.accept_button.text().replace("&", "") == "Take back"
        cases.work.accept_button.click()
        qtbot.waitUntil(lambda: states(cases)["a"] is State.CORRECTED)
        qtbot.waitUntil(lambda: cases.work.accept_button.text() == "&Accept")

    def test_the_list_can_show_one_state(self, cases: CasesWidget, qtbot: QtBot) -> None:
        open_case(qtbot, cases, "b").paint((8, 8, 8), 1)
        cases.accept()
        qtbot.waitUntil(lambda: cases.work.count_buttons[State.ACCEPTED].text() == "1 accepted")
        cases.work.count_buttons[State.ACCEPTED].click()
        assert cases.work.list.names == ["b"]
        cases.work.count_buttons[State.ACCEPTED].click()
        assert cases.work.list.names == ["a", "b", "c", "d"]


class TestOtherWindow:
    def test_its_work_is_seen(self, cases: CasesWidget, qtbot: QtBot) -> None:
        other = open_project(cases.project.folder)
        image = read(cases.project.layout.images("c", State.NOT_STARTED)[0])
        write_labels(other, "c", LabelMap(np.ones(image.shape, np.uint8), image.affine), NO_LABELS)
        qtbot.waitUntil(lambda: cases.work.list.model().index(2, 0).data() == "c, corrected")

    def test_theirs_stays_ours_is_kept_and_said_once(
        self, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        labels = open_case(qtbot, cases, "a")
        other = open_project(cases.project.folder)
        image = read(cases.project.layout.images("a", State.NOT_STARTED)[0])
        write_labels(other, "a", LabelMap(np.full(image.shape, 2, np.uint8), image.affine), NO_LABELS)
        for row in (8, 10):
            labels.paint((row, 8, 8), 1)
            cases.save()
            settle(qtbot, cases)
        assert [severity for severity, _ in messages] == ["warning"]
        assert "theirs stays, yours is kept beside it" in messages[0][1]
        theirs, _ = read_labels(cases.project, "a")
        assert set(np.unique(theirs.data)) == {2}
        ours = read(cases.project.layout.conflict("a", cases.project.session))
        assert np.count_nonzero(ours.data) == np.count_nonzero(labels.data)

    def test_accepting_what_they_changed_shows_theirs_first(
        self, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        open_case(qtbot, cases, "a").paint((8, 8, 8), 1)
        cases.save()
        settle(qtbot, cases)
        other = open_project(cases.project.folder)
        labels, token = read_labels(other, "a")
        write_labels(other, "a", labels.with_data(np.full(labels.shape, 2, np.uint8)), token)
        before = cases.open_case_now
        cases.accept()
        qtbot.waitUntil(lambda: cases.open_case_now not in (None, before))
        assert "look at it again" in messages[0][1]
        assert set(np.unique(cases.open_case_now.labels.data)) == {2}
        assert states(cases)["a"] is State.CORRECTED


@pytest.mark.usefixtures("own_models")
class TestModels:
    def test_the_list_follows_and_the_choice_stays(self, cases: CasesWidget, own_models: Path) -> None:
        choice = cases.work.model_choice
        choice.setCurrentIndex(choice.findText("bands"))
        before = choice.count()
        save(describe("a-new-one"), own_models)
        models_changed().happened.emit()
        assert choice.findText("a-new-one") >= 0
        assert (choice.count(), choice.currentText()) == (before + 1, "bands")
        assert choice.currentData().name == "bands"
        assert cases.work.predict_button.isEnabled()

    def test_the_first_model_makes_predicting_possible(
        self, cases: CasesWidget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(work_page, "list_models", lambda _: ([], []))
            models_changed().happened.emit()
            assert not cases.work.predict_button.isEnabled()
        models_changed().happened.emit()
        assert cases.work.predict_button.isEnabled()


@pytest.mark.usefixtures("own_models")
class TestPredict:
    def choose(self, widget: CasesWidget, model: str) -> None:
        widget.work.model_choice.setCurrentIndex(widget.work.model_choice.findText(model))
        assert widget.work.model_choice.currentText() == model

    def wait(self, qtbot: QtBot, widget: CasesWidget) -> None:
        qtbot.waitUntil(lambda: not widget._predict.is_running)
        settle(qtbot, widget)

    def test_every_case_gets_labels_and_a_figure(self, cases: CasesWidget, images: Path, qtbot: QtBot) -> None:
        self.choose(cases, "bands")
        cases.work.predict_button.click()
        assert cases.progress.cancel_button.isVisible()
        self.wait(qtbot, cases)
        found = list_cases(cases.project)
        assert {case.state for case in found} == {State.PREDICTED}
        assert all(0 < case.uncertainty < 1 for case in found)
        labels = read(cases.project.folder / "labelsUn" / "a.nii.gz")
        assert labels.same_grid(read(images / "a.nii.gz"))
        assert labels.data.any()
        assert read_label_set(cases.project).values == (1, 2, 3)  # the model's are 1, 2 and 300
        assert {label.name for label in read_label_set(cases.project)} >= {label.name for label in labels.labels}
        assert cases.status.text().startswith("Predicted 4 cases.")
        assert not cases.progress.isVisible()
        cases.next_case()
        qtbot.waitUntil(lambda: cases.open_case_now is not None)
        assert cases.open_case_now.name == max(found, key=lambda case: case.uncertainty).name

    def test_a_model_that_finds_its_parts_answers_in_the_projects_labels(
        self, cases: CasesWidget, own_models: Path, tmp_path: Path, qtbot: QtBot
    ) -> None:
        of_crops = {"familiar": Familiar(images=3, extent_mm=((2.0, 4.0),) * 3).to_json()}
        save(
            replace(describe("part"), found_by=FoundBy("bands", ("dark", "bright"), 1.0), training=of_crops),
            own_models,
        )
        # A worker that was started before may know other models.
        shared_engine().close()
        shared_engine.cache_clear()
        try:
            cases.work._fill_models()
            self.choose(cases, "part")
            cases.work.predict_button.click()
            self.wait(qtbot, cases)
        finally:
            shutil.rmtree(own_models / "part")
        assert cases.status.text().startswith("Predicted 4 cases.")
        assert read_label_set(cases.project).values == (1, 2, 3)
        assert read(cases.project.folder / "labelsUn" / "a.nii.gz").data.any()

    def test_the_open_case_shows_its_prediction_and_a_painted_one_is_left_alone(
        self, cases: CasesWidget, qtbot: QtBot
    ) -> None:
        self.choose(cases, "bands")
        write_label_set(cases.project, BANDS)
        open_case(qtbot, cases, "a").paint((8, 8, 8), 1)
        open_case(qtbot, cases, "b")
        first = cases.open_case_now
        cases.work.predict_button.click()
        self.wait(qtbot, cases)
        qtbot.waitUntil(lambda: cases.open_case_now not in (None, first))
        assert cases.open_case_now.name == "b"
        assert cases.open_case_now.labels.data.any()
        assert states(cases)["a"] is State.CORRECTED
        assert states(cases)["b"] is State.PREDICTED

    def test_painting_a_prediction_corrects_it(self, cases: CasesWidget, qtbot: QtBot) -> None:
        self.choose(cases, "bands")
        cases.work.predict_button.click()
        self.wait(qtbot, cases)
        open_case(qtbot, cases, "a").paint((0, 0, 0), 3)
        open_case(qtbot, cases, "b")
        settle(qtbot, cases)
        assert states(cases) == {
            "a": State.CORRECTED,
            "b": State.PREDICTED,
            "c": State.PREDICTED,
            "d": State.PREDICTED,
        }

    def test_it_can_be_stopped(self, cases: CasesWidget, qtbot: QtBot) -> None:
        self.choose(cases, "heavy")
        cases.work.predict_button.click()
        qtbot.waitUntil(lambda: cases.status.text().startswith("Predicting a"))
        cases.progress.cancel_button.click()
        self.wait(qtbot, cases)
        assert cases.status.text().startswith("Stopped; predicted 0 cases.")
        assert set(states(cases).values()) == {State.NOT_STARTED}

    def test_an_image_that_cannot_be_segmented_is_told_and_the_rest_goes_on(
        self, cases: CasesWidget, qtbot: QtBot
    ) -> None:
        self.choose(cases, "bands")
        path = cases.project.layout.images("b", State.NOT_STARTED)[0]
        path.unlink()
        write(Volume(np.full((16, 18, 20), 7, np.float32), PLACE), path)
        # As a CT's air: the model was trained on MR.
        path = cases.project.layout.images("c", State.NOT_STARTED)[0]
        path.unlink()
        write(Volume(np.linspace(-1000, 100, 16 * 18 * 20, dtype=np.float32).reshape(16, 18, 20), PLACE), path)
        cases.work.predict_button.click()
        self.wait(qtbot, cases)
        assert "Predicted 3 cases. Not predicted: b: " in cases.status.text()
        assert "Look twice at c: the values of the image go down to " in cases.status.text()
        assert states(cases)["b"] is State.NOT_STARTED

    def test_a_model_of_other_structures_is_refused_at_once(self, cases: CasesWidget, qtbot: QtBot) -> None:
        self.choose(cases, "bands")
        open_case(qtbot, cases, "a").paint((8, 8, 8), 1)  # now there is a "label 1"
        cases.save()
        settle(qtbot, cases)
        cases.work.predict_button.click()
        self.wait(qtbot, cases)
        assert "knows none of the project's structures (label 1)" in cases.status.text()
        assert states(cases)["b"] is State.NOT_STARTED


class TestTrain:
    def test_asks_for_the_accepted_cases_once_they_are_written(self, cases: CasesWidget, qtbot: QtBot) -> None:
        assert not cases.work.train_button.isEnabled()
        open_case(qtbot, cases, "a").paint((8, 8, 8), 1)
        cases.accept()
        qtbot.waitUntil(lambda: cases.work.train_button.isEnabled())
        with qtbot.waitSignal(cases.train_requested) as asked:
            cases.work.train_button.click()
        assert asked.args == [str(cases.project.folder)]

    def test_the_train_dock_learns_to_segment_whatever_it_stood_on(
        self, viewer: napari.Viewer, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        open_case(qtbot, cases, "a").paint((8, 8, 8), 1)
        cases.accept()
        qtbot.waitUntil(lambda: cases.work.train_button.isEnabled())
        _, train = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
        train.task_choice.setCurrentIndex(1)
        train._job, train._name = object(), "mine"  # stands for a training, which would take minutes to begin
        cases.work.train_button.click()
        settle(qtbot, cases)
        train._job = None
        assert cases.status.text() == messages[-1][1]
        assert cases.status.text().startswith("The training of mine is under way; wait until it has ended")
        assert (train.task, train.source.data) == ("classify", None)
        cases.work.train_button.click()
        qtbot.waitUntil(lambda: train.source.dataset is not None)
        assert (train.task, train.source.data) == ("segment", cases.project.folder)


class TestLabels:
    def test_a_new_name_reaches_the_files_and_the_open_case(self, cases: CasesWidget, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "a")
        names = cases.work.labels
        names.add_button.click()
        names.add_button.click()
        names.table.item(1, 2).setText("liver")
        names.recolour(2, QColor(10, 20, 30))
        settle(qtbot, cases)
        told = json.loads((cases.project.folder / "dataset.json").read_text())
        assert told["labels"] == {"background": 0, "label 1": 1, "liver": 2}
        assert read_label_set(cases.project)[2].colour == (10, 20, 30)
        assert list(labels.features["structure"]) == ["background", "label 1", "liver"]
        np.testing.assert_allclose(labels.colormap.color_dict[2][:3], np.array([10, 20, 30]) / 255, atol=1e-6)
        names.table.cellClicked.emit(1, 0)
        assert labels.selected_label == 2

    def test_names_typed_while_others_are_being_written_are_the_last(self, cases: CasesWidget, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "a")
        names = cases.work.labels
        names.add_button.click()
        names.add_button.click()
        settle(qtbot, cases)
        written: list[object] = []
        names.changed.connect(written.append)
        names.table.item(0, 2).setText("liver")
        names.table.item(1, 2).setText("spleen")  # the first is not written yet
        settle(qtbot, cases)
        assert len(written) == 2
        assert [label.name for label in read_label_set(cases.project)] == ["liver", "spleen"]
        assert list(labels.features["structure"]) == ["background", "liver", "spleen"]

    def test_a_name_given_in_another_dock_is_the_projects(self, cases: CasesWidget, qtbot: QtBot) -> None:
        labels = open_case(qtbot, cases, "a")
        labels.paint((8, 8, 8), 1)
        cases.save()
        qtbot.waitUntil(lambda: cases.work.labels.table.rowCount() == 1)
        rename(labels, 1, "liver")
        settle(qtbot, cases)
        assert read_label_set(cases.project)[1].name == "liver"
        assert cases.work.labels.table.item(0, 2).text() == "liver"

    def test_a_name_twice_is_refused_and_the_table_shows_what_is(
        self, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        names = cases.work.labels
        names.add_button.click()
        names.add_button.click()
        settle(qtbot, cases)
        names.table.setCurrentCell(0, 0)  # ends typing
        names.table.item(1, 2).setText("label 1")
        qtbot.waitUntil(lambda: bool(messages))
        assert "two labels are called label 1" in messages[0][1]
        qtbot.waitUntil(lambda: names.table.item(1, 2).text() == "label 2")

    def test_a_first_label_that_could_not_be_saved_is_not_shown_and_is_added_again(
        self, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        names = cases.work.labels
        with unwritable(cases.project.folder):
            names.add_button.click()
            names.table.setCurrentCell(0, 0)  # ends typing
            qtbot.waitUntil(lambda: bool(messages))
        assert "cannot write to the project" in messages[0][1]
        assert names.table.rowCount() == len(names.labels) == 0
        names.add_button.click()
        settle(qtbot, cases)
        names.table.setCurrentCell(0, 0)
        names.table.item(0, 2).setText("liver")
        settle(qtbot, cases)
        assert [label.name for label in read_label_set(cases.project)] == ["liver"]

    def test_the_name_that_is_typed_while_saving_fails_is_kept_and_saved(
        self, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        names = cases.work.labels
        with unwritable(cases.project.folder):
            names.add_button.click()
            assert names.is_editing
            qtbot.waitUntil(lambda: bool(messages))
        assert names.is_editing
        names.table.item(0, 2).setText("liver")
        settle(qtbot, cases)
        assert [label.name for label in read_label_set(cases.project)] == ["liver"]

    def test_a_name_of_another_dock_that_could_not_be_saved_goes_from_the_case(
        self, cases: CasesWidget, messages: Messages, qtbot: QtBot
    ) -> None:
        labels = open_case(qtbot, cases, "a")
        labels.paint((8, 8, 8), 1)
        cases.save()
        qtbot.waitUntil(lambda: cases.work.labels.table.rowCount() == 1)
        with unwritable(cases.project.folder):
            rename(labels, 1, "liver")
            qtbot.waitUntil(lambda: bool(messages))
        assert cases.work.labels.table.item(0, 2).text() == "label 1"
        assert list(labels.features["structure"]) == ["background", "label 1"]
        rename(labels, 1, "spleen")
        settle(qtbot, cases)
        assert read_label_set(cases.project)[1].name == "spleen"

    def test_a_value_that_was_painted_gets_a_row(self, cases: CasesWidget, qtbot: QtBot) -> None:
        open_case(qtbot, cases, "a").paint((8, 8, 8), 4)
        cases.save()
        qtbot.waitUntil(lambda: cases.work.labels.table.rowCount() == 1)
        assert cases.work.labels.table.item(0, 2).text() == "label 4"


class TestRealImages:
    def test_annotated_hippocampi(self, viewer: napari.Viewer, shared_data: Path, tmp_path: Path, qtbot: QtBot) -> None:
        folder = tmp_path / "hippocampus"
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True)
            for file in sorted((shared_data / "hippocampus" / kind).glob("*.nii.gz"))[:6]:
                shutil.copy(file, folder / kind)
        _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Cases")
        widget.make_project(folder, tmp_path / "p")
        qtbot.waitUntil(lambda: len(widget.cases) == 6)
        name = widget.cases[2].name
        labels = open_case(qtbot, widget, name)
        assert set(np.unique(labels.data)) == {0, 1, 2}
        before = (widget.project.folder / "labelsTr" / f"{name}.nii.gz").stat().st_mtime_ns
        time.sleep(0.01)
        open_case(qtbot, widget, widget.cases[3].name)
        settle(qtbot, widget)
        assert (widget.project.folder / "labelsTr" / f"{name}.nii.gz").stat().st_mtime_ns == before
