from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.jobs.segment import Segmentation, segment
from napari_resmed.models.model import Model
from napari_resmed.models.one_window import OneWindow
from napari_resmed.predict.backends import Backend, choose_backend
from napari_resmed.predict.first_look import cut_through
from napari_resmed.predict.memory_plan import MemoryPlan, plan_memory
from napari_resmed.prepare.grid import Grid
from napari_resmed.prepare.preparation import Preparation
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine
from tests.small_models import BANDS, describe, random_weights, save

pytestmark = pytest.mark.usefixtures("own_models")

Models = Callable[[OneWindow | None], str]
WISHES = OneWindow(voxels=48**3, look_mm=3.0, margin_mm=4.0)


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """The model that sorts voxels by brightness, in windows or in one."""

    def made(wishes: OneWindow | None) -> str:
        name = f"bands {wishes}" if wishes else "bands in windows"
        name = "".join(letter for letter in name if letter.isalnum() or letter == " ")
        return str(save(replace(describe(name), one_window=wishes), tmp_path).folder)

    return made


def run(image: Volume, model: str, **options: Any) -> Segmentation:
    return told(image, model, **options)[1]


def told(image: Volume, model: str, **options: Any) -> tuple[list[Event], Segmentation]:
    steps, events = segment(image, model, device="cpu", precision="fp32", backend="torch", **options), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def ball(shape: tuple[int, int, int] = (64, 72, 80), stray: bool = True) -> np.ndarray:
    """Something bright, brightest in its middle, far from the image's middle; and a stray voxel far from it."""
    z, y, x = np.mgrid[tuple(slice(n) for n in shape)]
    far = np.sqrt((z - 20) ** 2 + (y - 44) ** 2 + (x - 26) ** 2)
    data = np.clip(1 - far / 16, 0, 1).astype(np.float32)
    if stray:
        data[60, 4, 76] = 0.9
    return data


def test_what_the_first_look_finds_is_answered_in_one_window_and_the_rest_is_background(models: Models) -> None:
    image = Volume(ball(), make_affine(), modality="MR")
    windows, one = run(image, models(None)), run(image, models(WISHES))
    assert (windows.tiles > 1, one.tiles) == (True, 1)
    away = image.with_data(ball(stray=False))
    assert np.array_equal(one.labels.data, run(away, models(None)).labels.data)
    assert windows.labels.data[60, 4, 76] == 300
    assert one.labels.data[60, 4, 76] == 0
    assert one.labels.same_grid(image)


@pytest.mark.parametrize("case", AXIS_ORDERS[::7], ids=axis_order_name)
def test_in_every_axis_order_and_through_another_spacing(models: Models, case: tuple) -> None:
    image = Volume(ball(stray=False), make_affine(*case, spacing_mm=(1.1, 0.9, 1.3), degrees=(12, -8, 5)))
    windows, one = run(image, models(None)), run(image, models(WISHES))
    found = windows.labels.data > 0
    assert one.tiles == 1
    assert found.sum() > 1000
    assert (one.labels.data[found] == windows.labels.data[found]).mean() > 0.95
    assert (one.labels.data[~found] == 0).mean() > 0.999


def streaks() -> Volume:
    """A ball, and what goes on from it through the image, in every other plane: too little for a coarse look."""
    data = ball(stray=False)
    data[12:28:2, 36:52, 40:78] = np.maximum(data[12:28:2, 36:52, 40:78], 0.35)
    # And a warning before the network is asked.
    return Volume(data, make_affine(), modality="CT")


def test_a_structure_that_goes_on_beyond_the_margin_is_not_cut_through(models: Models) -> None:
    image = streaks()
    events, done = told(image, models(WISHES))
    assert np.array_equal(done.labels.data, run(image, models(None)).labels.data)
    assert sum(isinstance(event, Started) for event in events) == 1
    warnings = [event.message for event in events if isinstance(event, Warning)]
    assert len(warnings) == len(set(warnings)) == len(done.made_by["warnings"]) > 0


