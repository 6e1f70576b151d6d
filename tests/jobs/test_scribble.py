from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.engine.client import Engine
from napari_resmed.errors import InputError
from napari_resmed.events import Preview
from napari_resmed.io import read
from napari_resmed.jobs.scribble import Scribbled, look_at, scribble
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.scribble import cache
from napari_resmed.volume import Volume
from tests.affines import make_affine

AFFINE = make_affine((1, 2, 0), (-1, 1, 1), degrees=(10, -5, 3), spacing_mm=(2, 1, 1.5), origin_mm=(3, -4, 50))


def ball(shape: tuple[int, int, int] = (20, 28, 24), affine: np.ndarray = AFFINE) -> tuple[Volume, np.ndarray]:
    """A bright ball in a dark, noisy field, and where it is."""
    z, y, x = (np.arange(size) - (size - 1) / 2 for size in shape)
    inside = (z[:, None, None] / shape[0]) ** 2 + (y[:, None] / shape[1]) ** 2 + (x / shape[2]) ** 2 < 0.06
    noise = np.random.default_rng(0).normal(0, 0.15, shape)
    return Volume((inside + noise).astype(np.float32), affine, name="ball"), inside


def stroke(image: Volume, inside: int = 2, outside: int = 1, length: int = 4) -> np.ndarray:
    painted = np.zeros(image.grid_shape, np.uint8)
    z, y, x = (size // 2 for size in image.grid_shape)
    painted[z, y, x : x + length] = inside
    painted[z, 1, x : x + length] = outside
    return painted


def run(steps: Generator[Any, Any, Scribbled]) -> tuple[list[Any], Scribbled]:
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


class TestScribble:
    def test_two_strokes_find_the_ball(self) -> None:
        image, inside = ball()
        painted = stroke(image)
        names = LabelSet((Label(2, "Ball", (1, 2, 3)), Label(1, "Background", (9, 9, 9))))
        events, done = run(scribble(image, LabelMap(painted, AFFINE, labels=names)))
        assert dice(done.labels.data == 2, inside) > 0.85
        assert done.background == 1
        assert done.strokes == {1: 1, 2: 1}
        assert set(np.unique(done.labels.data)) == {1, 2}
        assert (done.labels.data[painted > 0] == painted[painted > 0]).all()
        assert done.labels.same_grid(image)
        assert done.labels.labels[2].name == "Ball"
        assert [row["voxels"] for row in done.table] == [(done.labels.data == value).sum() for value in (1, 2)]
        assert done.unsure is not None
        assert done.unsure.same_grid(image)
        assert 0 <= done.unsure.data.min() <= done.unsure.data.max() <= 1
        assert done.suggestion is not None
        index = done.suggestion["index"]
        np.testing.assert_allclose((AFFINE @ [*index, 1])[:3], done.suggestion["position_mm"], atol=0.01)
        assert sorted(done.suggestion["between"]) == [1, 2]
        assert done.labels.meta["made_by"]["method"] == "scribble"
        volume = next(event.data["labels"] for event in events if isinstance(event, Preview) and event.what == "volume")
        np.testing.assert_array_equal(volume, done.labels.data)

    def test_the_slice_comes_first_and_undo_is_the_strokes_before(self) -> None:
        image, _ = ball()
        painted = stroke(image)
        _, first = run(scribble(image, Volume(painted, AFFINE), background=1, check=False))
        more = painted.copy()
        more[5, 3:8, 4] = 1
        for axis, index in ((0, 5), (1, 10), (2, 23)):
            events, _ = run(scribble(image, Volume(more, AFFINE), background=1, view=(axis, index), check=False))
            previews = [event for event in events if isinstance(event, Preview)]
            assert [event.what for event in previews] == ["slice", "volume"]
            one, whole = previews[0].data["labels"], previews[1].data["labels"].take(index, axis)
            assert one.shape == whole.shape
            assert (one == whole).mean() > 0.9
        _, again = run(scribble(image, Volume(painted, AFFINE), background=1, check=False))
        np.testing.assert_array_equal(again.labels.data, first.labels.data)

    def test_strokes_held_out_tell_how_good_it_is(self) -> None:
        image, _ = ball()
        painted = stroke(image)
        painted[8, 12:16, 12], painted[12, 2, 3:7] = 2, 1
        _, good = run(scribble(image, Volume(painted, AFFINE), background=1))
        assert good.held_out is not None
        assert good.held_out["strokes"] == 2
        assert good.held_out["right"] == 1
        # The same outside painted as a third class, where nothing tells it from the first.
        painted[3, 3, 3:9], painted[16, 24, 12:18] = 3, 3
        _, bad = run(scribble(image, Volume(painted, AFFINE), background=1))
        assert bad.held_out is not None
        assert bad.held_out["right"] < 1

    def test_one_voxel_a_class(self) -> None:
        image, inside = ball()
        _, done = run(scribble(image, Volume(stroke(image, length=1), AFFINE), background=1))
        assert dice(done.labels.data == 2, inside) > 0.8

    def test_everything_painted(self) -> None:
        image, inside = ball()
        _, done = run(scribble(image, Volume(inside.astype(np.int32) + 300, AFFINE)))
        np.testing.assert_array_equal(done.labels.data, inside + 300)
        assert done.suggestion is None
        assert done.sure is None

    def test_thick_slices(self) -> None:
        affine = np.diag([0.5, 0.5, 6.0, 1.0])[[2, 1, 0, 3]].T
        affine = np.array([[0, 0, 0.5, 0], [0, 0.5, 0, 0], [6.0, 0, 0, 0], [0, 0, 0, 1]])
        image, inside = ball((10, 40, 44), affine)
        _, done = run(scribble(image, Volume(stroke(image), affine), background=1))
        assert dice(done.labels.data == 2, inside) > 0.8

    @pytest.mark.parametrize("channels", [0, 2, 3])
    def test_flat_and_with_channels(self, channels: int) -> None:
        image, inside = ball((1, 40, 44))
        if channels:
            data = np.stack([image.data, *[np.zeros_like(image.data) + np.arange(44)] * (channels - 1)])
            image = Volume(data.astype(np.float32), AFFINE, "czyx")
        _, done = run(scribble(image, Volume(stroke(image), AFFINE), background=1))
        assert done.labels.shape == (1, 40, 44)
        assert dice(done.labels.data == 2, inside) > 0.8

    def test_two_channels_in_three_dimensions(self) -> None:
        image, inside = ball()
        both = Volume(np.stack([image.data[::-1] * 0 + np.arange(24), image.data]).astype(np.float32), AFFINE, "czyx")
        _, done = run(scribble(both, Volume(stroke(image), AFFINE), background=1))
        assert dice(done.labels.data == 2, inside) > 0.85

    def test_a_large_image_is_worked_on_coarsely(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("napari_resmed.scribble.features.MOST_VOXELS", 6000)
        image, inside = ball((24, 40, 44))
        painted = stroke(image, length=1)
        _, done = run(scribble(image, Volume(painted, AFFINE), background=1))
        assert dice(done.labels.data == 2, inside) > 0.8
        assert (done.labels.data[painted > 0] == painted[painted > 0]).all()
        more = painted.copy()
        more[12, 1, 3:9] = 1
        events, _ = run(scribble(image, Volume(more, AFFINE), background=1, view=(1, 20)))
        one, _, whole = (event.data["labels"] for event in events if isinstance(event, Preview))
        assert one.shape == (24, 44)
        assert (one == whole[:, 20]).mean() > 0.9

    def test_around_the_strokes_a_large_image_is_answered_finely(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("napari_resmed.scribble.features.MOST_VOXELS", 2000)
        image, inside = ball((24, 40, 44))
        events, done = run(scribble(image, Volume(stroke(image), AFFINE), background=1, check=False))
        coarse, fine = (event.data["labels"] for event in events if isinstance(event, Preview))
        np.testing.assert_array_equal(fine, done.labels.data)
        assert dice(fine == 2, inside) > dice(coarse == 2, inside) + 0.02
        assert dice(fine == 2, inside) > 0.9
        assert done.seconds["fine"] >= done.seconds["volume"]

    def test_without_smoothing(self) -> None:
        image, inside = ball()
        _, done = run(scribble(image, Volume(stroke(image), AFFINE), background=1, smooth=False))
        assert dice(done.labels.data == 2, inside) > 0.6

    def test_strokes_in_another_order_of_axes(self) -> None:
        image, inside = ball()
        turned = np.ascontiguousarray(stroke(image).transpose(2, 0, 1)[::-1])
        step = np.zeros((4, 4))
        # Index of the turned strokes to the image's.
        step[0, 1] = step[1, 2] = step[3, 3] = 1
        step[2, 0], step[2, 3] = -1, image.grid_shape[2] - 1
        _, done = run(scribble(image, Volume(turned, AFFINE @ step), background=1))
        assert dice(done.labels.data == 2, inside) > 0.85

    def test_refusals(self) -> None:
        image, _ = ball()
        painted = stroke(image)
        moved = AFFINE.copy()
        moved[0, 3] += 5
        one = np.where(painted == 2, 2, 0)
        for strokes, options, reason in (
            (Volume(painted[1:], AFFINE), {}, "another grid than the image (19×28×24"),
            (Volume(painted, moved), {}, "another grid"),
            (Volume(one, AFFINE), {}, "only class 2 is painted, expected strokes of two classes"),
            (Volume(painted * 0, AFFINE), {}, "nothing is painted"),
            (Volume(painted / 2, AFFINE), {}, "expected whole numbers"),
            (Volume(painted.astype(int) - 1, AFFINE), {}, "found the class -1"),
            (Volume(painted[None], AFFINE), {}, "1 channels and 1 time points"),
            (Volume(painted, AFFINE), {"background": 7}, "class 7 was to be the background"),
            (Volume(painted, AFFINE), {"view": (0, 99)}, "slice 99 of axis 0"),
        ):
            with pytest.raises(InputError) as told:
                run(scribble(image, strokes, **options))
            assert reason in str(told.value)
        with pytest.raises(InputError, match="2 time points"):
            run(scribble(Volume(np.stack([image.data] * 2), AFFINE), Volume(painted, AFFINE)))
        with pytest.raises(InputError, match="NaN"):
            run(scribble(image.with_data(np.where(painted == 1, np.nan, image.data)), Volume(painted, AFFINE)))
        with pytest.raises(InputError, match="everywhere"):
            run(scribble(image.with_data(np.ones_like(image.data)), Volume(painted, AFFINE)))

    def test_which_class_is_background_is_guessed(self) -> None:
        image, _ = ball()
        for inside, outside in ((1, 2), (2, 1)):
            painted = stroke(image, inside, outside)
            _, done = run(scribble(image, Volume(painted, AFFINE), check=False))
            assert done.background == outside

    def test_looked_at_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RESMED_CACHE", str(tmp_path))
        monkeypatch.setattr(cache, "_warm", cache.OrderedDict())
        image, _ = ball((12, 14, 16))
        run(look_at(image))
        _, first = run(scribble(image, Volume(stroke(image), AFFINE), background=1))
        cache._warm.clear()

        def never(_: Volume) -> None:
            raise AssertionError

        monkeypatch.setattr(cache, "compute_features", never)
        _, second = run(scribble(image, Volume(stroke(image), AFFINE), background=1))
        np.testing.assert_array_equal(first.labels.data, second.labels.data)
        assert len(list((tmp_path / "scribble").iterdir())) == 1

    def test_the_cache_stays_within_its_size(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RESMED_CACHE", str(tmp_path))
        image, _ = ball((12, 14, 16))
        size = 12 * 14 * 16 * 26 * 2
        monkeypatch.setattr(cache, "DISK_BYTES", int(2.5 * size))
        for number in range(4):
            run(look_at(image.with_data(image.data + number * image.data**2)))
        kept = list((tmp_path / "scribble").rglob("*.npy"))
        assert 0 < sum(file.stat().st_size for file in kept) <= 2.5 * size

    def test_damaged_features_are_computed_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RESMED_CACHE", str(tmp_path))
        image, _ = ball((12, 14, 16))
        run(look_at(image))
        (file,) = (tmp_path / "scribble").rglob("responses.npy")
        file.write_bytes(file.read_bytes()[:200])
        cache._warm.clear()
        _, done = run(scribble(image, Volume(stroke(image), AFFINE), background=1))
        assert done.labels.shape == image.shape

    def test_through_the_engine(self) -> None:
        image, inside = ball()
        events: list[Any] = []
        engine = Engine()
        try:
            parameters = {"image": image, "scribbles": Volume(stroke(image), AFFINE), "background": 1, "view": [0, 10]}
            assert engine.submit("scribble", parameters, events.append).done.wait(600)
        finally:
            engine.close()
        done = events[-1].result
        assert dice(done["labels"].data == 2, inside) > 0.85
        assert done["strokes"] == {"1": 1, "2": 1}


class TestRealImages:
    def test_hippocampus(self, shared_data: Path) -> None:
        image = read(shared_data / "hippocampus/images/hippocampus_003.nii.gz")
        truth = read(shared_data / "hippocampus/labels/hippocampus_003.nii.gz").data
        painted = np.zeros(image.shape, np.uint8)
        for value in (1, 2):
            z = int((truth == value).sum((1, 2)).argmax())
            y, x = np.argwhere(truth[z] == value).T
            middle = np.hypot(y - y.mean(), x - x.mean()) < 4
            painted[z, y[middle], x[middle]] = value
            painted[z][(truth[z] == 0) & (np.arange(truth.shape[2]) % 9 == 0)] = 3
        _, done = run(scribble(image, Volume(painted, image.affine), background=3))
        for value in (1, 2):
            assert dice(done.labels.data == value, truth == value) > 0.45
