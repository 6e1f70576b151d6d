"""The panel's code, click by click, on stand-ins for its widgets; see tests/slicer/shim for what that leaves out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

import ResMed
from ResMedLib import install
from ResMedLib.cases import TrainCase, add_case, cases_of
from ResMedLib.class_cases import ClassCase, class_cases_of, say_class
from ResMedLib.undo import add_node, step
from tests.slicer import nodes
from tests.slicer.shim.qt import fire_timers
from tests.slicer.test_classify import classifier
from tests.slicer.test_painted import ONE, segmentation
from tests.slicer.test_train import PLAN
from tests.train.classify.small import QUICK as CLASS_PLAN
from tests.train.classify.small import network


@pytest.fixture
def closed(worker: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The panel before it is opened; the worker is ended by the session, not by the panel."""
    monkeypatch.setattr("ResMed.ResMedLogic.close", lambda self: None)
    monkeypatch.setattr("ResMed.ResMedLogic.warm_up", lambda self, model: None)
    widget = ResMed.ResMedWidget()
    yield widget
    widget.exit()
    widget.cleanup()


@pytest.fixture
def panel(closed: Any) -> Any:
    """The panel over an empty scene."""
    closed.setup()
    return closed


@pytest.fixture
def two(models: Path) -> Iterator[Path]:
    """A model that classifies, of two channels."""
    with classifier(models, "two", ("T1", "FLAIR")) as folder:
        yield folder


def run(area: Any) -> str:
    """Until the job under way is over; what is said then."""
    end = time.monotonic() + 600
    while area.is_running:
        assert time.monotonic() < end
        fire_timers()
        time.sleep(0.02)
    return str(area._words.text)


def until_curves(area: Any) -> None:
    """Until a training under way has told its first figure."""
    end = time.monotonic() + 600
    while not slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode"):
        assert area.is_running, area._words.text
        assert time.monotonic() < end
        fire_timers()
        time.sleep(0.02)


def choose(combo: Any, text: str) -> None:
    """What a person does."""
    combo.currentIndex = combo.texts.index(text)
    combo.emit("activated(int)", combo.currentIndex)


