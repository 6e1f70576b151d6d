"""What of a folder becomes cases, and what of it a project says."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import write
from napari_resmed.io.project import (
    add_images,
    create_project,
    find_project_of,
    list_cases,
    open_project,
    read_index,
    suggest_folder,
)
from napari_resmed.io.project.sources import find_sources, not_taken
from napari_resmed.labels import LabelMap
from tests.io.project.conftest import PLACE, finish, make_image, write_dicom


def link(place: Path, target: Path) -> None:
    try:
        place.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("this system lets nobody make links")


class TestFolders:
    def test_a_projects_own_files_are_no_images(self, images: Path, tmp_path: Path) -> None:
        inside = finish(create_project(images, images / "Dataset501_scans"))
        assert [source.name for source in find_sources(tmp_path)] == ["a", "b_b", "c", "d"]
        assert finish(add_images(inside, images)) == ()
        assert len(list_cases(inside)) == 4
        for path in images.iterdir():
            if path.is_file():
                path.unlink()
        with pytest.raises(InputError, match="holds no image; expected .* no project's"):
            find_sources(tmp_path)

    def test_folders_behind_links(self, images: Path, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        write(make_image(7), tmp_path / "far" / "x.nii.gz")
        link(images / "near", tmp_path / "far")
        link(tmp_path / "far" / "back", images)
        assert [source.name for source in find_sources(images)] == ["a", "b_b", "c", "d", "x"]

    def test_a_link_that_leads_nowhere_is_told_without_its_folder(self, images: Path, tmp_path: Path) -> None:
        link(images / "gone.nii.gz", tmp_path / "nowhere.nii.gz")
        project = finish(create_project(images, tmp_path / "p"))
        assert dict(read_index(project.folder).left_out) == {"gone": "gone.nii.gz does not exist"}

    def test_an_umlaut_in_one_character_and_in_two(self, tmp_path: Path) -> None:
        for kind in ("images", "labels"):
            (tmp_path / kind).mkdir()
        for name, word in (("M\u00fcller", ""), ("J\u00e4ger", "_seg")):
            write(make_image(), tmp_path / "images" / f"{unicodedata.normalize('NFC', name)}.nii.gz")
            labels = LabelMap(np.ones((6, 7, 8), np.uint8), PLACE)
            write(labels, tmp_path / "labels" / f"{unicodedata.normalize('NFD', name)}{word}.nii.gz")
        assert all(source.labels is not None for source in find_sources(tmp_path))

    def test_labels_of_images_that_differ_in_the_ending_alone(self, tmp_path: Path) -> None:
        for kind in ("images", "labels"):
            (tmp_path / kind).mkdir()
        for ending in ("nii.gz", "nrrd"):
            write(make_image(len(ending)), tmp_path / "images" / f"x.{ending}")
            write(LabelMap(np.ones((6, 7, 8), np.uint8), PLACE), tmp_path / "labels" / f"x.{ending}")
        sources = find_sources(tmp_path)
        assert [source.labels and source.labels.name for source in sources] == ["x.nii.gz", "x.nrrd"]
        assert not_taken(tmp_path, sources) == ()
        for ending in ("nii.gz", "nrrd"):
            (tmp_path / "labels" / f"x.{ending}").rename(tmp_path / "labels" / f"x_seg.{ending}")
        sources = find_sources(tmp_path)
        assert [source.labels for source in sources] == [None, None]
        assert [name for name, _ in not_taken(tmp_path, sources)] == ["x_seg.nii.gz", "x_seg.nrrd"]

    def test_a_channel_that_is_there_twice_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "scans").mkdir()
        for name in ("x_0000.nii.gz", "x_0000.nrrd"):
            write(make_image(len(name)), tmp_path / "scans" / name)
        project = finish(create_project(tmp_path / "scans", tmp_path / "p"))
        assert [case.name for case in list_cases(project)] == ["x"]
        ((name, why),) = read_index(project.folder).left_out
        assert name == "x_0000.nrrd"
        assert why.startswith("another image is called so but for the ending")

    def test_a_name_that_is_no_text(self, tmp_path: Path) -> None:
        """As programs of other countries left them; the bytes are no UTF-8."""
        (tmp_path / "scans").mkdir()
        write(make_image(), tmp_path / "scans" / "x.nii.gz")
        odd = tmp_path / "scans" / "M\udcfcller.nii.gz"
        try:
            (tmp_path / "scans" / "x.nii.gz").rename(odd)
        except (OSError, UnicodeError):
            pytest.skip("this system has no such names")
        project = finish(create_project(tmp_path / "scans", tmp_path / "p"))
        assert read_index(project.folder).cases["M_ller"].source == f"../scans/{odd.name}"
        assert finish(add_images(project, tmp_path / "scans")) == ()
        assert [case.name for case in list_cases(project)] == ["M_ller"]


class TestNobodyIsNamed:
    def test_a_damaged_series_is_told_without_its_files(self, tmp_path: Path) -> None:
        for seed in range(2):
            write_dicom(tmp_path / "scans" / f"DOE_{seed}", seed)
        damaged = next((tmp_path / "scans" / "DOE_1").iterdir())
        damaged.write_bytes(damaged.read_bytes()[:-20])
        damaged.rename(damaged.with_name("ROE_JANE_0003.dcm"))
        project = finish(create_project(tmp_path / "scans", tmp_path / "p"))
        ((_, why),) = read_index(project.folder).left_out
        assert why.startswith("one of its files cannot be decoded")
        ((_, again),) = finish(add_images(project, tmp_path / "scans"))
        assert again == why
        told = (project.folder / "resmed.json").read_text()
        assert "ROE" not in told
        assert "DOE" not in told

    def test_a_folder_of_dicom_gives_no_name_and_is_found_again(self, tmp_path: Path) -> None:
        folder = tmp_path / "Doe_John_19700101"
        write_dicom(folder / "s", 1)
        place = suggest_folder(folder)
        assert place == tmp_path / "Dataset501_cases"
        assert find_project_of(folder) is None
        project = finish(create_project(folder, place))
        assert "source" in json.loads((project.folder / "resmed.json").read_text())
        assert "Doe" not in (project.folder / "resmed.json").read_text()
        assert find_project_of(folder) == place
        write_dicom(tmp_path / "Roe_Jane" / "s", 2)
        assert find_project_of(tmp_path / "Roe_Jane") is None
        assert open_project(place).folder == place
