"""Training where one paints: a real window, the real job in its real worker, on tiny volumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import napari
import numpy as np
import pytest
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.models.catalogue import list_models, own_models_folder
from napari_resmed.train.from_viewer import join_cases
from napari_resmed.train.own_trainings import is_unfinished, run_of
from napari_resmed.viewer.layers import volume_to_layer
from napari_resmed.viewer.parts.complete_slices import complete_slices, mark
from napari_resmed.viewer.parts.label_meanings import labels_in, rename
from napari_resmed.viewer.parts.running_job import training_engine
from napari_resmed.viewer.parts.shown_volume import Origin
from napari_resmed.viewer.segment.segment_widget import SegmentWidget
from napari_resmed.viewer.train.collect_cases import collect_cases
from napari_resmed.viewer.train.kept_paint import find_paint, image_key, read_paint
from napari_resmed.viewer.train.pairs import Pair
from napari_resmed.viewer.train.train_widget import TrainWidget
from napari_resmed.volume import Volume
from tests.train.small import shorten

Messages = list[tuple[str, str]]

SIZE = 32
# bf16 is for large patches: on tiny ones some processors' gradients are no numbers now and then.
PRECISION = "fp32"


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
    """The Train dock, opened as the menu opens it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
    assert isinstance(widget, TrainWidget)
    widget.more.precision_choice.setCurrentText(PRECISION)
    yield widget
    widget.cancel()


def ball(centre: tuple[int, int, int] = (16, 16, 16), radius: float = 8) -> np.ndarray:
    place = np.indices((SIZE,) * 3) - np.reshape(centre, (3, 1, 1, 1))
    return (place**2).sum(0) <= radius**2


@pytest.fixture(scope="module")
def picture() -> Volume:
    """A bright ball in noise, stored as sagittal scans are: in an order that napari cannot show as it is."""
    data = np.random.default_rng(0).normal(100, 10, (SIZE, SIZE, SIZE)) + 80 * ball((16, 12, 20))
    affine = np.array([[-1.0, 0, 0, 40], [0, 0, 1.0, -7], [0, -1.0, 0, 5], [0, 0, 0, 1]])
    return Volume(data.astype(np.float32), affine, "zyx", "MR", "scan")


@pytest.fixture
def image(viewer: napari.Viewer, picture: Volume, show: Callable[[Volume], Image]) -> Image:
    return show(picture)


def new_labels(viewer: napari.Viewer, image: Image) -> Labels:
    """As napari's own button makes them: on the image's grid, and knowing nothing of its file."""
    viewer.layers.selection.active = image
    viewer._new_labels()
    layer = viewer.layers[-1]
    assert isinstance(layer, Labels)
    return layer


@pytest.fixture
def painted(viewer: napari.Viewer, image: Image) -> Labels:
    """The ball, painted completely."""
    labels = new_labels(viewer, image)
    labels.data = (np.asarray(image.data) > 140).astype(np.uint8)
    return labels


def until_looked(qtbot: QtBot, widget: TrainWidget) -> None:
    """Until the dock has looked through what is painted."""
    qtbot.waitUntil(lambda: widget.source.is_up_to_date)


def plan(widget: TrainWidget, **changes: object) -> None:
    widget.more.plan.changes = {"minutes": None, "check_every": 5, **changes}


def begin(qtbot: QtBot, widget: TrainWidget, name: str) -> None:
    until_looked(qtbot, widget)
    widget.options.name_edit.setText(name)
    widget.train_button.click()
    assert widget.is_running, widget.view.status.text()


def finish(qtbot: QtBot, widget: TrainWidget) -> None:
    qtbot.waitUntil(lambda: not widget.is_running)


def in_the_middle(qtbot: QtBot, widget: TrainWidget) -> None:
    """A training that goes on for ever, after the first look at what is held out."""
    qtbot.waitUntil(lambda: widget.view.stop_button.isEnabled() or not widget.is_running)
    assert widget.is_running, widget.view.status.text()


