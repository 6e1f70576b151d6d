from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.io.project.names import case_names, channels_by_name


class TestCaseNames:
    @given(st.lists(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1), min_size=1, max_size=3)))
    def test_each_once_and_fit_for_a_file(self, paths: list[list[str]]) -> None:
        names = case_names([PurePosixPath(*path) for path in paths])
        assert len(names) == len(paths)
        assert len({name.lower() for name in names}) == len(names)
        for name in names:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
            assert not name.startswith(".")

    def test_the_files_own_name_where_it_is_the_only_one(self) -> None:
        assert case_names([PurePosixPath("a/x"), PurePosixPath("b/y")]) == ["x", "y"]

    def test_folders_tell_equal_names_apart(self) -> None:
        assert case_names([PurePosixPath("a/x"), PurePosixPath("b/X"), PurePosixPath("z")]) == ["a_x", "b_X", "z"]

    def test_numbers_tell_the_rest_apart(self) -> None:
        assert case_names([PurePosixPath("x y"), PurePosixPath("x_y")]) == ["x_y", "x_y_2"]

    def test_of_long_names_the_beginning(self) -> None:
        """What is written of a case may add 55 letters."""
        deep = PurePosixPath(*["folder" * 9] * 5)
        names = case_names([PurePosixPath("x" * 251), deep / "a" / "t1", deep / "b" / "t1"])
        assert max(map(len, names)) <= 255 - len("_12.conflict-01234567_0000.nii.gz")
        assert len(set(names)) == 3

    @pytest.mark.parametrize("name", ["con", "NUL", "aux.1", "Lpt1"])
    def test_a_device_of_windows_is_no_name(self, name: str) -> None:
        assert case_names([PurePosixPath(name)]) == [f"case_{name}"]
        assert case_names([PurePosixPath("contrast"), PurePosixPath("a.con")]) == ["contrast", "a.con"]


class TestChannels:
    def test_nnunets_names(self) -> None:
        assert channels_by_name(["a_0001", "b_0000", "a_0000", "b_0001"]) == {"a": (2, 0), "b": (1, 3)}

    @pytest.mark.parametrize(
        "names",
        [
            ["a", "b_0000"],
            ["a_0001", "b_0001"],
            ["a_0000", "a_0001", "b_0000"],
            [f"patient_{number:04d}" for number in range(30)],
        ],
        ids=["no number", "no first channel", "unequal", "a numbered series"],
    )
    def test_other_names_say_nothing(self, names: list[str]) -> None:
        assert channels_by_name(names) is None

    def test_of_two_files_of_one_channel_the_first(self) -> None:
        assert channels_by_name(["a_0000", "a_0000", "a_0001"]) == {"a": (0, 2)}
