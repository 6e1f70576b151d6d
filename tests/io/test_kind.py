from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_resmed.io.kind import looks_like_labels, surely_image
from napari_resmed.io.nifti import read_nifti
from napari_resmed.labels import LabelMap


def blobs(values: tuple[int, ...], dtype: str = "u1", shape: tuple[int, int, int] = (20, 20, 20)) -> np.ndarray:
    data = np.zeros(shape, dtype)
    for number, value in enumerate(values):
        start = 2 + number * 16 // len(values)
        data[start : start + 16 // len(values), 3:15, 4:16] = value
    return data


def wrong(folder: Path, expected: bool, pattern: str = "*.nii.gz") -> tuple[list[str], int]:
    """Names of the files that are taken for the other kind, and how many there are."""
    paths = sorted(folder.glob(pattern))
    told = {path.name: isinstance(read_nifti(path), LabelMap) for path in paths}
    return [name for name, labels in told.items() if labels != expected], len(told)


class TestRealFiles:
    @pytest.mark.parametrize(
        ("folder", "labels", "at_least"),
        [
            ("hippocampus/labels", True, 120),
            ("hippocampus/images", False, 120),
            ("headneck_ct/labels", True, 90),
            ("headneck_ct/images", False, 90),
            ("brain_labelmaps", True, 16),
        ],
    )
    def test_every_file_of_a_data_set(self, folder: str, labels: bool, at_least: int, shared_data: Path) -> None:
        taken_wrong, count = wrong(shared_data / folder, labels)
        assert taken_wrong == []
        assert count >= at_least

    @pytest.mark.parametrize("folder", ["body", "brain_mri", "nifti/axis_orders"])
    def test_every_file_of_a_mixed_folder(self, folder: str, shared_data: Path) -> None:
        for path in sorted((shared_data / folder).glob("*.nii.gz")):
            says_labels = any(word in path.name for word in ("seg", "lesion", "labels"))
            assert isinstance(read_nifti(path), LabelMap) == says_labels, path.name

    def test_labels_are_told_by_their_voxels_alone(self, shared_data: Path) -> None:
        # Files as people rename them, with nothing in the name and no table in the header.
        for path in ("body/example_seg.nii.gz", "brain_mri/mni152_tissue_labels.nii.gz"):
            assert looks_like_labels(np.asarray(nib.load(shared_data / path).dataobj).T), path


class TestByVoxels:
    def test_a_mask(self) -> None:
        assert looks_like_labels(blobs((1,)))
        assert looks_like_labels(blobs((255,)))
        assert looks_like_labels(blobs((1,)).astype(bool))
        assert looks_like_labels(blobs((1,), "f4"))

    def test_a_few_structures(self) -> None:
        assert looks_like_labels(blobs((1, 2, 3)))
        assert looks_like_labels(blobs((2, 41, 1035), "i4"))

    def test_two_hundred_structures_with_gaps(self) -> None:
        cubes = np.kron(np.arange(1, 217).reshape(6, 6, 6) * 5, np.ones((6, 6, 6), int)).astype("i4")
        assert looks_like_labels(cubes)

    def test_a_small_structure_between_the_sampled_slices(self) -> None:
        data = np.zeros((200, 30, 30), np.uint8)
        data[101, 10:20, 10:20] = 1
        assert looks_like_labels(data)

    def test_an_image_in_eight_bits(self) -> None:
        z, y, x = np.mgrid[:40, :40, :40]
        smooth = 127 + 60 * np.sin(z / 9) + 60 * np.cos(y / 7) * np.sin(x / 5)
        assert not looks_like_labels(smooth.astype(np.uint8))

    def test_noise(self) -> None:
        assert not looks_like_labels(np.random.default_rng(0).integers(0, 4096, (30, 30, 30)).astype(np.int16))

    def test_fractions(self) -> None:
        assert not looks_like_labels(blobs((1,), "f4") * np.float32(0.5))

    def test_ct_numbers_below_zero(self) -> None:
        assert not looks_like_labels(blobs((1, 2), "i2") - np.int16(1))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite(self, bad: float) -> None:
        data = blobs((1,), "f4")
        data[0, 0, 0] = bad
        assert not looks_like_labels(data)

    @pytest.mark.parametrize("value", [0, 1, 7])
    def test_a_constant_array_says_nothing(self, value: int) -> None:
        assert not looks_like_labels(np.full((5, 5, 5), value, np.uint8))

    def test_time_and_colour_are_no_labels(self) -> None:
        assert not looks_like_labels(np.stack([blobs((1,))] * 3))


class TestByName:
    def scattered(self) -> np.ndarray:
        """Three values in regions of a voxel or two: mostly border."""
        data = np.random.default_rng(0).integers(0, 4, (40, 40, 20)).astype(np.uint8)
        return np.repeat(data, 2, 2)

    @pytest.mark.parametrize("name", ["case_seg", "LABEL-3", "tumour.mask", "sub-01_dseg", "lesions", "gt"])
    def test_a_word_in_the_name_tips_the_scales(self, name: str) -> None:
        assert looks_like_labels(self.scattered(), name)

    @pytest.mark.parametrize("name", ["", "t1", "segovia", "unmasked", "weight"])
    def test_part_of_another_word_does_not(self, name: str) -> None:
        assert not looks_like_labels(self.scattered(), name)


@pytest.fixture(autouse=True)
def _no_changes() -> Iterator[None]:
    """Looking at an array leaves it as it is: read-only ones do too."""
    yield
    data = blobs((1, 2))
    data.setflags(write=False)
    assert looks_like_labels(data)


class TestSurelyImage:
    """What a listing tells from the first planes; it must never say so of labels."""

    def planes(self, volume: np.ndarray) -> Iterator[np.ndarray]:
        return iter(volume)

    def test_noise(self) -> None:
        volume = np.random.default_rng(0).integers(0, 1000, (8, 200, 200)).astype(np.int16)
        assert surely_image(self.planes(volume))

    @pytest.mark.parametrize("first", [np.nan, -1, 0.5])
    def test_a_value_that_no_label_has(self, first: float) -> None:
        volume = np.zeros((8, 9, 10), np.float32)
        volume[3, 4, 5] = first
        assert surely_image(self.planes(volume))

    def test_regions(self) -> None:
        volume = np.kron(np.random.default_rng(0).integers(0, 99, (8, 25, 25)), np.ones((1, 8, 8))).astype(np.int16)
        assert not surely_image(self.planes(volume))

    def test_a_ragged_mask(self) -> None:
        volume = (np.random.default_rng(0).random((40, 200, 200)) < 0.03).astype(np.uint8)
        assert not surely_image(self.planes(volume))
        assert looks_like_labels(volume)

    def test_it_stops_reading_as_soon_as_it_knows(self) -> None:
        volume = np.random.default_rng(0).integers(0, 1000, (50, 400, 400)).astype(np.int16)
        planes = self.planes(volume)
        assert surely_image(planes)
        assert len(list(planes)) > 40

    def test_no_label_map_at_hand(self, shared_data: Path) -> None:
        for path in sorted((shared_data / "hippocampus/labels").glob("*.nii.gz"))[:20]:
            assert not surely_image(self.planes(read_nifti(path).data))