class TestTraining:
    def test_click_makes_a_model_that_segment_offers_at_once(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, painted: Labels, qtbot: QtBot, tmp_path: Path
    ) -> None:
        _, segment = viewer.window.add_plugin_dock_widget("napari-resmed", "Segment")
        assert isinstance(segment, SegmentWidget)
        chosen = segment.model_choice.currentText()
        before_image, before_labels = np.array(image.data), painted.data.copy()
        until_looked(qtbot, train)
        train.source.names.table.item(0, 2).setText("ball")
        assert train.options.name == "ball"
        plan(train, steps=30)
        begin(qtbot, train, "ball")
        assert train.view.summary.text() == "Training <b>ball</b> from scratch, 10 min"
        painted.data[:] = 0  # the person goes on
        finish(qtbot, train)
        assert train.result is not None, train.view.status.text()
        (model,) = [model for model in list_models()[0] if model.name == "ball"]
        assert [label.name for label in model.labels] == ["ball"]
        colour = np.round(255 * np.asarray(painted.colormap.map(1)[:3])).astype(int)
        assert model.labels[1].colour == tuple(colour)
        assert segment.model_choice.findText("ball") >= 0
        assert segment.model_choice.currentText() == chosen
        assert train.options.base_choice.findText("ball") > 0
        assert "Made <b>ball</b>" in train.view.status.text()
        assert train.view.dice.table.item(0, 0).text() == "ball"
        assert train.view.dice.table.item(0, 1).text() == "–"
        assert float(train.view.dice.table.item(0, 2).text()) == pytest.approx(train.result["after"]["ball"], abs=6e-4)
        assert len(train.view.curves.measured.mean) == len(train.result["history"]) > 1
        assert not train.view.look.pixmap().isNull()
        assert not train.unfinished.isVisibleTo(train)
        assert train.options.name == "ball-2"
        np.testing.assert_array_equal(image.data, before_image)
        assert before_labels.any()
        assert not painted.data.any()
        train.view.dice.save(tmp_path / "dice.csv")
        assert (tmp_path / "dice.csv").read_text().splitlines()[0] == "structure,dice_before,dice_after"
        for name in ("curves.png", "curves.svg"):
            train.view.curves.save(tmp_path / name)
            assert (tmp_path / name).stat().st_size > 1000
        qtbot.waitUntil(lambda: not train.view.curves.pixmap().isNull())

    def test_stop_keeps_the_best(self, train: TrainWidget, painted: Labels, qtbot: QtBot, messages: Messages) -> None:
        plan(train, steps=100_000)
        begin(qtbot, train, "stopped")
        assert not train.view.stop_button.isEnabled()
        in_the_middle(qtbot, train)
        train.view.stop_button.click()
        finish(qtbot, train)
        assert train.result is not None
        assert train.result["stopped"]
        assert (own_models_folder() / "stopped").is_dir()
        assert "Resume" in train.view.status.text()
        assert [text for severity, text in messages if severity == "error"] == []

    def test_cancelled_can_be_resumed(self, train: TrainWidget, painted: Labels, qtbot: QtBot) -> None:
        plan(train, steps=100_000, check_every=10)
        begin(qtbot, train, "resumed")
        in_the_middle(qtbot, train)
        train.view.cancel_button.click()
        qtbot.waitUntil(lambda: not train.is_running)
        assert "Cancelled. It can be resumed" in train.view.status.text()
        assert str(own_models_folder()) in train.view.status.text()
        assert not (own_models_folder() / "resumed").exists()
        assert is_unfinished("resumed")
        assert train.unfinished.isVisibleTo(train)
        steps = shorten(run_of("resumed"))
        train.unfinished.resume_button.click()
        assert train.is_running
        finish(qtbot, train)
        assert train.result is not None, train.view.status.text()
        assert train.result["history"][-1]["step"] == steps
        assert [look["step"] for look in train.result["history"]] == [
            step for step, _ in train.view.curves.measured.mean
        ]
        assert not is_unfinished("resumed")

    def test_unfinished_one_can_be_discarded_if_that_is_meant(
        self, viewer: napari.Viewer, train: TrainWidget, own_folder: Path, qtbot: QtBot
    ) -> None:
        run = run_of("a-try")
        run.begin()
        for path in (run.plan, run.path / "dataset.json"):
            path.write_text("{}")
        train.options.name_edit.setText("a-try")
        offer = train.unfinished
        assert offer.isVisibleTo(train)
        assert not offer.yes_button.isVisibleTo(train)
        offer.discard_button.click()
        assert not offer.discard_button.isVisibleTo(train)
        assert "Discard the training of <b>a-try</b>, last at work on" in offer.question.text()
        assert train._scroll.widget().minimumSizeHint().width() <= 320 - 16
        offer.keep_button.click()
        assert is_unfinished("a-try")
        offer.discard_button.click()
        offer.yes_button.click()
        qtbot.waitUntil(lambda: train.view.status.text() == "Discarded the training of a-try.")
        assert not run.path.exists()
        assert offer.name != "a-try"

    def test_closing_the_dock_stops_it(
        self, viewer: napari.Viewer, painted: Labels, qtbot: QtBot, messages: Messages
    ) -> None:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-resmed", "Train")
        widget.more.precision_choice.setCurrentText(PRECISION)
        plan(widget, steps=100_000)
        begin(qtbot, widget, "closed")
        in_the_middle(qtbot, widget)
        ticket = widget.job._ticket
        dock.destroyOnClose()
        qtbot.waitUntil(ticket.done.is_set)
        assert is_unfinished("closed")
        assert any("the training of closed was stopped; it can be resumed" in text for _, text in messages)
        painted.data = painted.data.copy()  # nothing of the closed dock may still listen
        viewer.layers.clear()

    def test_what_only_the_job_can_know_is_its_own_sentence(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, painted: Labels, qtbot: QtBot, messages: Messages
    ) -> None:
        data = np.array(image.data)
        data[3, 4, 5] = np.nan
        image.data = data
        plan(train, steps=10)
        begin(qtbot, train, "broken")
        finish(qtbot, train)
        assert train.result is None
        assert "NaN" in train.view.status.text()
        assert len([text for severity, text in messages if severity == "error"]) == 1
        assert not (own_models_folder() / "broken").exists()

    def test_plan_is_shown_and_changed_entries_hold(self, train: TrainWidget, painted: Labels, qtbot: QtBot) -> None:
        assert not train.more.plan_button.isEnabled()
        plan(train, steps=6, check_every=3, learning_rate=0.0011)
        begin(qtbot, train, "planned")
        finish(qtbot, train)
        assert train.result["plan"]["learning_rate"] == 0.0011
        assert not train.more.plan.text.toPlainText()  # nobody looks at it
        train.more.plan_button.click()
        shown = json.loads(train.more.plan.text.toPlainText())
        assert shown["steps"] == 6
        assert "patch" in shown["reasons"]


