from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import find_images, write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine

FIELDS = ["id", "path", "kind", "modality", "shape", "spacing_mm", "affine", "axes", "dtype", "description", "warnings"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image, labels below it, a broken file, and things that are no images."""
    voxels = np.random.default_rng(0).permutation(6000).reshape(20, 15, 20).astype(np.int16)
    image = Volume(voxels, make_affine(spacing_mm=(3, 1, 0.5)))
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1:3] = 1
    (tmp_path / "sub").mkdir()
    write(image, tmp_path / "t1.nii.gz")
    write(LabelMap(mask, make_affine()), tmp_path / "sub/mask.nii.gz")
    (tmp_path / "broken.nii.gz").write_bytes((tmp_path / "t1.nii.gz").read_bytes()[:5000])
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden.nii.gz").write_bytes(b"")
    return tmp_path


class TestFolder:
    def test_one_entry_an_image(self, folder: Path) -> None:
        assert [(entry.id, entry.kind) for entry in find_images(folder)] == [
            ("broken.nii.gz", "unreadable"),
            ("mask.nii.gz", "labels"),
            ("t1.nii.gz", "image"),
        ]

    def test_a_broken_one_says_why(self, folder: Path) -> None:
        broken = find_images(folder)[0]
        assert "truncated" in broken.warnings[0]
        assert (broken.shape, broken.affine) == ((), [])

    def test_an_empty_one(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="holds no image; expected NIfTI, NRRD, MetaImage, MGH, AFNI or DICOM"):
            find_images(tmp_path)

    def test_a_pair_of_files_is_one_image(self, tmp_path: Path) -> None:
        import nibabel as nib

        nib.save(nib.Nifti1Pair(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4)), tmp_path / "pair.img")
        assert [entry.id for entry in find_images(tmp_path)] == ["pair.hdr"]


class TestEntry:
    def test_has_the_fields_others_rely_on(self, folder: Path) -> None:
        (entry,) = find_images(folder / "t1.nii.gz")
        plain = json.loads(json.dumps(entry.to_json()))
        assert list(plain) == FIELDS
        assert plain["path"] == str(folder / "t1.nii.gz")
        assert (plain["shape"], plain["axes"], plain["dtype"]) == ([20, 15, 20], "zyx", "int16")
        assert plain["spacing_mm"] == [3, 1, 0.5]
        assert plain["affine"] == make_affine(spacing_mm=(3, 1, 0.5)).tolist()
        assert plain["warnings"] == []

    def test_one_file_that_is_no_image(self, folder: Path) -> None:
        for name in ("notes.txt", "broken.nii.gz"):
            with pytest.raises(InputError, match=name):
                find_images(folder / name)

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist"):
            find_images(tmp_path / "none")

    def test_real_files(self, shared_data: Path) -> None:
        entries = {entry.id: entry for entry in find_images(shared_data / "brain_mri")}
        assert entries["mni152_tissue_labels.nii.gz"].kind == "labels"
        assert entries["mni152_t1.nii.gz"].kind == "image"
        assert all(entry.kind != "unreadable" for entry in entries.values())
