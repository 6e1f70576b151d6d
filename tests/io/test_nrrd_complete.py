from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from napari_resmed.io import read, write
from napari_resmed.volume import Volume
from tests.affines import make_affine


@pytest.fixture(params=[".nrrd", ".nhdr"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"image{request.param}"


class TestCompleteHeader:
    @pytest.mark.parametrize("axes", ["tzyx", "tczyx"])
    def test_an_image_in_time_says_which_side_is_left(self, target: Path, axes: str) -> None:
        shape = (3, 2, 4, 5, 6) if len(axes) == 5 else (3, 4, 5, 6)
        data = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
        volume = Volume(data, make_affine((1, 0, 2), (1, -1, 1)), axes)
        write(volume, target)
        assert "space: left-posterior-superior-time" in target.read_bytes()[:600].decode("latin1")
        back = read(target)
        assert not back.meta.get("warnings")
        assert back.axes == axes
        assert np.array_equal(back.data, volume.data)
        assert np.allclose(back.affine, volume.affine, atol=1e-6)

    @pytest.mark.parametrize("colour", ["RGB", "RGBA"])
    def test_colour_stays_colour(self, target: Path, colour: str) -> None:
        data = np.random.default_rng(0).integers(0, 256, (len(colour), 4, 5, 6)).astype(np.uint8)
        write(Volume(data, make_affine(), "czyx", meta={"colour": colour}), target)
        back = read(target)
        assert back.meta["colour"] == colour
        assert np.array_equal(back.data, data)

    def test_channels_that_are_no_colours_are_not_called_so(self, target: Path) -> None:
        write(Volume(np.zeros((3, 4, 5, 6), np.uint8), make_affine(), "czyx"), target)
        assert "colour" not in read(target).meta

    def test_itk_reads_it_as_before(self, target: Path) -> None:
        data = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 6)).astype(np.uint8)
        write(Volume(data, make_affine(), "tczyx", meta={"colour": "RGB"}), target)
        theirs = sitk.ReadImage(str(target))
        assert theirs.GetSize() == (6, 5, 4, 2)
        assert np.array_equal(np.moveaxis(sitk.GetArrayFromImage(theirs), -1, 1), data)