class TestSource:
    def test_nothing_has_to_be_clicked(self, train: TrainWidget, image: Image, painted: Labels, qtbot: QtBot) -> None:
        until_looked(qtbot, train)
        (pair,) = train.source.pairs.pairs
        assert pair.labels is painted
        assert pair.images == (image,)
        assert train.source.names.table.rowCount() == 1
        assert not train.source.only.tick.isChecked()
        assert train.source.trouble() == ""
        assert train.train_button.isEnabled()

    def test_active_labels_are_ticked_of_two_over_one_image(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, painted: Labels
    ) -> None:
        other = new_labels(viewer, image)
        viewer.layers.selection.active = painted
        assert [pair.labels for pair in train.source.pairs.pairs] == [painted]
        viewer.layers.selection.active = other
        assert [pair.labels for pair in train.source.pairs.pairs] == [other]
        train.source.pairs.tick(painted)
        assert {pair.labels for pair in train.source.pairs.pairs} == {painted, other}
        assert "lie over the same image; paint all structures in one layer" in train.source.trouble()

    def test_untouched_answer_of_a_model_is_not_learnt_from(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, painted: Labels
    ) -> None:
        painted.metadata["resmed"] = {"meta": {"made_by": {"model": "brain-mr"}}}
        viewer.layers.selection.active = image
        assert train.source.pairs.pairs == []
        painted.paint((5, 5, 5), 1)
        viewer.layers.selection.active = None
        assert [pair.labels for pair in train.source.pairs.pairs] == [painted]
        train.source.refresh()
        assert train.options.base is not None
        assert train.options.base.name == "brain-mr"

    def test_what_was_answered_in_parts_proposes_no_beginning(
        self, viewer: napari.Viewer, train: TrainWidget, painted: Labels
    ) -> None:
        painted.metadata["resmed"] = {"meta": {"made_by": {"model": "hippocampus-mr", "parts": []}}}
        painted.paint((5, 5, 5), 1)
        train.source.refresh()
        assert [pair.labels for pair in train.source.pairs.pairs] == [painted]
        assert train.options.base is None

    def test_images_of_one_grid_become_channels(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, painted: Labels, picture: Volume,
        show: Callable[[Volume], Image], qtbot: QtBot,
    ) -> None:  # fmt: skip
        second = show(picture.with_data(-picture.data))
        train.source.pairs.choose_images(painted, [image, second])
        assert train.source.channels == 2
        # A model of other channels is a beginning too.
        train.options.base_choice.setCurrentIndex(train.options.base_choice.findText("brain-mr"))
        assert "It knows 1 channel, here are 2." in train.options.base_note.text()
        until_looked(qtbot, train)
        (case,) = train.source.collect()()
        assert len(case["images"]) == 2
        np.testing.assert_array_equal(case["images"][0].data, -case["images"][1].data)

    def test_names_are_the_layers_own(self, train: TrainWidget, painted: Labels, qtbot: QtBot) -> None:
        until_looked(qtbot, train)
        train.source.names.table.item(0, 2).setText("  tumour   core ")
        names = dict(zip(painted.features["index"], painted.features["structure"], strict=True))
        assert names[1] == "tumour core"
        (case,) = train.source.collect()()
        assert case["labels"].labels[1].name == "tumour core"

    def test_labels_lie_where_the_image_lies_in_its_file(
        self, train: TrainWidget, painted: Labels, picture: Volume, qtbot: QtBot
    ) -> None:
        until_looked(qtbot, train)
        (case,) = train.source.collect()()
        assert case["labels"].same_grid(picture)
        np.testing.assert_array_equal(case["labels"].data, picture.data > 140)

    def test_case_is_as_it_was_at_the_click(self, train: TrainWidget, painted: Labels, qtbot: QtBot) -> None:
        until_looked(qtbot, train)
        collect = train.source.collect()
        painted.data[:] = 7
        (case,) = collect()
        assert set(np.unique(case["labels"].data)) == {0, 1}

    def test_fits_a_narrow_column(self, train: TrainWidget, painted: Labels, qtbot: QtBot) -> None:
        until_looked(qtbot, train)
        train.source.only.tick.click()
        painted.name = "a very long name of a layer that somebody gave to it for reasons of their own"
        qtbot.wait(700)
        assert train._scroll.widget().minimumSizeHint().width() <= 320 - 16  # a scroll bar beside it

    def test_new_labels_over_the_image(self, viewer: napari.Viewer, train: TrainWidget, image: Image) -> None:
        assert "Nothing is painted yet" in train.source.trouble()
        train.source.new_labels_button.click()
        layer = viewer.layers[-1]
        assert layer.data.shape == image.data.shape
        assert layer.mode == "paint"
        assert [pair.images for pair in train.source.pairs.pairs] == [(image,)]


