"""What napari hands to the writers, without a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import read, write
from napari_resmed.io.provenance import write_provenance
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.viewer.files.writers import write_dicom_series, write_image, write_labels, write_segments
from napari_resmed.viewer.layers import volume_to_layer
from napari_resmed.volume import Volume
from tests.affines import make_affine

SMALL = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), make_affine(), name="small")


class TestEndings:
    @pytest.mark.parametrize("name", ["m.mgz", "m.mgh", "m.nii", "m.mha"])
    def test_what_was_asked_for(self, name: str, tmp_path: Path) -> None:
        data, attributes, _ = volume_to_layer(SMALL)
        assert write_image(str(tmp_path / name), data, attributes) == [str(tmp_path / name)]
        assert np.array_equal(read(tmp_path / name).data, SMALL.data)

    @pytest.mark.parametrize("name", ["m.tif", "m.png", "m.dcm", "m.hdr", "m.csv"])
    def test_other_formats_are_refused(self, name: str, tmp_path: Path) -> None:
        data, attributes, _ = volume_to_layer(SMALL)
        for writer in (write_image, write_labels, write_segments):
            with pytest.raises(InputError, match=f"cannot write {name}: found the ending"):
                writer(str(tmp_path / name), data, attributes)
        assert list(tmp_path.iterdir()) == []

    def test_a_name_with_a_point(self, tmp_path: Path) -> None:
        data, attributes, _ = volume_to_layer(SMALL)
        assert write_image(str(tmp_path / "T1 1.5mm"), data, attributes) == [str(tmp_path / "T1 1.5mm.nii.gz")]


class TestDicomSeries:
    def test_colour_of_somebody_elses_layer(self, tmp_path: Path) -> None:
        """Red, green and blue last, as napari has them."""
        data = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3)).astype(np.uint8)
        attributes = {"rgb": True, "scale": (2, 1, 1), "translate": (0, 0, 0), "rotate": np.eye(3), "name": "photo"}
        attributes |= {"shear": (0, 0, 0), "affine": np.eye(4), "units": ("mm",) * 3}
        write_dicom_series(str(tmp_path / "out"), data, attributes)
        back = read(tmp_path / "out")
        assert (back.axes, back.meta["colour"]) == ("czyx", "RGB")
        assert np.array_equal(np.moveaxis(back.data, 0, -1), data)
        assert back.spacing_mm == pytest.approx((2, 1, 1))

    @pytest.mark.parametrize(("shape", "axes"), [((4, 3, 4, 5), "tzyx"), ((3, 3, 4, 5), "czyx")])
    def test_ours_in_any_place(self, shape: tuple[int, ...], axes: str, tmp_path: Path) -> None:
        data = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
        volume = Volume(data, make_affine(degrees=(5, 6, 7)), axes, meta={"colour": "RGB"} if "c" in axes else {})
        layer, attributes, _ = volume_to_layer(volume)
        write_dicom_series(str(tmp_path / "out"), layer, attributes)
        back = read(tmp_path / "out")
        assert back.axes == axes
        assert np.array_equal(back.data, data)
        assert np.allclose(back.affine, volume.affine, atol=1e-6)


class TestNotes:
    def test_of_a_file_that_is_written_over(self, tmp_path: Path) -> None:
        halves = np.repeat(np.arange(2, dtype=np.uint8), 60).reshape(6, 4, 5)
        named = LabelMap(halves, make_affine(), labels=LabelSet((Label(1, "hippocampus", (1, 2, 3)),)))
        write(named, tmp_path / "out.mha")
        write_provenance(tmp_path / "out.mha", named)
        data, attributes, _ = volume_to_layer(replace(named, labels=LabelSet()))
        write_labels(str(tmp_path / "out.mha"), data, attributes)
        back = read(tmp_path / "out.mha")
        assert isinstance(back, LabelMap)
        assert [label.name for label in back.labels] != ["hippocampus"]
