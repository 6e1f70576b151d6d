from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.prepare.fixed_size import fixed_size
from napari_resmed.prepare.preparation import STORED, Preparation
from napari_resmed.prepare.series import fixed_series, frames_back, restore_series
from napari_resmed.volume import Volume

AS_IS = Preparation((1.0, 1.0, 1.0), percentiles=(0, 100), orientation=STORED)
SHAPE = (4, 6, 5)


def ramp(frames: int, dtype: type = np.float32) -> Volume:
    """Brighter from frame to frame, by an equal step; and a little along x, so that no frame is of one value."""
    data = 10 * np.arange(frames)[:, None, None, None] + np.arange(5)[None, None, None] + np.zeros((1, 4, 6, 1))
    return Volume(data.astype(dtype), np.eye(4), "tzyx")


def courses(volume: Volume, frames: int) -> list[float]:
    return fixed_series(volume, AS_IS, SHAPE, "whole", frames)[0, :, 1, 2, 2].tolist()


def test_all_frames_have_one_range_so_that_it_is_seen_how_they_change() -> None:
    assert courses(ramp(5), 5) == pytest.approx([(10 * frame + 2) / 44 for frame in range(5)])


@pytest.mark.parametrize("own", [2, 3, 9, 40])
def test_however_many_frames_there_are(own: int) -> None:
    seen = courses(ramp(own), 3)
    assert len(seen) == 3
    assert seen == sorted(seen)
    assert seen[1] == pytest.approx(0.5, abs=0.01)
    assert seen[2] - seen[0] > 0.4


@pytest.mark.parametrize("lost", [0.0, np.nan])
def test_a_lost_frame_is_filled_in_from_those_around(lost: float) -> None:
    volume = ramp(5)
    data = np.array(volume.data)
    data[[0, 2]] = lost
    # Nothing stands before the second; the third is midway between its neighbours, where it was.
    assert courses(volume.with_data(data), 5) == pytest.approx([0, 0, 1 / 3, 2 / 3, 1], abs=0.06)
    back = restore_series(np.ones((5, *SHAPE), np.float32), volume.with_data(data), AS_IS, "whole")
    assert back.shape == (5, 4, 6, 5)
    assert back.min() == 1


def test_what_is_no_series_is_refused() -> None:
    data = np.array(ramp(4).data)
    data[1:] = 7
    with pytest.raises(InputError, match="1 of its 4 frames shows anything, expected several"):
        courses(Volume(data, np.eye(4), "tzyx"), 4)
    data = np.array(ramp(4).data)
    data[1, 0, 0, 0] = np.inf
    with pytest.raises(InputError, match="1 voxels that are NaN or infinite"):
        courses(Volume(data, np.eye(4), "tzyx"), 4)


def test_the_rim_is_cut_alike_in_every_frame() -> None:
    data = np.zeros((3, 12, 12, 12), np.uint8)
    rng = np.random.default_rng(0)
    data[0, 2:6, 3:9, 4:9] = rng.integers(1, 200, SHAPE)
    data[1:, 4, 5, 6:8] = 9  # less of it is seen in the others
    volume = Volume(data, np.eye(4), "tzyx")
    cutting = Preparation((1.0, 1.0, 1.0), percentiles=(0, 100), orientation=STORED, crop_nonzero=True)
    image = fixed_series(volume, cutting, SHAPE, "middle", 3)[0]
    assert image[0].numpy() == pytest.approx(data[0, 2:6, 3:9, 4:9] / np.float32(data.max()))
    assert np.argwhere(image[1].numpy()).tolist() == [[2, 2, 2], [2, 2, 3]]
    back = restore_series(image.numpy(), volume, cutting, "middle")
    assert back * data.max() == pytest.approx(data.astype(np.float32), abs=1e-3)


def test_an_image_without_time_is_every_frame() -> None:
    still = Volume(np.random.default_rng(0).integers(0, 99, SHAPE), np.eye(4))
    image = fixed_series(still, AS_IS, SHAPE, "whole", 4)
    assert image.shape == (1, 4, *SHAPE)
    assert np.allclose(image[0, 3], fixed_size(still, AS_IS, SHAPE, "whole")[0], atol=1e-6)


def test_turned_and_made_smaller_it_comes_back_to_its_own_grid() -> None:
    affine = np.array([[0, 0, 2.0, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])
    data = np.random.default_rng(0).uniform(0, 0.1, (8, 10, 12, 14)).astype(np.float32)
    data[5:, 6:9, 2:5, 8:12] = 1
    volume = Volume(data, affine, "tzyx")
    preparation = Preparation((2.0, 2.0, 2.0), percentiles=(0, 100))
    image = fixed_series(volume, preparation, (8, 8, 8), "whole", 4)[0]
    back = restore_series(image.numpy(), volume, preparation, "whole")
    assert back.shape == data.shape
    assert back[data == 1].mean() > 4 * back[data < 1].mean()


def test_weights_back_know_every_frame() -> None:
    back = frames_back(3, 10)
    assert back.sum(1) == pytest.approx(1)
    assert (back.sum(0) > 0).all()
    assert back.argmax(1).tolist() == sorted(back.argmax(1).tolist())