class TestKeptPaint:
    def test_is_offered_again_over_its_image(
        self, viewer: napari.Viewer, train: TrainWidget, picture: Volume, show: Callable[[Volume], Image], qtbot: QtBot
    ) -> None:
        keeper = train.source.keeper
        image = show(picture.with_data(picture.data[::-1].copy()))  # on which nobody else paints
        key = image_key(image.data)
        labels = new_labels(viewer, image)
        labels.paint((5, 6, 7), 3)
        rename(labels, 3, "liver")
        mark(labels, [(0, 5)])
        voxels = labels.data.copy()
        viewer.layers.remove(labels)  # as if the program had ended
        qtbot.waitUntil(lambda: keeper.isVisibleTo(train))
        assert "scan" in keeper.note.text()
        assert all("scan" not in str(path) for path in find_paint(key))
        assert train._scroll.widget().minimumSizeHint().width() <= 320 - 16  # a scroll bar beside it
        keeper.back_button.click()
        qtbot.waitUntil(lambda: len(viewer.layers) == 2)
        again = viewer.layers[-1]
        assert [pair.labels for pair in train.source.pairs.pairs] == [again]
        np.testing.assert_array_equal(again.data, voxels)
        assert complete_slices(again) == [(0, 5)]
        assert [label.name for label in labels_in(again, [3])] == ["liver"]
        assert not keeper.isVisibleTo(train)
        again.paint((9, 9, 9), 3)
        viewer.layers.remove(again)
        qtbot.waitUntil(lambda: keeper.isVisibleTo(train))
        (path,) = find_paint(key)  # where it was before
        assert read_paint(path).voxels[9, 9, 9] == 3
        keeper.forget_button.click()
        assert not keeper.isVisibleTo(train)
        qtbot.waitUntil(lambda: not find_paint(key))

    def test_what_was_undone_is_kept_undone(
        self, train: TrainWidget, image: Image, painted: Labels, qtbot: QtBot
    ) -> None:
        keeper = train.source.keeper
        painted.paint((5, 5, 5), 3)
        keeper.save()
        for change in (painted.undo, painted.redo, painted.undo):
            change()
            assert [one.labels for one in keeper._touched] == [painted]
            keeper.save()
        painted.refresh()  # as for another slice
        assert keeper._touched == []
        until_looked(qtbot, train)
        train.source.refresh()
        until_looked(qtbot, train)
        assert 3 not in train.source.known[0][1].counts

    def test_what_is_saved_elsewhere_is_not_kept(self, train: TrainWidget, painted: Labels) -> None:
        train.source.keeper.save()
        painted.metadata["resmed"] = {"autosaved": True}
        painted.paint((5, 5, 5), 1)
        assert train.source.keeper._touched == []
        painted.metadata["resmed"]["autosaved"] = False
        painted.paint((5, 5, 6), 1)
        assert [one.labels for one in train.source.keeper._touched] == [painted]


