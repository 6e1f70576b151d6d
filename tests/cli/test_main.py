from __future__ import annotations

from pathlib import Path

import pytest

import napari_resmed
from tests.cli.conftest import Run


class TestCall:
    def test_version(self, run: Run) -> None:
        done = run("--version")
        assert (done.code, done.out.strip()) == (0, f"napari-resmed {napari_resmed.__version__}")

    @pytest.mark.parametrize("arguments", [("--help",), ("segment", "--help")])
    def test_help(self, arguments: tuple[str, ...], run: Run) -> None:
        done = run(*arguments)
        assert done.code == 0
        assert "Usage" in done.out
        assert done.err == ""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("fly",),
            ("info",),
            ("convert", "a.nii"),
            ("segment", "a.nii"),
            ("segment", "a.nii", "-o", "b.nii", "--overlap", "much"),
            ("info", "--nonsense", "a.nii"),
            ("models", "fly"),
        ],
        ids=" ".join,
    )
    def test_a_wrong_call_is_one_line_and_2(self, arguments: tuple[str, ...], run: Run) -> None:
        assert "See napari-resmed --help" in run(*arguments).refused(2)

    def test_nothing_said_is_answered_with_help(self, run: Run) -> None:
        done = run()
        assert done.code in (0, 2)
        assert "Usage" in done.out + done.err
        assert "Traceback" not in done.err


class TestLongNames:
    @pytest.mark.parametrize("arguments", [("info", "a" * 300 + ".nii"), ("convert", "good.nii.gz", "b" * 300)])
    def test_one_line(self, arguments: tuple[str, ...], run: Run, images: Path) -> None:
        assert "longer than the file system takes" in run(*arguments, cwd=images).refused(2)


class TestDebug:
    def test_shows_the_traceback_wherever_it_stands(self, run: Run, images: Path) -> None:
        for arguments in (("--debug", "info", images / "notes.txt"), ("info", images / "notes.txt", "--debug")):
            done = run(*arguments)
            assert done.code == 2
            assert "Traceback (most recent call last)" in done.err
            assert done.err.splitlines()[-1].startswith("napari-resmed: notes.txt is not a medical image")