class TestSegment:
    def test_choose_click_done_undo(self, panel: Any) -> None:
        ui = panel.ui
        assert not ui.applyButton.enabled
        node = nodes.volume(nodes.bands(), np.eye(4), "T1")
        ui.volumeSelector.setCurrentNode(node)
        choose(ui.modelComboBox, "bands")
        assert ui.modelNote.text == "MR, 3 structures"
        ui.applyButton.click()
        assert ui.cancelButton.visible
        assert not ui.applyButton.enabled
        said = run(panel.progress)
        assert said.startswith("Made T1 bands: 3 structures in ")
        assert not ui.cancelButton.visible
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
        ui.undoButton.click()
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
        assert not ui.undoButton.enabled
        assert panel.parameters.volume is node

    def test_undo_asks_where_somebody_painted_since(self, panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        answers = iter([False, True])
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, *_: asked.append(text) or next(answers))
        volume = nodes.volume(nodes.bands(), np.eye(4), "T1")
        panel.ui.volumeSelector.setCurrentNode(volume)
        choose(panel.ui.modelComboBox, "bands")
        panel.ui.applyButton.click()
        run(panel.progress)
        (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        slicer.util.updateSegmentBinaryLabelmapFromArray(ONE.astype(np.uint8), node, "Segment_2", volume)
        panel.ui.undoButton.click()
        assert "T1 bands was painted on" in asked[0]
        assert slicer.mrmlScene.IsNodePresent(node)
        panel.ui.undoButton.click()
        assert not slicer.mrmlScene.IsNodePresent(node)

    def test_cancel(self, panel: Any) -> None:
        panel.ui.volumeSelector.setCurrentNode(nodes.volume(np.tile(nodes.bands((20, 20, 20)), (4, 4, 4)), np.eye(4)))
        choose(panel.ui.modelComboBox, "heavy")
        panel.ui.applyButton.click()
        panel.ui.cancelButton.click()
        assert run(panel.progress) == "Cancelled; nothing was changed."

    def test_an_error_is_one_sentence(self, panel: Any) -> None:
        panel.ui.volumeSelector.setCurrentNode(nodes.volume(nodes.bands((1, 9, 9)), np.eye(4)))
        choose(panel.ui.modelComboBox, "bands")
        panel.ui.applyButton.click()
        assert "2D" in run(panel.progress)

    def test_frames_are_asked_for_only_of_a_sequence(self, panel: Any) -> None:
        proxy, _ = nodes.sequence([nodes.bands(), nodes.bands()])
        panel.ui.volumeSelector.setCurrentNode(nodes.volume(nodes.bands()))
        assert not panel.ui.frameSpinBox.visible
        panel.ui.volumeSelector.setCurrentNode(proxy)
        assert panel.ui.frameSpinBox.visible

    def test_a_model_for_such_volumes_is_proposed_until_one_is_chosen(self, panel: Any) -> None:
        mr, ct = nodes.volume(nodes.bands() + 100), nodes.volume(nodes.bands() - 1024)
        shown = panel.ui.modelComboBox
        panel.ui.volumeSelector.setCurrentNode(mr)
        assert shown.currentText == "brain-mr"
        panel.ui.volumeSelector.setCurrentNode(ct)
        assert (shown.currentText, panel.parameters.model) == ("head-neck-ct", "")
        panel.ui.volumeSelector.setCurrentNode(mr)
        assert shown.currentText == "brain-mr"
        choose(shown, "brain-mr")  # what is shown
        panel.ui.volumeSelector.setCurrentNode(ct)
        assert (shown.currentText, panel.parameters.model) == ("brain-mr", "brain-mr")
        choose(shown, "hippocampus-mr")
        panel.ui.volumeSelector.setCurrentNode(mr)
        assert (shown.currentText, panel.parameters.model) == ("hippocampus-mr", "hippocampus-mr")

    def test_a_model_is_proposed_anew_in_the_next_scene(self, panel: Any) -> None:
        ct = nodes.volume(nodes.bands() - 1024)
        panel.ui.volumeSelector.setCurrentNode(ct)
        assert panel.ui.modelComboBox.currentText == "head-neck-ct"
        number = ct.GetID()
        panel.exit()
        panel.parent.isEntered = False  # another module is shown
        slicer.mrmlScene.Clear(0)
        mr = nodes.volume(nodes.bands() + 100)
        assert mr.GetID() == number  # nodes are numbered anew
        panel.enter()
        panel.ui.volumeSelector.setCurrentNode(mr)
        assert panel.ui.modelComboBox.currentText == "brain-mr"

    def test_a_model_that_is_not_installed_here_is_told_of(self, panel: Any) -> None:
        panel.parameters.model = "elsewhere"
        panel.fill_models()
        assert "The model elsewhere, chosen in this scene, is not installed" in panel.ui.modelNote.text
        panel.ui.volumeSelector.setCurrentNode(nodes.volume(nodes.bands() - 1024))
        assert panel.ui.modelComboBox.currentText == "head-neck-ct"
        choose(panel.ui.modelComboBox, "head-neck-ct")
        assert panel.ui.modelNote.text.startswith("CT, 7 structures")

    def test_a_folder(self, panel: Any) -> None:
        item = nodes.folder("study", *(nodes.volume(nodes.bands(), np.eye(4), name) for name in "ab"))
        choose(panel.ui.modelComboBox, "bands")
        panel.ui.folderComboBox.setCurrentItem(item)
        panel.ui.batchApplyButton.click()
        assert run(panel.progress).startswith("Made 2 segmentations in ")
        panel.ui.folderComboBox.setCurrentItem(nodes.folder("empty"))
        panel.ui.batchApplyButton.click()
        assert panel.ui.statusLabel.text.startswith("There is no volume in this folder")


class TestTrain:
    def test_a_base_that_is_not_there_is_told_of(self, panel: Any) -> None:
        panel.parameters.base = "elsewhere"
        panel.fill_models()
        assert panel.ui.baseComboBox.currentText == "nothing (from scratch)"
        assert "The model elsewhere, chosen in this scene, is none to start from" in panel.ui.baseNote.text
        panel.train_panel.bases.choose("brain-mr")
        assert "30 structures" in panel.ui.baseNote.text

    def test_a_segmentation_brings_its_volume_and_its_model(self, panel: Any) -> None:
        from ResMedLib.segmentations import MADE_BY

        volume = nodes.volume(nodes.bands())
        node = segmentation(volume, tumour=ONE)
        node.SetAttribute(MADE_BY, '{"model": "bands"}')
        panel.ui.segmentationSelector.setCurrentNode(node)
        assert panel.parameters.trainVolume is volume
        assert panel.ui.baseComboBox.currentText == "bands"
        panel.ui.addCaseButton.click()
        assert panel.ui.casesList.texts == ["painted over volume"]
        panel.ui.casesList.currentRow = 0
        panel.ui.removeCaseButton.click()
        assert panel.ui.casesList.texts == []

    def test_train_and_stop(self, panel: Any, worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ResMedLib import train

        # With a tiny network: the plan is not what is looked at here.
        monkeypatch.setattr(train, "train", partial(train.train, plan={**PLAN, "steps": 100_000}, precision="fp32"))
        ui = panel.ui
        noise = np.random.default_rng(0).normal(20, 3, ONE.shape)
        volume = nodes.volume((noise + 60 * ONE).astype(np.float32), np.eye(4))
        ui.segmentationSelector.setCurrentNode(segmentation(volume, tumour=ONE))
        ui.minutesSpinBox.value = 0.05
        choose(ui.deviceComboBox, "cpu")
        choose(ui.imagesComboBox, "half painted from labels")
        ui.trainButton.click()
        assert ui.newModelEdit.placeholderText == "my-model"
        assert ui.stopButton.visible
        assert not ui.trainButton.visible
        ui.stopButton.click()
        said = run(panel.training)
        assert said.startswith("Made my-model in "), said
        assert "It was stopped early" in said
        card = (worker / "my-model" / "docs" / "README.md").read_text(encoding="utf-8")
        assert "50% of the training images were painted from label maps" in card
        assert ui.unfinishedLabel.text == "The training of my-model is unfinished."
        assert "my-model" in ui.modelComboBox.texts
        # The next one is another, unless the person says otherwise.
        assert ui.newModelEdit.placeholderText == "my-model-2"
        ui.newModelEdit.text = "my-model"
        assert ui.newModelNote.visible

    def test_nothing_painted_is_told(self, panel: Any) -> None:
        volume = nodes.volume(nodes.bands())
        node = segmentation(volume)
        node.GetSegmentation().AddEmptySegment("tumour", "tumour")
        panel.ui.segmentationSelector.setCurrentNode(node)
        panel.ui.trainButton.click()
        assert panel.ui.trainStatusLabel.text.startswith("Case 1: nothing is painted over the volume")

    def test_only_paint_is_each_segmentations_own(self, panel: Any) -> None:
        ui = panel.ui
        assert not ui.onlyPaintedCheckBox.enabled
        volumes = [nodes.volume(nodes.bands(), name=name) for name in ("one", "two")]
        painted = [segmentation(volume, tumour=ONE) for volume in volumes]
        for node in painted:
            ui.segmentationSelector.setCurrentNode(node)
            assert not ui.onlyPaintedCheckBox.checked
            ui.onlyPaintedCheckBox.checked = node is painted[1]
            ui.addCaseButton.click()
        assert ui.casesList.texts == ["painted over one", "painted over two, only paint"]
        ui.casesList.click_row(0)
        assert ui.segmentationSelector.currentNode() is painted[0]
        assert ui.trainVolumeSelector.currentNode() is volumes[0]
        assert not ui.completeSlices.visible
        ui.onlyPaintedCheckBox.checked = True
        assert ui.completeSlices.visible
        assert ui.casesList.texts[0] == "painted over one, only paint"
        assert ui.casesList.currentRow == 0
        assert ui.segmentationSelector.currentNode() is painted[0]

    def test_without_a_volume_where_images_are_painted(self, panel: Any) -> None:
        ui = panel.ui
        volume = nodes.volume(nodes.bands())
        node = segmentation(volume, tumour=ONE)
        ui.segmentationSelector.setCurrentNode(node)
        ui.trainVolumeSelector.setCurrentNode(None)
        assert not ui.addCaseButton.enabled
        assert not ui.trainButton.enabled
        choose(ui.imagesComboBox, "half painted from labels")
        assert ui.trainButton.enabled
        ui.addCaseButton.click()
        assert ui.casesList.texts == ["painted without an image"]

    def test_another_segmentation_takes_no_channel_of_the_one_before(self, panel: Any) -> None:
        ui = panel.ui
        volumes = [nodes.volume(nodes.bands(), name=name) for name in ("one", "two", "three")]
        ui.segmentationSelector.setCurrentNode(segmentation(volumes[0], tumour=ONE))
        ui.trainChannel2Selector.setCurrentNode(volumes[1])
        ui.segmentationSelector.setCurrentNode(segmentation(volumes[2], tumour=ONE))
        assert (panel.parameters.trainVolume, panel.parameters.trainChannel2) == (volumes[2], None)
        loose = segmentation(volumes[2], tumour=ONE)
        loose.SetNodeReferenceID(loose.GetReferenceImageGeometryReferenceRole(), None)
        ui.segmentationSelector.setCurrentNode(loose)
        assert panel.parameters.trainVolume is None

    def test_complete_slices(self, panel: Any) -> None:
        ui = panel.ui
        volume = nodes.volume(nodes.bands(), np.eye(4))
        nodes.slice_view("Red", np.diag([1.0, 1, 1, 1]))
        node = segmentation(volume, tumour=ONE)
        ui.segmentationSelector.setCurrentNode(node)
        assert not ui.completeSlices.visible
        ui.onlyPaintedCheckBox.checked = True
        assert ui.completeSlices.visible
        ui.completeSliceButton.click()
        assert ui.trainStatusLabel.text == "Slice 0 is complete."
        assert ui.completeSlicesLabel.text.startswith("1 marked")
        ui.completeSliceButton.click()
        ui.completePaintedButton.click()
        assert ui.completeSlicesLabel.text.startswith("4 marked")
        ui.unmarkSlicesButton.click()
        assert not ui.unmarkSlicesButton.enabled

    def test_classes_of_volumes_cancelled_and_resumed(self, panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """From a folder of the subject hierarchy to a classifier in the Classify tab, by way of Cancel."""
        from ResMedLib import train_classes

        plan = {**CLASS_PLAN, "steps": 100_000, "batch": 4, "arguments": network(spatial_dims=3)}
        quick = partial(train_classes.train_classes, plan=plan, precision="fp32")
        monkeypatch.setattr(train_classes, "train_classes", quick)
        ui = panel.ui
        assert ui.classifyButton.enabled is False
        choose(ui.imagesComboBox, "all painted from labels")  # of classes nothing can be painted
        ui.taskComboBox.currentIndex = 1
        assert ui.classSource.visible
        assert not ui.paintedSource.visible
        assert not ui.trainButton.enabled
        rng = np.random.default_rng(0)
        for kind, name in enumerate(("dark", "bright")):
            arrays = [(rng.normal(20, 3, ONE.shape) + 60 * kind * ONE).astype(np.float32) for _ in range(3)]
            shown = [nodes.volume(array, np.eye(4)) for array in arrays]
            ui.classItemComboBox.setCurrentItem(nodes.folder(name, *shown))
            ui.classNameEdit.text = name
            ui.addClassButton.click()
        assert ui.classAdvice.text == "3 bright, 3 dark."
        assert ui.newModelEdit.placeholderText == "bright-or-dark"
        choose(ui.deviceComboBox, "cpu")
        before = slicer.mrmlScene.GetNumberOfNodes()
        ui.trainButton.click()
        until_curves(panel.training)
        ui.trainCancelButton.click()
        assert run(panel.training) == "Cancelled; the training of bright-or-dark can be resumed."
        assert slicer.mrmlScene.GetNumberOfNodes() == before
        ui.resumeButton.click()
        until_curves(panel.training)
        ui.stopButton.click()
        said = run(panel.training)
        assert said.startswith("Made bright-or-dark in "), said
        assert "AUC" in said
        assert ui.classModelComboBox.texts == ["bright-or-dark"]
        assert ui.classModelNote.text == "image: bright, dark"
        ui.classVolumeSelector.setCurrentNode(shown[0])
        ui.classifyButton.click()
        assert run(panel.progress).startswith("It is ")


class TestClassify:
    def test_frame_and_channels_are_asked_for_where_there_are_several(self, panel: Any, two: Path) -> None:
        ui = panel.ui
        panel.fill_models()
        choose(ui.classModelComboBox, "two")
        proxy, _ = nodes.sequence([nodes.bands(), nodes.bands()[::-1]])
        ui.classVolumeSelector.setCurrentNode(nodes.volume(nodes.bands(), name="first"))
        assert not ui.classFrameSpinBox.visible
        ui.classVolumeSelector.setCurrentNode(proxy)
        assert ui.classFrameSpinBox.visible
        assert ui.classChannel2Label.visible
        assert ui.classChannel2Label.text == "FLAIR:"
        assert not ui.classChannel3Selector.visible
        ui.explainCheckBox.checked = False
        choose(ui.deviceComboBox, "cpu")
        ui.classFrameSpinBox.value = 1
        ui.classifyButton.click()
        assert run(panel.progress).startswith("It is ")
        (table,) = slicer.util.getNodesByClass("vtkMRMLTableNode")
        assert table.GetTable().GetValue(0, 0).ToString() == f"{proxy.GetName()} frame 1"
        ui.classVolumeSelector.setCurrentNode(None)
        assert not ui.classifyButton.enabled
        ui.classChannel2Selector.setCurrentNode(proxy)
        assert ui.classifyButton.enabled


class TestReload:
    def test_the_library_is_loaded_anew_and_its_workers_end(self, panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        ours = {name: one for name, one in sys.modules.items() if name.partition(".")[0] in ("ResMed", "ResMedLib")}
        for name, module in ours.items():
            monkeypatch.setitem(sys.modules, name, module)  # the other tests have imported these
        closed: list[bool] = []
        monkeypatch.setattr(
            type(panel.logic), "close", lambda _: closed.append(sys.modules["ResMed"] is ours["ResMed"])
        )
        panel.onReload()
        assert closed[0]
        for name in ("ResMedLib", "ResMedLib.install", "ResMedLib.undo"):
            assert sys.modules[name] is not ours[name]
        assert sys.modules["ResMed"].install is sys.modules["ResMedLib.install"]


class TestScene:
    def test_the_choices_are_saved_with_the_scene(self, panel: Any, tmp_path: Path) -> None:
        node = nodes.volume(nodes.bands(), name="T1")
        node.AddDefaultStorageNode()
        panel.ui.volumeSelector.setCurrentNode(node)
        choose(panel.ui.modelComboBox, "heavy")
        panel.ui.mirroredCheckBox.checked = True
        panel.ui.quickCheckBox.checked = True
        panel.ui.minutesSpinBox.value = 2.5
        choose(panel.ui.imagesComboBox, "all painted from labels")
        assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
        slicer.mrmlScene.Clear(True)
        assert panel.ui.volumeSelector.currentNode() is None
        assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
        panel.enter()
        assert panel.parameters.volume.GetName() == "T1"
        assert panel.ui.modelComboBox.currentText == "heavy"
        assert panel.ui.mirroredCheckBox.checked
        assert panel.ui.quickCheckBox.checked
        assert panel.ui.minutesSpinBox.value == 2.5
        assert panel.ui.imagesComboBox.currentText == "all painted from labels"

    def test_the_choices_stay_while_another_module_is_open(self, panel: Any) -> None:
        ui = panel.ui
        choose(ui.careComboBox, "careful")
        ui.taskComboBox.currentIndex = 1
        ui.volumeSelector.setCurrentNode(nodes.volume(nodes.bands()))
        panel.exit()
        ui.minutesSpinBox.value = 99.0  # nobody listens
        panel.refresh()  # a job is over
        panel.enter()
        assert ui.applyButton.enabled
        assert (ui.careComboBox.currentText, ui.taskComboBox.currentIndex) == ("careful", 1)
        assert (panel.parameters.care, panel.parameters.minutes) == ("careful", 10.0)

    def test_undo_leaves_the_lists_to_learn_from(self, panel: Any) -> None:
        volume = nodes.volume(nodes.bands())
        node = segmentation(volume, tumour=ONE)
        with step():
            result = add_node("vtkMRMLSegmentationNode", "result")
        for one in (node, result):
            add_case(panel.parameter_node, TrainCase(one, (volume,)))
        say_class(panel.parameter_node, [volume], "ill")
        panel.undo()
        assert cases_of(panel.parameter_node) == [TrainCase(node, (volume,))]
        assert class_cases_of(panel.parameter_node) == [ClassCase(volume, "ill")]

    def test_closing_the_scene_stops_what_is_under_way(self, panel: Any) -> None:
        panel.ui.volumeSelector.setCurrentNode(nodes.volume(np.tile(nodes.bands((20, 20, 20)), (4, 4, 4)), np.eye(4)))
        choose(panel.ui.modelComboBox, "heavy")
        panel.ui.applyButton.click()
        slicer.mrmlScene.Clear(True)
        assert run(panel.progress) == "Cancelled; nothing was changed."
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


class TestFirstClick:
    def test_it_installs_and_says_so(self, closed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        there = [["napari-resmed"]]
        monkeypatch.setattr(install, "missing", lambda: there[0])
        monkeypatch.setattr(install, "ensure_core", lambda: there.__setitem__(0, []))
        closed.setup()
        ui = closed.ui
        assert "installs what ResMed needs" in ui.statusLabel.text
        assert ui.modelComboBox.texts == []
        ui.volumeSelector.setCurrentNode(nodes.volume(nodes.bands()))
        ui.applyButton.click()
        assert ui.statusLabel.text == "Installed. Choose a model and click again."
        assert "bands" in ui.modelComboBox.texts

    def test_a_core_that_is_older_than_the_module_is_told(self, closed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(install, "_spoken", lambda: 0)
        closed.setup()
        assert "is older than this module; the first click brings it up to date" in closed.ui.statusLabel.text
        assert not closed.has_core

    def test_a_refusal_is_told(self, closed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse() -> None:
            raise install.InstallError("nothing was installed")

        monkeypatch.setattr(install, "missing", lambda: ["napari-resmed"])
        monkeypatch.setattr(install, "ensure_core", refuse)
        closed.setup()
        closed.ui.volumeSelector.setCurrentNode(nodes.volume(nodes.bands()))
        closed.ui.applyButton.click()
        assert closed.ui.statusLabel.text == "Nothing was installed."


class TestModule:
    def test_it_describes_itself_and_offers_its_terms(self, scene: Any) -> None:
        from types import SimpleNamespace

        parent = SimpleNamespace()
        ResMed.ResMed(parent)
        assert parent.categories == ["Segmentation"]
        assert "Not for diagnosis" in parent.helpText
        slicer.app.connected["startupCompleted()"][-1]()
        logic = slicer.modules.terminologies.logic()
        assert logic.IsTerminologyContextLoaded("Segmentation category and type - ResMed")

    def test_its_own_test_runs(self, worker: Path) -> None:
        """With the built-in model, as in the application."""
        ResMed.ResMedTest().runTest()