class TestSeveralPairs:
    @pytest.fixture
    def second(
        self, viewer: napari.Viewer, painted: Labels, picture: Volume, show: Callable[[Volume], Image]
    ) -> Labels:
        """Another image, and a box painted over it."""
        other = show(Volume(picture.data[:24] + 1, picture.affine, "zyx", "MR", "other"))
        labels = new_labels(viewer, other)
        labels.data = np.zeros_like(labels.data)
        labels.data[4:12, 6:14, 8:16] = 2
        return labels

    def test_patient_is_asked_for_where_there_are_several(
        self, train: TrainWidget, painted: Labels, second: Labels, qtbot: QtBot
    ) -> None:
        pairs = train.source.pairs
        pairs.tick(second, False)
        assert pairs.table.isColumnHidden(2)
        pairs.tick(second)
        assert not pairs.table.isColumnHidden(2)
        assert [pair.labels for pair in pairs.pairs] == [second, painted]
        pairs.show_patients({painted: "patient 1", second: "patient 1"})
        assert [pairs.table.item(row, 2).text() for row in (0, 1)] == ["patient 1", "patient 1"]
        pairs.table.item(0, 2).setText("  no   4 ")
        assert pairs.table.item(0, 2).text() == "no 4"
        until_looked(qtbot, train)
        assert [case["group"] for case in train.source.collect()()] == ["no 4", ""]
        for image in (pair.images[0] for pair in pairs.pairs):
            image.metadata["resmed"]["origin"] = Origin(path=Path("one.nii.gz"))
        assert [case["group"] for case in train.source.collect()()] == ["no 4", "patient 1"]
        pairs.table.item(1, 2).setText("")  # nobody knows, whatever the file says
        assert [case["group"] for case in train.source.collect()()] == ["no 4", ""]
        assert "Their files say patient 1" in pairs.table.item(1, 2).toolTip()
        train.source.refresh()
        assert pairs.table.item(1, 2).text() == ""
        pairs.table.item(1, 2).setText("patient 1")  # its file is believed again
        assert [pair.patient for pair in pairs.pairs] == ["no 4", None]

    def test_each_says_whether_only_paint_counts(
        self, train: TrainWidget, painted: Labels, second: Labels, qtbot: QtBot
    ) -> None:
        second.data[::2] = 0
        second.data = second.data
        until_looked(qtbot, train)
        only, table = train.source.only, train.source.pairs.table
        assert [(only.of(layer), layer) for layer in (second, painted)] == [(True, second), (False, painted)]
        assert [table.item(row, 3).checkState() for row in (0, 1)] == [Qt.CheckState.Checked, Qt.CheckState.Unchecked]
        assert only.tick.checkState() == Qt.CheckState.PartiallyChecked
        assert only.note.text().startswith("In 1 of 2")
        assert [case["only_painted"] for case in train.source.collect()()] == [True, False]
        table.item(0, 3).setCheckState(Qt.CheckState.Unchecked)
        assert [case["only_painted"] for case in train.source.collect()()] == [False, False]
        only.tick.click()  # of all
        assert [case["only_painted"] for case in train.source.collect()()] == [True, True]
        assert train.source.is_little

    def test_what_nobody_looked_for_is_unknown(
        self, train: TrainWidget, painted: Labels, second: Labels, qtbot: QtBot
    ) -> None:
        until_looked(qtbot, train)
        sought = train.source.sought
        assert sought.isVisibleTo(train)
        assert train._scroll.widget().minimumSizeHint().width() <= 320 - 16  # a scroll bar beside it
        assert f"Not painted in {painted.name}: label 2 counts as absent." in sought.note.text()
        assert [case["annotated"] for case in train.source.collect()()] == [None, None]
        (_, inside) = [action.menu() for action in sought.menu.actions()]
        inside.actions()[0].trigger()
        assert f"Not painted in {painted.name}: label 2 is unknown." in sought.note.text()
        collected = train.source.collect()()
        assert [case["annotated"] for case in collected] == [None, [1]]
        assert join_cases(collected).cases[1].annotated == (1,)
        painted.data[0, 0, 0] = 2  # painted after all
        assert [case["annotated"] for case in train.source.collect()()] == [None, None]
        train.source.pairs.tick(second, False)
        assert not sought.isVisibleTo(train)


