"""From painted segments to a model that is in everybody's list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk

from napari_resmed.errors import InputError
from napari_resmed.events import Failed, Finished, Metric, Progress, Warning
from napari_resmed.models.catalogue import list_models
from napari_resmed.train.from_viewer import join_cases
from ResMedLib.cases import TrainCase, add_case, cases_of, remove_case
from ResMedLib.complete_slices import mark
from ResMedLib.only_painted import is_only_painted, say_only_painted
from ResMedLib.segment import segment
from ResMedLib.train import collect, train
from ResMedLib.volumes import source_of
from tests.slicer import nodes
from tests.slicer.test_painted import ONE, TWO, box, segmentation
from tests.train.small import LITTLE_NETWORK, QUICK

# As quick as a training can be: a tiny network, small patches, thirty steps.
PLAN = {**QUICK, "patch": [8, 8, 8], "arguments": {**LITTLE_NETWORK, "out_channels": 2}}
OPTIONS = {"device": "cpu", "precision": "fp32", "minutes": None, "epochs": 1, "plan": PLAN}


def case(seed: int = 0, matrix: np.ndarray = nodes.ASKEW) -> TrainCase:
    """A bright block in noise, painted."""
    noise = np.random.default_rng(seed).normal(20, 3, ONE.shape)
    volume = nodes.volume((noise + 60 * ONE).astype(np.float32), matrix, "scan of the volunteer")
    return TrainCase(segmentation(volume, tumour=ONE), (volume,))


class TestCollect:
    def test_a_case_for_each(self, scene: Any) -> None:
        cases, notes = collect([case(0), case(1, nodes.TURN)], only_painted=False)
        assert [one["name"] for one in cases] == ["case 1", "case 2"]
        assert [one["labels"].counts() for one in cases] == [{1: int(ONE.sum())}] * 2
        assert all(one["labels"].same_grid(one["images"][0]) for one in cases)
        assert notes == []

    def test_names_of_nodes_stay_here(self, scene: Any) -> None:
        one = case()
        one.volumes[0].SetName("Doe^Jane")
        one.segmentation.SetName("Doe^Jane segmentation")
        (collected,), _ = collect([one], only_painted=False)
        assert "Doe" not in repr([collected["name"], collected["images"][0].name, collected["labels"].name])

    def test_several_volumes_are_channels(self, scene: Any) -> None:
        one = case()
        second = nodes.volume(nodes.bands(), name="FLAIR")
        (collected,), _ = collect([TrainCase(one.segmentation, (*one.volumes, second))], only_painted=False)
        assert collected["images"][0].channels == 2

    def test_one_structure_however_its_name_is_written(self, scene: Any) -> None:
        one, two = case(0), case(1)
        two.segmentation.GetSegmentation().GetNthSegment(0).SetName(" Tumour")
        collected, _ = collect([one, two], only_painted=False)
        assert [label.name for label in join_cases(collected).labels] == ["tumour"]

    def test_a_patients_cases_go_together_and_are_numbers(self, scene: Any) -> None:
        cases = [case(0), case(1), case(2)]
        nodes.patient("Doe^Jane", *(one.volumes[0] for one in cases[:2]))
        collected, _ = collect(cases, only_painted=False)
        assert [one["group"] for one in collected] == ["patient 1", "patient 1", ""]

    def test_complete_slices_tell_one_segment_from_the_rest(self, scene: Any) -> None:
        one = case()
        source = source_of(one.volumes[0])
        mark(one.segmentation, source, [(0, 2), (0, 4)])
        (collected,), _ = collect([one], only_painted=True)
        assert collected["complete_slices"] == [(0, 2), (0, 4)]
        (collected,), _ = collect([one], only_painted=False)
        assert collected["complete_slices"] == []

    def test_each_says_whether_only_paint_counts(self, scene: Any, tmp_path: Path) -> None:
        cases = [case(0), case(1)]
        say_only_painted(cases[1].segmentation, True)
        collected, _ = collect(cases)  # the first tells it from the rest
        assert [one["only_painted"] for one in collected] == [False, True]
        collected, _ = collect(cases, only_painted=False)
        assert [one["only_painted"] for one in collected] == [False, False]
        say_only_painted(cases[0].segmentation, True)
        with pytest.raises(InputError, match="only one segment is painted"):
            collect(cases)
        for one in cases:
            one.segmentation.AddDefaultStorageNode()
        assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        scene.Clear(True)
        assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
        assert all(is_only_painted(node) for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))

    @pytest.mark.parametrize("under", [None, nodes.TURN])
    def test_a_segmentation_without_a_volume_lies_where_it_lay(self, scene: Any, under: np.ndarray | None) -> None:
        volume = nodes.volume(nodes.bands())
        if under is not None:
            nodes.transform(under, volume)
        node = segmentation(volume, tumour=ONE, cyst=TWO)
        expected = source_of(volume).volume
        mark(node, source_of(volume), [(0, 2)])
        scene.RemoveNode(volume)
        before = scene.GetNumberOfNodes()
        (collected,), notes = collect([TrainCase(node, ())], only_painted=True)
        assert scene.GetNumberOfNodes() == before
        assert (collected["images"], collected["complete_slices"], notes) == ([], [(0, 2)], [])
        assert np.array_equal(collected["labels"].data, np.where(ONE, 1, np.where(TWO, 2, 0)))
        assert np.allclose(collected["labels"].affine, expected.affine)

    def test_surfaces_alone_have_no_grid(self, scene: Any) -> None:
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
        node.GetSegmentation().SetSourceRepresentationName("Closed surface")
        ball = vtk.vtkSphereSource()
        ball.Update()
        node.AddSegmentFromClosedSurfaceRepresentation(ball.GetOutput(), "ball", [1.0, 0.0, 0.0])
        with pytest.raises(InputError, match="case 1: the segmentation has no voxels of its own"):
            collect([TrainCase(node, ())])

    def test_forgotten_slices_are_told(self, scene: Any) -> None:
        volume = nodes.volume(nodes.bands(), np.eye(4))
        thin = box((4, 5), (2, 12), (3, 13))
        _, notes = collect([TrainCase(segmentation(volume, tumour=thin), (volume,))], only_painted=False)
        assert notes == ["case 1: only some slices are painted, and the rest of the volume counts as background"]

    def test_nothing_to_learn_is_told(self, scene: Any) -> None:
        with pytest.raises(InputError, match="nothing to learn from"):
            collect([], only_painted=False)
        volume = nodes.volume(nodes.bands())
        with pytest.raises(InputError, match="only background is painted"):
            collect([TrainCase(segmentation(volume, background=ONE), (volume,))], only_painted=False)
        with pytest.raises(InputError, match="only one segment is painted"):
            collect([TrainCase(segmentation(volume, tumour=ONE), (volume,))], only_painted=True)
        empty = segmentation(volume)
        empty.GetSegmentation().AddEmptySegment("tumour", "tumour")
        with pytest.raises(InputError, match="case 1: nothing is painted over the volume"):
            collect([TrainCase(empty, (volume,))], only_painted=False)


class TestCasesInTheScene:
    def test_added_replaced_removed(self, scene: Any) -> None:
        node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")
        one, two = case(0), case(1)
        add_case(node, one)
        add_case(node, two)
        assert cases_of(node) == [one, two]
        more = TrainCase(one.segmentation, (*one.volumes, *two.volumes))
        add_case(node, more)
        assert cases_of(node) == [two, more]
        remove_case(node, 0)
        assert cases_of(node) == [more]
        remove_case(node, 7)
        scene.RemoveNode(two.volumes[0])
        assert cases_of(node) == []

    def test_they_are_saved_with_the_scene(self, scene: Any, tmp_path: Path) -> None:
        node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")
        one = case(0)
        for every in (one.segmentation, *one.volumes):
            every.AddDefaultStorageNode()
        add_case(node, one)
        assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        scene.Clear(True)
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "takes the first ID")
        assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False)
        (back,) = cases_of(slicer.util.getFirstNodeByClassByName("vtkMRMLScriptedModuleNode", "parameters"))
        assert back.volumes[0].GetName() == "scan of the volunteer"
        assert back.segmentation.GetSegmentation().GetNthSegment(0).GetName() == "tumour"


class TestTraining:
    def test_the_model_is_in_the_list_and_segments_the_next_volume(self, worker: Path) -> None:
        events: list[Any] = []
        cases = [case(0), case(1, nodes.TURN)]
        last = train(cases, "slicer-made", events.append, **OPTIONS).wait()
        assert isinstance(last, Finished), last
        made = {model.name: model for model in list_models("segmentation")[0]}["slicer-made"]
        assert [label.name for label in made.labels] == ["tumour"]
        assert "volunteer" not in (worker / "slicer-made" / "configs" / "metadata.json").read_text(encoding="utf-8")
        assert any(isinstance(event, Progress) for event in events)
        losses = [event for event in events if isinstance(event, Metric) and event.name == "training loss"]
        table = slicer.util.getFirstNodeByClassByName("vtkMRMLTableNode", "slicer-made training loss").GetTable()
        assert table.GetNumberOfRows() == len(losses) > 0
        assert table.GetValue(0, 1).ToDouble() == pytest.approx(losses[0].value)
        chart = slicer.util.getFirstNodeByClassByName("vtkMRMLPlotChartNode", "slicer-made training")
        assert chart.GetNumberOfPlotSeriesNodes() == 2
        again = segment([cases[0].volumes[0]], "slicer-made", events.append, device="cpu").wait()
        assert isinstance(again, Finished), again

    def test_stop_keeps_the_best_of_a_long_one(self, worker: Path) -> None:
        events: list[Any] = []

        def hear(event: Any) -> None:
            events.append(event)
            if isinstance(event, Metric):
                job.ask("stop")

        options = {**OPTIONS, "plan": {**PLAN, "steps": 100_000}, "only_painted": True}
        volume = nodes.volume(nodes.bands())
        painted = TrainCase(segmentation(volume, tumour=ONE, background=TWO), (volume,))
        job = train([painted], "slicer-stopped", hear, **options)
        last = job.wait()
        assert isinstance(last, Finished), last
        assert last.result["stopped"]
        assert (worker / "slicer-stopped").is_dir()

    def test_segmentations_without_a_volume_are_painted(self, worker: Path) -> None:
        volume = nodes.volume(nodes.bands())
        lonely = [TrainCase(segmentation(volume, tumour=one), ()) for one in (ONE, box((2, 7), (3, 8), (2, 9)))]
        last = train(lonely, "slicer-lonely", lambda event: None, **OPTIONS).wait()
        assert isinstance(last, Failed)
        assert "or let training paint images" in last.message
        last = train(lonely, "slicer-lonely", lambda event: None, synthetic=1.0, **OPTIONS).wait()
        assert isinstance(last, Finished), last
        assert "there are no images" in last.result["plan"]["reasons"]["synthetic"]

    def test_overlapping_segments_are_told(self, worker: Path) -> None:
        one = case()
        key = one.segmentation.GetSegmentation().AddEmptySegment("core", "core")
        mask = box((2, 4), (3, 5), (4, 8)).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, one.segmentation, key, one.volumes[0])
        if one.segmentation.GetSegmentation().GetNumberOfLayers() == 1:
            pytest.skip("this Slicer cuts the later segment out of the earlier one")
        events: list[Any] = []
        job = train([one], "slicer-overlap", events.append, **OPTIONS)
        job.cancel()
        job.wait()
        assert Warning("case 1: segments overlap in 16 voxels, where the later one counts") in events