def test_what_is_passed_over_widens_no_window(models: Models) -> None:
    data = ball(stray=False)
    data[12:28, 36:52, 40:78] = np.maximum(data[12:28, 36:52, 40:78], 0.35)  # dark, and joined to the ball
    image = Volume(data, make_affine())
    dark = BANDS.values[0]
    found, passed = (run(image, models(wishes)) for wishes in (WISHES, replace(WISHES, passed_over=(dark,))))
    assert (found.tiles, passed.tiles) == (1, 1)
    windows = run(image, models(None)).labels.data
    assert np.array_equal(found.labels.data, windows)
    near = passed.labels.data > 0
    assert np.array_equal(passed.labels.data[near], windows[near])
    assert np.array_equal(passed.labels.data > dark, windows > dark)
    assert (windows[..., 60:] == dark).any()
    assert not near[..., 60:].any()


def test_what_is_done_again_goes_on_in_progress_and_counts_in_the_seconds(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[int] = []

    def noted(found: Any, grid: Grid, *rest: Any) -> bool:
        time.sleep(0.2)
        parts.append(math.prod(grid.source_shape))
        return cut_through(found, grid, *rest)

    monkeypatch.setattr("napari_resmed.jobs.segment_image.cut_through", noted)
    events, done = told(streaks(), models(WISHES))
    assert len(parts) == 3
    assert parts == sorted(parts)
    shares = [event.done for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] <= 1
    assert done.seconds["restore"] > 0.6
    assert sum(done.seconds.values()) - done.seconds["total"] == pytest.approx(done.seconds["total"], rel=0.2)


def test_what_is_told_of_memory_is_told_once_though_it_is_done_again(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*rest: Any) -> MemoryPlan:
        plan = plan_memory(*rest)
        return replace(plan, windows=replace(plan.windows, patch=(8, 8, 8)))

    monkeypatch.setattr("napari_resmed.jobs.segment_image.plan_memory", short)
    events, _ = told(streaks(), models(WISHES), overlap=0.0)
    assert sum(isinstance(event, Warning) and "memory is short" in event.message for event in events) == 1


def test_what_is_mirrored_without_being_asked_for_stays_so_where_it_is_done_again(models: Models) -> None:
    mirrored = models(replace(WISHES, mirrored=True))
    done = run(streaks(), mirrored, uncertainty=True, uncertainty_kind="variance")
    assert done.tiles > 1
    assert done.made_by["parameters"]["tta"] is True
    assert done.uncertainty is not None


def test_the_side_of_what_is_not_zero_is_no_side_at_which_the_image_goes_on(tmp_path: Path) -> None:
    data = np.zeros((60, 60, 60), np.float32)
    data[20:40, 20:40, 20:40] = 1
    data[20:40, 20:40, 20:30] = 0.6
    preparation = Preparation((1.0, 1.0, 1.0), (0.0, 100.0), crop_nonzero=True)
    model = replace(describe("cut to the brain"), one_window=replace(WISHES, margin_mm=12.0), preparation=preparation)
    done = run(Volume(data, make_affine()), str(save(model, tmp_path).folder))
    assert done.tiles == 1
    assert (done.labels.data > 0).sum() == 20 * 20 * 10


def test_where_a_network_is_coarser_by_thirds_the_first_look_is_as_well(tmp_path: Path) -> None:
    arguments = {**describe().arguments, "channels": [2, 2, 2], "strides": [3, 2]}
    wishes = replace(WISHES, voxels=100**3)
    model = replace(describe("thirds", patch=(72, 72, 72), arguments=arguments), one_window=wishes)
    image = Volume(ball(), make_affine())
    done = run(image, str(save(model, tmp_path, random_weights(arguments)).folder))
    assert done.labels.same_grid(image)


class TestMemory:
    IMAGE = Volume(np.pad(ball(stray=False), ((0, 96), (0, 88), (0, 80))), make_affine())

    def test_an_image_too_large_is_refused_though_its_part_is_small(
        self, models: Models, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Four bytes a voxel, twice, are 31 MiB.
        monkeypatch.setattr("napari_resmed.jobs.segment_image.free_bytes", lambda machine: (30 * 2**20,) * 2)
        for model in (models(None), models(WISHES)):
            with pytest.raises(InputError, match="of memory"):
                run(self.IMAGE, model)

    def test_the_first_look_fits_into_what_is_free(self, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
        model = models(replace(WISHES, look_mm=2.0, voxels=80**3))
        usual = run(self.IMAGE, model)
        seen: list[int] = []

        def noted(model: Model, *rest: Any) -> Backend:
            backend = choose_backend(model, *rest)

            def network(windows: Tensor) -> Tensor:
                seen.append(math.prod(windows.shape))
                return backend.network(windows)

            return replace(backend, network=network)

        monkeypatch.setattr("napari_resmed.predict.first_look.choose_backend", noted)
        assert np.array_equal(run(self.IMAGE, model).labels.data, usual.labels.data)
        whole = max(seen)
        seen.clear()
        monkeypatch.setattr("napari_resmed.jobs.segment_image.free_bytes", lambda machine: (75 * 2**20,) * 2)
        assert np.array_equal(run(self.IMAGE, model).labels.data, usual.labels.data)
        assert max(seen) < whole


def test_a_first_look_in_many_windows_says_how_far_it_is_and_can_be_cancelled(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_resmed.predict.first_look.LEAST_EDGE", 16)
    image = Volume(ball(stray=False), make_affine())
    model = models(replace(WISHES, look_mm=1.5, voxels=20**3))
    events, _ = told(image, model)
    looks = [event.done for event in events if isinstance(event, Progress) and event.what.startswith("Looking")]
    assert len(looks) > 10
    assert looks == sorted(set(looks))
    steps = segment(image, model, device="cpu", precision="fp32", backend="torch")
    assert any(isinstance(event, Progress) and event.what.startswith("Looking") for event in steps)
    steps.close()


def test_a_part_too_large_for_the_window_is_gone_through_in_windows(models: Models) -> None:
    image = Volume(ball(stray=False), make_affine())
    done = run(image, models(replace(WISHES, voxels=20**3)))
    assert done.tiles > 1
    assert np.array_equal(done.labels.data, run(image, models(None)).labels.data)


def test_an_image_in_which_the_look_finds_nothing_is_answered_whole(models: Models) -> None:
    data = np.zeros((40, 40, 40), np.float32)
    data[11, 13, 17] = 1
    image = Volume(data, make_affine())
    done = run(image, models(WISHES))
    assert np.array_equal(done.labels.data, np.where(data == 1, 300, 0))


def test_the_map_says_nothing_of_what_was_not_answered(models: Models) -> None:
    image = Volume(ball(), make_affine())
    done = run(image, models(WISHES), uncertainty=True)
    assert done.uncertainty is not None
    assert done.uncertainty.data[20, 44, 26:44].max() > 0.1
    assert done.uncertainty.data[60:, :8, 72:].max() == 0


def test_a_quick_look_sees_the_whole_image(tmp_path: Path) -> None:
    model = replace(describe("two speeds"), quick_spacing_mm=2.0, one_window=WISHES)
    image = Volume(ball(stray=False), make_affine())
    done = run(image, str(save(model, tmp_path).folder), quick=True)
    assert done.made_by["parameters"]["quick_look_mm"] == 2.0
    assert (done.labels.data[20, 44, 20:32] > 0).all()


def test_a_model_may_answer_mirrored_too_without_being_asked(models: Models) -> None:
    image = Volume(ball(), make_affine())
    asked, usual = run(image, models(WISHES), tta=True), run(image, models(replace(WISHES, mirrored=True)))
    assert usual.made_by["parameters"]["tta"] is True
    assert run(image, models(WISHES)).made_by["parameters"]["tta"] is False
    assert np.array_equal(usual.labels.data, asked.labels.data)
    assert run(image, models(replace(WISHES, mirrored=True)), uncertainty=True, uncertainty_kind="variance").uncertainty