class TestPartlyPainted:
    @pytest.fixture
    def strokes(self, viewer: napari.Viewer, image: Image) -> Labels:
        """The ball on every fourth slice."""
        labels = new_labels(viewer, image)
        full = np.asarray(image.data) > 140
        data = np.zeros(full.shape, np.uint8)
        data[::4] = full[::4]
        labels.data = data
        return labels

    def test_is_noticed_and_said(self, train: TrainWidget, strokes: Labels, qtbot: QtBot) -> None:
        until_looked(qtbot, train)
        assert train.source.only.tick.isChecked()
        along = int(strokes.data.any((1, 2)).sum())
        assert train.source.only.note.text().startswith(f"{along} of 32 slices are painted")
        train.source.only.tick.click()
        assert "background" in train.source.only.note.text()
        strokes.data = strokes.data.copy()
        until_looked(qtbot, train)
        assert not train.source.only.tick.isChecked()  # what the person said stays

    def test_a_click_right_after_the_last_stroke_is_judged_by_it(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, qtbot: QtBot
    ) -> None:
        labels = new_labels(viewer, image)
        until_looked(qtbot, train)
        assert "Nothing is painted" in train.source.trouble()
        labels.paint((16, 16, 16), 1)
        assert not train.source.is_up_to_date
        assert train.source.trouble(at_click=True) == ""
        (case,) = train.source.collect()()
        assert case["labels"].data.any()

    def test_one_structure_alone_teaches_nothing(self, train: TrainWidget, strokes: Labels, qtbot: QtBot) -> None:
        until_looked(qtbot, train)
        assert "nothing to tell it from" in train.source.trouble()
        train.train_button.click()
        assert not train.is_running
        with pytest.raises(InputError, match="nothing to tell it from"):
            train.source.collect()()
        train.source.only.slices.all_button.click()
        assert train.source.trouble() == ""
        train.source.only.slices.unmark_button.click()
        assert complete_slices(strokes) == []

    def test_marks_over_a_colour_image_are_in_the_files_own_axes(self) -> None:
        turned = np.array([[0, 0, -2.0, 9], [0, -3.0, 0, 8], [-4.0, 0, 0, 7], [0, 0, 0, 1]])
        colours = np.random.default_rng(0).integers(0, 255, (3, 8, 9, 10), np.uint8)
        data, attributes, _ = volume_to_layer(Volume(colours, turned, "czyx", meta={"photometric": "RGB"}))
        image = Image(data, **attributes)
        assert image.rgb
        painted = np.zeros(image.data.shape[:3], np.uint8)
        painted[:, 2] = 1
        labels = Labels(painted, features={"index": [0, 1], "structure": ["background", "ball"]})
        mark(labels, [(1, 2)])
        (case,) = collect_cases([Pair(labels, (image,), only_painted=True)])()
        ((axis, index),) = case["complete_slices"]
        assert np.moveaxis(case["labels"].data, axis, 0)[index].all()

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_the_slice_that_is_seen_is_marked_in_the_files_own_axes(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, strokes: Labels, qtbot: QtBot, axis: int
    ) -> None:
        data = np.zeros(strokes.data.shape, np.uint8)
        np.moveaxis(data, axis, 0)[11, 3:9, 4:20] = 1
        strokes.data = data
        until_looked(qtbot, train)
        viewer.dims.order = (axis, *(k for k in range(3) if k != axis))
        viewer.dims.set_point(axis, strokes.data_to_world(np.eye(3)[axis] * 11)[axis])
        train.source.only.slices.slice_button.click()
        assert complete_slices(strokes) == [(axis, 11)]
        assert train.source.only.slices.slice_button.isChecked()
        viewer.dims.set_point(axis, strokes.data_to_world(np.eye(3)[axis] * 12)[axis])
        assert not train.source.only.slices.slice_button.isChecked()
        (case,) = train.source.collect()()
        ((own, index),) = case["complete_slices"]
        # All that was painted lies on it, and on no other slice.
        slices = np.moveaxis(case["labels"].data, own, 0)
        assert np.flatnonzero(slices.any((1, 2))).tolist() == [index]
        assert slices[index].sum() == data.sum()
        assert case["only_painted"]

    def test_painted_background_is_something_to_tell_it_from(
        self, train: TrainWidget, strokes: Labels, qtbot: QtBot
    ) -> None:
        strokes.data[0, :4, :4] = 2
        strokes.data = strokes.data
        until_looked(qtbot, train)
        train.source.names.table.item(1, 2).setText("Background")
        assert train.source.trouble() == ""
        assert train.source.structures == ["label 1"]


