from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.io.below import files_below
from napari_resmed.io.dicom import find_series
from napari_resmed.io.listing import find_images
from tests.io.dicom.making import make_series


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A series outside, to which two links lead; one of them through a folder that leads back."""
    (tmp_path / "elsewhere").mkdir()
    make_series(tmp_path / "elsewhere" / "series")
    folder = tmp_path / "search"
    (folder / "b").mkdir(parents=True)
    try:
        (folder / "a").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (folder / "b" / "again").symlink_to(tmp_path / "elsewhere" / "series", target_is_directory=True)
        (folder / "b" / "back").symlink_to(folder, target_is_directory=True)
        (folder / "gone").symlink_to(tmp_path / "nowhere", target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    return folder


class TestLinks:
    def test_every_file_once(self, linked: Path) -> None:
        (linked / "b" / ".hidden").touch()
        (linked / "b" / "notes.txt").touch()
        found = [file.relative_to(linked).as_posix() for file in files_below(linked)]
        assert found == ["b/notes.txt", *(f"a/series/slice_{number}.dcm" for number in range(1, 7))]

    def test_the_series_is_found(self, linked: Path) -> None:
        (series,) = find_series(linked)
        assert (series.shape, series.problem) == ((6, 5, 4), "")
        (entry,) = find_images(linked)
        assert entry.shape == (6, 5, 4)

    def test_a_real_folder_comes_before_its_link(self, linked: Path) -> None:
        make_series(linked / "b" / "real")
        (linked / "a" / "link").symlink_to(linked / "b" / "real", target_is_directory=True)
        names = {file.parent.relative_to(linked).as_posix() for file in files_below(linked)}
        assert names == {"b/real", "a/series"}
