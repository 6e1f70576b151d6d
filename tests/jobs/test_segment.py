from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_resmed import geometry
from napari_resmed.errors import InputError, ModelError, ResMedError, WorkError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.jobs import find_job
from napari_resmed.jobs.segment import Segmentation, segment
from napari_resmed.labels import LabelMap
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.model import Model
from napari_resmed.predict.cleanup import clean_up
from napari_resmed.predict.memory_plan import MemoryPlan, plan_memory
from napari_resmed.review.familiar import Familiar, UsualVolume
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine
from tests.small_models import BAND_EDGES, BANDS, describe, random_weights, save

pytestmark = pytest.mark.usefixtures("own_models")

EXACT = {"device": "cpu", "precision": "fp32"}


def test_the_peak_of_memory_is_this_process_s_own() -> None:
    held = np.ones(2**27)  # 1 GiB, in the process that starts the other
    told = "from napari_resmed.jobs.segment_image import _peak_memory_mb; print(_peak_memory_mb())"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert 50 < float(done.stdout) < held.nbytes / 2**20


def run(image: Volume, model: str = "bands", **options: Any) -> tuple[list[Event], Segmentation]:
    steps: Generator[Event, None, Segmentation] = segment(image, model, **{**EXACT, **options})
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def refusal(image: Volume, model: str = "bands", **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        run(image, model, **options)
    return str(caught.value)


def waves(shape: tuple[int, int, int]) -> np.ndarray:
    z, y, x = np.mgrid[tuple(slice(n) for n in shape)]
    return (np.sin(z / 6) + np.cos(y / 7) + np.sin(x / 5 + z / 9)).astype(np.float32)


def bands_of(data: np.ndarray) -> np.ndarray:
    """What the model ``bands`` must answer at equal spacing: the voxels sorted by brightness."""
    share = (data - data.min()) / (data.max() - data.min())
    return np.array(BANDS.values)[np.digitize(share, BAND_EDGES) - 1] * (share >= BAND_EDGES[0])


IMAGE = Volume(waves((20, 30, 40)), make_affine(origin_mm=(-10, 20, 30)), modality="MR", name="waves")


class TestAnswer:
    def test_is_known_voxel_by_voxel(self) -> None:
        _, done = run(IMAGE)
        wrong = (done.labels.data != bands_of(IMAGE.data)).sum()
        assert wrong <= 2  # voxels within float32 rounding of an edge
        assert set(np.unique(done.labels.data)) == {0, 1, 2, 300}

    @pytest.mark.parametrize("case", AXIS_ORDERS[::5], ids=axis_order_name)
    def test_in_every_axis_order(self, case: tuple) -> None:
        image = Volume(waves((18, 20, 22)), make_affine(*case, degrees=(12, -8, 5)))
        _, done = run(image)
        assert (done.labels.data != bands_of(image.data)).sum() <= 2

    def test_through_another_spacing(self) -> None:
        image = Volume(waves((30, 36, 40)), make_affine((1, 0, 2), (1, -1, -1), spacing_mm=(1.1, 1.4, 0.8)))
        _, done = run(image, "bands-2mm")
        # Blurred to 2 mm and back: what differs lies at the borders of the bands.
        assert (done.labels.data == bands_of(image.data)).mean() > 0.9

    def test_of_a_real_image_is_on_its_grid(self, shared_data: Path) -> None:
        from napari_resmed.io import read

        whole = read(shared_data / "brain_mri/FLAIR_oblique.nii.gz")
        # Its first corner: the same place, and quick.
        image = whole.with_data(whole.data[:40, :64, :64])
        _, done = run(image, "bands-2mm")
        assert done.labels.same_grid(image)
        assert geometry.tilt_degrees(done.labels.affine) > 1


class TestQuickLook:
    @pytest.fixture
    def quick(self, tmp_path: Path) -> str:
        model = replace(describe("two speeds", spacing_mm=(1.0, 1.0, 1.0)), quick_spacing_mm=2.5)
        return str(save(model, tmp_path).folder)

    def test_answers_at_the_coarser_spacing_on_the_images_grid(self, quick: str) -> None:
        _, usual = run(IMAGE, quick)
        _, look = run(IMAGE, quick, quick=True)
        assert look.tiles == 1 < usual.tiles  # one window holds the whole image
        assert look.labels.data.shape == IMAGE.data.shape
        assert (look.labels.data == usual.labels.data).mean() > 0.9
        assert not np.array_equal(look.labels.data, usual.labels.data)
        assert look.made_by["parameters"]["quick_look_mm"] == 2.5
        assert look.labels.name == f"{usual.labels.name} quick look"
        assert "quick_look_mm" not in usual.made_by["parameters"]

    def test_an_image_too_large_for_one_window_and_one_too_large_for_memory_take_the_models(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = replace(describe("small windows", spacing_mm=(1.0,) * 3, patch=(8, 8, 8)), quick_spacing_mm=2.5)
        quick = str(save(model, tmp_path).folder)
        seen: list[tuple[int, int, int]] = []

        def note(model: Model, *rest: Any) -> MemoryPlan:
            plan = plan_memory(model, *rest)
            if short and model.patch != usual:
                plan = replace(plan, windows=replace(plan.windows, patch=(4, 4, 4)))
            seen.append(plan.windows.patch)
            return plan

        usual, short = model.patch, False
        monkeypatch.setattr("napari_resmed.jobs.segment_image.plan_memory", note)
        run(IMAGE, quick, quick=True)
        assert seen[-1] > usual
        short = True
        events, look = run(IMAGE, quick, quick=True)
        assert seen[-2:] == [(4, 4, 4), usual]
        assert look.tiles > 1
        assert not [event for event in events if isinstance(event, Warning) and "memory is short" in event.message]
        short = False
        monkeypatch.setattr("napari_resmed.predict.windows.MOST_WHOLE_VOXELS", 100)
        run(IMAGE, quick, quick=True)
        assert seen[-1] == usual

    def test_a_model_without_one(self) -> None:
        with pytest.raises(ModelError, match="the model bands knows no quick look"):
            run(IMAGE, quick=True)


class TestResult:
    def test_has_the_images_own_grid(self) -> None:
        image = Volume(waves((9, 14, 11)), make_affine((0, 2, 1), (-1, 1, -1), spacing_mm=(3, 1, 2), shear=(0.1, 0, 0)))
        _, done = run(image)
        assert np.array_equal(done.labels.affine, image.affine)
        assert done.labels.shape == image.shape
        assert done.labels.data.flags.c_contiguous

    def test_has_the_smallest_type(self) -> None:
        assert run(IMAGE)[1].labels.data.dtype == np.uint16

    def test_has_names_colours_and_codes(self) -> None:
        _, done = run(IMAGE)
        assert done.labels.labels == BANDS
        assert done.table == done.labels.table()
        assert [row["name"] for row in done.table] == ["dark", "middle", "bright"]
        assert sum(row["voxels"] for row in done.table) == (done.labels.data > 0).sum()

    def test_says_how_it_was_made(self) -> None:
        _, done = run(IMAGE, overlap=0.25, backend="torch")
        made_by = done.labels.meta["made_by"]
        assert made_by == done.made_by
        assert made_by["program"].startswith("napari-resmed ")
        assert (made_by["model"], made_by["model_version"]) == ("bands", "0.1.0")
        parameters = {"device": "cpu", "precision": "fp32", "backend": "torch", "overlap": 0.25, "tta": False}
        assert made_by["parameters"] == parameters
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", made_by["time"])
        assert done.labels.modality == "MR"

    def test_is_cleaned_up_as_the_model_says(self, own_models: Path) -> None:
        tidy = replace(describe("tidy"), cleanup={300: Cleanup(largest_component=True)})
        save(tidy, own_models)
        try:
            plain, done = run(IMAGE)[1].labels, run(IMAGE, "tidy")[1].labels
        finally:
            shutil.rmtree(own_models / "tidy")
        expected = np.array(plain.data)
        lost = clean_up(expected, tidy.cleanup, 1.0)
        assert lost[0] > 0
        assert np.array_equal(done.data, expected)
        assert done.meta["made_by"]["cleanup"] == {
            "labels": {"300": {"largest_component": True, "minimum_mm3": 0.0, "fill_holes": False}},
            "removed_voxels": lost[0],
            "filled_voxels": 0,
        }
        assert "cleanup" not in plain.meta["made_by"]

    def test_gives_figures(self) -> None:
        _, done = run(IMAGE)
        assert done.seconds.keys() == {"load", "prepare", "network", "restore", "total"}
        assert done.seconds["total"] >= max(done.seconds.values())
        assert done.tiles == 2 * 3 * 4
        assert done.peak_memory_mb > 50
        assert (done.device, done.precision, done.model) == ("cpu", "fp32", "bands")

    def test_leaves_the_image_alone(self) -> None:
        data = waves((12, 12, 12))
        before = data.copy()
        data.setflags(write=False)
        run(Volume(data, make_affine()), uncertainty=True)
        assert np.array_equal(data, before)

    def test_a_label_map_can_be_an_image(self) -> None:
        data = np.zeros((20, 20, 20), np.uint8)
        data[5:15, 5:15, 5:15] = 3
        _, done = run(LabelMap(data, make_affine()), uncertainty=True)
        assert np.array_equal(done.labels.data, np.where(data == 3, 300, 0))
        assert done.uncertainty is not None
        assert not isinstance(done.uncertainty, LabelMap)


class TestEvents:
    def test_begin_with_started(self) -> None:
        events, _ = run(IMAGE)
        assert events[0] == Started("Segmenting with bands")
        assert all(isinstance(event, Progress) for event in events[1:])

    def test_progress_grows_from_0_to_1(self) -> None:
        events, _ = run(IMAGE)
        steps = [event for event in events if isinstance(event, Progress)]
        shares = [step.done for step in steps]
        assert shares == sorted(shares)
        assert 0 <= shares[0] < 0.05
        assert 0.95 < shares[-1] <= 1
        assert len({step.what for step in steps}) == 4

    def test_time_left_is_told_once_there_is_something_to_go_by(self) -> None:
        events, _ = run(IMAGE)
        windows = [event for event in events if isinstance(event, Progress) and event.what == "Segmenting"]
        assert windows[0].seconds_left is None
        assert all(step.seconds_left is not None and step.seconds_left >= 0 for step in windows[1:])

    def test_a_thin_image_is_warned_of(self) -> None:
        events, done = run(Volume(waves((3, 30, 30)), make_affine()))
        (note,) = [event.message for event in events if isinstance(event, Warning)]
        assert note == "the image covers only 3 mm along one axis, bands was trained on 16 mm: expect a poor result"
        assert done.labels.shape == (3, 30, 30)

    def test_closing_stops_it(self) -> None:
        steps = segment(IMAGE, "bands", **EXACT)
        for _ in range(6):
            next(steps)
        steps.close()
        with pytest.raises(StopIteration):
            next(steps)


class TestMisfit:
    """The model ``bands`` with usual volumes: halves of what it finds in the image, or twenty times that."""

    def warned(self, times: float, own_models: Path) -> tuple[list[str], Segmentation]:
        found = {row["value"]: row["volume_ml"] for row in run(IMAGE)[1].table}
        known = Familiar(
            images=9,
            extent_mm=((20.0, 20.0), (30.0, 30.0), (40.0, 40.0)),
            voxel_mm=1.0,
            volumes={value: UsualVolume(times * ml, 1.4) for value, ml in found.items()},
            certainty=(1.0, 0.5),
        )
        save(replace(describe("known"), training={"familiar": known.to_json()}), own_models)
        try:
            events, done = run(IMAGE, "known")
        finally:
            shutil.rmtree(own_models / "known")
        return [event.message for event in events if isinstance(event, Warning)], done

    def test_a_usual_answer_is_only_scored(self, own_models: Path) -> None:
        notes, done = self.warned(1.0, own_models)
        assert notes == []
        assert done.made_by["misfit"] == done.labels.meta["made_by"]["misfit"] < 1
        assert "misfit" not in run(IMAGE)[1].made_by

    def test_an_unusual_one_is_warned_of(self, own_models: Path) -> None:
        notes, done = self.warned(20.0, own_models)
        (note,) = notes
        assert note.startswith("what known found is unlike what it finds in images it was made for (score ")
        assert "instead of about" in note
        assert done.made_by["misfit"] > 3
        assert done.made_by["warnings"] == notes


class TestUncertainty:
    def test_is_0_to_1_on_the_images_grid(self) -> None:
        image = Volume(waves((20, 21, 22)), make_affine((2, 0, 1), (1, -1, 1), spacing_mm=(1.3, 1, 1.7)))
        _, done = run(image, "bands-2mm", uncertainty=True)
        doubt = done.uncertainty
        assert doubt is not None
        assert doubt.same_grid(image)
        assert doubt.data.dtype == np.float32
        assert doubt.data.min() >= 0
        assert doubt.data.max() <= 1

    def test_is_high_where_bands_meet(self) -> None:
        _, done = run(IMAGE, uncertainty=True)
        assert done.uncertainty is not None
        share = (IMAGE.data - IMAGE.data.min()) / np.ptp(IMAGE.data)
        edge = np.min([np.abs(share - edge) for edge in BAND_EDGES], axis=0)
        assert done.uncertainty.data[edge < 0.01].min() > done.uncertainty.data[edge > 0.12].max()

    def test_is_left_out_unless_asked_for(self) -> None:
        assert run(IMAGE)[1].uncertainty is None

    def test_of_a_model_that_knows_nothing_is_1(self, models_folder: Path, tmp_path: Path) -> None:
        weights = {name: 0 * value for name, value in random_weights(dict(describe().arguments)).items()}
        save(describe("blank"), tmp_path, weights)
        _, done = run(IMAGE, str(tmp_path / "blank"), uncertainty=True)
        assert done.uncertainty is not None
        assert np.allclose(done.uncertainty.data, 1, atol=1e-6)
        assert done.uncertainty.data.max() <= 1


class TestMirroredPasses:
    def test_change_nothing_for_a_model_that_sees_voxels(self) -> None:
        assert np.array_equal(run(IMAGE)[1].labels.data, run(IMAGE, tta=True)[1].labels.data)

    def test_are_noted(self) -> None:
        assert run(IMAGE, tta=True)[1].made_by["parameters"]["tta"] is True

    def test_are_refused_where_they_would_mislead(self) -> None:
        assert "says nothing of mirrored images" in refusal(IMAGE, "bands-2mm", tta=True)


class TestRefusals:
    def test_a_2d_image(self) -> None:
        assert (
            refusal(IMAGE.with_data(IMAGE.data[:1])) == "the image is 2D (1×30×40), the model bands needs a 3D volume"
        )

    def test_wrong_channels(self) -> None:
        colour = Volume(np.stack([IMAGE.data] * 3), IMAGE.affine, "czyx")
        assert "has 3 channels, the model bands takes 1 (MR)" in refusal(colour)

    def test_time(self) -> None:
        assert "has 5 time points" in refusal(Volume(np.stack([IMAGE.data] * 5), IMAGE.affine))

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_what_is_not_finite(self, bad: float) -> None:
        data = IMAGE.data.copy()
        data[3, 4, 5] = bad
        assert "1 voxels that are NaN or infinite" in refusal(IMAGE.with_data(data))

    def test_a_constant_image(self) -> None:
        assert "has the value 7 everywhere" in refusal(IMAGE.with_data(np.full(IMAGE.shape, 7)))

    def test_an_unknown_model(self) -> None:
        message = refusal(IMAGE, "liver")
        assert message.startswith("there is no model 'liver'; expected a model folder or one of: ")
        assert "bands" in message

    @pytest.mark.parametrize("overlap", [-0.5, 1.0, 7.0])
    def test_an_impossible_overlap(self, overlap: float) -> None:
        assert refusal(IMAGE, overlap=overlap) == f"the overlap is {overlap}, expected 0 or more and less than 1"

    def test_an_unknown_precision_or_device(self) -> None:
        assert "the precision is 'fp64'" in refusal(IMAGE, precision="fp64")
        assert "the device is 'gpu'" in refusal(IMAGE, device="gpu")

    def test_every_refusal_is_one_line(self) -> None:
        for options in ({"model": "x"}, {"overlap": 3}, {"precision": "x"}, {"device": "x"}):
            with pytest.raises(ResMedError) as caught:
                run(IMAGE, **options)
            assert "\n" not in str(caught.value)


class TestMemory:
    def test_too_little_of_it_is_told_before_any_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("napari_resmed.jobs.segment_image.prepare", lambda *_: pytest.fail("it was prepared"))
        save(describe("vast"), tmp_path)
        data = np.zeros((8, 8, 8), np.float32)
        data[0] = 1
        vast = Volume(data, make_affine(spacing_mm=(20_000, 20_000, 20_000)))  # class scores of a petabyte
        with pytest.raises(InputError, match=r"sees the image as 160000×160000×160000 voxels .* crop the image"):
            run(vast, str(tmp_path / "vast"))

    def test_what_torch_refuses_is_told_in_our_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A petabyte: torch's own allocator refuses.
        monkeypatch.setattr("napari_resmed.jobs.segment_image.prepare", lambda *_: torch.empty(2**50))
        with pytest.raises(WorkError, match="out of memory on cpu; close other programs or choose a smaller region"):
            run(IMAGE)


class TestFindJob:
    def test_by_name(self) -> None:
        assert find_job("segment") is segment
        with pytest.raises(KeyError):
            find_job("fly")