class TestWrongInput:
    def test_without_an_image(self, viewer: napari.Viewer, train: TrainWidget) -> None:
        assert "Open an image first" in train.source.trouble()
        viewer.add_labels(ball().astype(np.uint8))
        assert "Labels alone teach nothing" in train.source.trouble()
        assert not train.train_button.isEnabled()

    def test_nothing_painted(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, qtbot: QtBot, messages: Messages
    ) -> None:
        new_labels(viewer, image).name = "mine"
        until_looked(qtbot, train)
        train.train_button.click()
        assert not train.is_running
        assert train.view.status.text().startswith("Nothing is painted in mine")
        assert [text for severity, text in messages if severity == "error"] == [train.view.status.text()]

    def test_single_slices(self, viewer: napari.Viewer, train: TrainWidget) -> None:
        viewer.add_image(np.random.default_rng(0).random((32, 32)))
        viewer.add_labels(np.ones((32, 32), np.uint8))
        assert "2D" in train.source.trouble()

    def test_one_label_everywhere(self, train: TrainWidget, painted: Labels, qtbot: QtBot) -> None:
        painted.data = np.ones_like(painted.data)
        until_looked(qtbot, train)
        assert "covers everything" in train.source.trouble()

    @pytest.mark.parametrize("name", ["", "a/b", ".hidden"])
    def test_names_that_no_model_can_have(self, train: TrainWidget, painted: Labels, qtbot: QtBot, name: str) -> None:
        until_looked(qtbot, train)
        train.options.name_edit.setText(name)
        train.train_button.click()
        assert not train.is_running
        assert "name" in train.view.status.text()

    def test_different_numbers_of_images(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, painted: Labels, picture: Volume,
        show: Callable[[Volume], Image],
    ) -> None:  # fmt: skip
        second = show(picture.with_data(-picture.data))
        train.source.pairs.choose_images(painted, [image, second])
        third = viewer.add_image(np.random.default_rng(1).random((20, 20, 20)))
        new_labels(viewer, third)
        assert "every case needs the same images" in train.source.trouble()

    def test_labels_on_another_grid_are_resampled_into_a_new_layer(
        self, viewer: napari.Viewer, train: TrainWidget, image: Image, qtbot: QtBot
    ) -> None:
        low, _ = image.extent.world
        coarse = np.zeros((16, 16, 16), np.uint8)
        coarse[4:10, 5:12, 6:11] = 3
        # Every voxel covers eight of the image's: its centre lies between them.
        labels = viewer.add_labels(coarse, scale=(2, 2, 2), translate=np.array(low) + 0.5, units="mm", name="coarse")
        before = labels.data.copy()
        assert "coarse lies on another grid than scan" in train.source.trouble()
        train.source.resample_button.click()
        qtbot.waitUntil(lambda: len(viewer.layers) == 3)
        made = viewer.layers[-1]
        assert made.data.shape == image.data.shape
        np.testing.assert_array_equal(made.data, coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2))
        np.testing.assert_array_equal(labels.data, before)
        until_looked(qtbot, train)
        assert [pair.labels for pair in train.source.pairs.pairs] == [made]
        assert train.source.trouble() == ""


