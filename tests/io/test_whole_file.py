from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.whole_file import check_place, whole_file


class TestWholeFile:
    def test_the_file_appears_when_the_block_ends(self, tmp_path: Path) -> None:
        target = tmp_path / "a.csv"
        with whole_file(target) as part:
            part.write_text("hello")
            assert not target.exists()
            assert part.parent == tmp_path
        assert target.read_text() == "hello"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("name", ["a.nii.gz", "A.NII.GZ", "a.b.csv", "noext"])
    def test_the_part_has_the_suffix_writers_go_by(self, name: str, tmp_path: Path) -> None:
        with whole_file(tmp_path / name) as part:
            part.write_text("x")
            suffix = part.name.removeprefix(".part-").partition(".")[2].lower()
        assert suffix == {"a.nii.gz": "nii.gz", "A.NII.GZ": "nii.gz", "a.b.csv": "csv", "noext": ""}[name]

    def test_who_may_read_it_stays(self, tmp_path: Path) -> None:
        target = tmp_path / "a.csv"
        target.write_text("old")
        target.chmod(0o600)
        with whole_file(target) as part:
            part.write_text("new")
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_an_old_file_stays_until_then(self, tmp_path: Path) -> None:
        target = tmp_path / "a.csv"
        target.write_text("old")
        with whole_file(target) as part:
            part.write_text("new")
            assert target.read_text() == "old"
        assert target.read_text() == "new"

    @pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, MemoryError])
    def test_a_failure_leaves_things_as_they_were(self, problem: type[BaseException], tmp_path: Path) -> None:
        target = tmp_path / "a.csv"
        target.write_text("old")

        def fail() -> None:
            with whole_file(target) as part:
                part.write_text("half of the n")
                raise problem

        with pytest.raises(problem):
            fail()
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_writer_may_remove_its_part(self, tmp_path: Path) -> None:
        def fail() -> None:
            with whole_file(tmp_path / "a.csv") as part:
                part.unlink()

        with pytest.raises(WorkError, match="could not write"):
            fail()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
    def test_others_may_read_it_as_any_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "plain").write_text("")
        with whole_file(tmp_path / "a.csv") as part:
            part.write_text("x")
        modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "a.csv")}
        assert len(modes) == 1

    def test_a_full_disk(self, tiny_disk: Path) -> None:
        target = tiny_disk / "a.csv"
        target.write_text("old")

        def fill() -> None:
            with whole_file(target) as part:
                part.write_bytes(b"x" * 200_000)

        with pytest.raises(WorkError, match=r"a\.csv: the disk is full; nothing was left there"):
            fill()
        assert target.read_text() == "old"
        assert list(tiny_disk.iterdir()) == [target]

    def test_a_place_where_writing_is_not_allowed(self, locked_disk: Path) -> None:
        for use in (check_place, lambda path: whole_file(path).__enter__()):
            with pytest.raises(InputError, match="writing is not allowed there; choose another place"):
                use(locked_disk / "a.csv")


class TestCheckPlace:
    def test_a_good_place_stays_empty(self, tmp_path: Path) -> None:
        check_place(tmp_path / "a.csv")
        assert list(tmp_path.iterdir()) == []

    def test_an_absent_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist; create it first"):
            check_place(tmp_path / "none" / "a.csv")

    def test_a_file_for_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="is a file, expected a folder"):
            check_place(tmp_path / "file" / "a.csv")

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="cannot write"):
            check_place(tmp_path / "file" / "folder" / "a.csv")

    def test_a_folder_of_that_name(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").mkdir()
        with pytest.raises(InputError, match="a folder of that name is there"):
            check_place(tmp_path / "a.csv")

    def test_a_name_too_long(self, tmp_path: Path) -> None:
        with pytest.raises((InputError, WorkError), match="too long"), whole_file(tmp_path / ("a" * 300)) as part:
            part.write_text("x")
        assert list(tmp_path.iterdir()) == []
