"""DICOM segmentations and structure sets through the one door for every format."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import find_images, read, read_all, write
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.io.dicom.objects.study import drawn_over, write_image
from tests.io.dicom.objects.test_structures import square, write_structures

OBLIQUE = make_affine(degrees=(20, -10, 35), spacing_mm=(2.5, 0.7, 0.8), origin_mm=(-120, 35.5, 880))


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, LabelMap]:
    """A folder with an image series, and labels drawn over it."""
    return tmp_path / "study", drawn_over(write_image(tmp_path / "study", OBLIQUE, (6, 20, 20)))


def overlapping(labels: LabelMap) -> list[LabelMap]:
    data = np.zeros(labels.shape, np.uint8)
    data[2:5, 2:9, 2:9] = 5
    return [labels, LabelMap(data, labels.affine, labels=LabelSet((Label(5, "inside", (9, 8, 7)),)))]


class TestWriteAndRead:
    def test_the_image_comes_first(self, study: tuple[Path, LabelMap]) -> None:
        folder, labels = study
        write(labels, folder / "labels.dcm", like=folder)
        assert not isinstance(read(folder), LabelMap)
        back = read(folder / "labels.dcm")
        assert isinstance(back, LabelMap)
        assert np.array_equal(back.data, labels.data)
        assert back.same_grid(labels)
        assert [isinstance(one, LabelMap) for one in read_all(folder)].count(True) == 1

    def test_listed_with_names(self, study: tuple[Path, LabelMap]) -> None:
        folder, labels = study
        write(labels, folder / "labels.dcm", like=folder)
        for place in (folder, folder / "labels.dcm"):
            (entry,) = [entry for entry in find_images(place) if entry.kind == "labels"]
            assert entry.modality == "SEG"
            assert entry.shape == labels.shape
            assert entry.description == "Segmentation: Léber, links, Tumour, no code, nowhere"
            assert np.array_equal(read(place, entry.id).data, labels.data)

    def test_several_maps(self, study: tuple[Path, LabelMap]) -> None:
        folder, labels = study
        write(overlapping(labels), folder / "labels.dcm", like=folder)
        entries = [entry for entry in find_images(folder) if entry.kind == "labels"]
        assert [entry.id.rpartition(":")[2] for entry in entries] == ["1", "2"]
        maps = read_all(folder / "labels.dcm")
        for entry, one in zip(entries, maps, strict=True):
            assert np.array_equal(read(folder, entry.id).data, one.data)
        with pytest.raises(InputError, match="make 2 label maps.*choose one with --series"):
            read(folder / "labels.dcm")

    def test_a_structure_set_elsewhere(self, study: tuple[Path, LabelMap], tmp_path: Path) -> None:
        folder, _ = study
        from napari_resmed.io.dicom import find_series

        (series,) = find_series(folder)
        write_structures(folder, series, {"organ": [square(3, 4.5, 12.5)]})
        elsewhere = tmp_path / "plan"
        elsewhere.mkdir()
        shutil.move(folder / "structures.dcm", elsewhere)
        with pytest.raises(InputError, match="name its folder .--like."):
            read(elsewhere)
        (entry,) = find_images(elsewhere)
        assert (entry.kind, "--like" in entry.warnings[0]) == ("unreadable", True)
        assert (entry.modality, entry.shape, entry.spacing_mm, entry.affine) == ("RTSTRUCT", (), (), [])
        assert read(elsewhere, like=folder).counts() == {1: 64}

    def test_what_cannot_be_read_hides_nothing_else(self, study: tuple[Path, LabelMap]) -> None:
        folder, labels = study
        write(labels, folder / "labels.dcm", like=folder)
        whole = (folder / "labels.dcm").read_bytes()
        (folder / "cut.dcm").write_bytes(whole[:-200])
        assert [isinstance(one, LabelMap) for one in read_all(folder)].count(True) == 1
        kinds = sorted(entry.kind for entry in find_images(folder))
        assert kinds == ["image", "labels", "unreadable"]
        with pytest.raises(InputError):
            read_all(folder / "cut.dcm")

    def test_from_a_zip(self, study: tuple[Path, LabelMap], tmp_path: Path) -> None:
        folder, labels = study
        write(labels, folder / "labels.dcm", like=folder)
        archive = Path(shutil.make_archive(str(tmp_path / "study"), "zip", folder))
        (entry,) = [entry for entry in find_images(archive) if entry.kind == "labels"]
        assert np.array_equal(read(archive, entry.id).data, labels.data)
        assert read(archive, entry.id).same_grid(labels)


class TestRefusals:
    def test_no_series(self, study: tuple[Path, LabelMap], tmp_path: Path) -> None:
        with pytest.raises(InputError, match="give its folder with --like, or choose .nii.gz"):
            write(study[1], tmp_path / "labels.dcm")
        assert not (tmp_path / "labels.dcm").exists()

    def test_an_image(self, study: tuple[Path, LabelMap], tmp_path: Path) -> None:
        image = Volume(study[1].data.astype(np.float32), study[1].affine)
        with pytest.raises(InputError, match="this ending is for labels, found an image"):
            write(image, tmp_path / "image.dcm", like=study[0])