class TestFromDisk:
    @pytest.fixture
    def folder(self, tmp_path: Path, picture: Volume) -> Path:
        names = LabelSet((Label(1, "ball", (230, 159, 0)),))
        for kind in ("images", "labels"):
            (tmp_path / "balls" / kind).mkdir(parents=True)
        for number in range(3):
            labels = LabelMap((picture.data > 140).astype(np.uint8), picture.affine, labels=names)
            write(picture.with_data(picture.data + number), tmp_path / "balls" / "images" / f"case{number}.nii.gz")
            write(labels, tmp_path / "balls" / "labels" / f"case{number}.nii.gz")
        return tmp_path / "balls"

    def test_is_counted_and_trained_on(self, train: TrainWidget, folder: Path, qtbot: QtBot) -> None:
        train.set_data(str(folder))
        qtbot.waitUntil(lambda: train.source.dataset is not None)
        assert "<b>balls</b>: 3 cases" in train.source.disk.line.text()
        assert train.options.name == "balls"
        assert train.train_button.isEnabled()
        plan(train, steps=6, check_every=3)
        train.train_button.click()
        finish(qtbot, train)
        assert train.result is not None, train.view.status.text()
        assert "held-out case" in train.view.status.text()
        train.set_data("")
        assert train.source.disk.line.text() == "Learn from the layers of this window"

    def test_says_that_images_are_painted(self, train: TrainWidget, folder: Path, qtbot: QtBot) -> None:
        train.set_data(str(folder / "labels"))
        qtbot.waitUntil(lambda: train.source.dataset is not None)
        assert "3 cases (3 of them label maps alone, whose images are painted)" in train.source.disk.line.text()

    def test_label_maps_without_an_image_count_where_images_are_painted(
        self, train: TrainWidget, folder: Path, qtbot: QtBot
    ) -> None:
        (folder / "images" / "case2.nii.gz").unlink()
        line = train.source.disk.line
        train.set_data(str(folder))
        qtbot.waitUntil(lambda: "<b>balls</b>: 2 cases of" in line.text())
        train.more.images_choice.setCurrentIndex(1)
        assert not train.train_button.isEnabled()  # until it was looked into again
        painted = "<b>balls</b>: 3 cases (1 of them label maps alone, whose images are painted)"
        qtbot.waitUntil(lambda: painted in line.text())
        assert train.train_button.isEnabled()
        train.more.images_choice.setCurrentIndex(0)
        qtbot.waitUntil(lambda: "<b>balls</b>: 2 cases of" in line.text())

    def test_a_folder_without_cases_is_one_sentence(
        self, train: TrainWidget, tmp_path: Path, qtbot: QtBot, messages: Messages
    ) -> None:
        train.set_data(str(tmp_path / "nowhere"))
        qtbot.waitUntil(lambda: train.source.data is None)
        assert "nowhere" in train.view.status.text()
        assert len([text for severity, text in messages if severity == "error"]) == 1


class TestPlanEditor:
    @pytest.fixture
    def editor(self, train: TrainWidget):
        train.more.show_plan({"minutes": 10.0, "steps": None, "patch": [32, 32, 32], "labels": []})
        train.more.plan_button.click()
        return train.more.plan

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "no JSON"),
            ("[1]", "no JSON object"),
            ('{"pacth": [1, 2, 3]}', "no entry “pacth”"),
            ('{"labels": [1]}', "comes from the data"),
        ],
    )
    def test_says_what_is_wrong(self, editor, text: str, said: str) -> None:
        editor.text.setPlainText(text)
        editor.use_button.click()
        assert said in editor.problem.text()
        assert editor.changes == {}

    def test_only_changed_entries_are_kept(self, train: TrainWidget, editor) -> None:
        editor.text.setPlainText(editor.text.toPlainText().replace('"minutes": 10.0', '"minutes": 3'))
        editor.use_button.click()
        assert editor.changes == {"minutes": 3}
        assert train.more.parameters["plan"] == {"minutes": 3}
        assert "minutes" in train.more.plan_note.text()
        editor.reset_button.click()
        assert train.more.parameters["plan"] is None


def test_painted_images_are_asked_for(train: TrainWidget) -> None:
    assert train.more.parameters["synthetic"] is None
    train.more.images_choice.setCurrentIndex(1)
    assert train.more.parameters["synthetic"] == 0.5
    train.task_choice.setCurrentIndex(1)
    assert train.more.parameters["synthetic"] is None
