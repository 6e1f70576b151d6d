"""Whatever ends it, and whenever: at the places where results go there is a whole file, or none, or what was there."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import read
from napari_resmed.jobs.segment_file import segment_file

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")

OUTPUTS = ("seg.nii.gz", "doubt.nii.gz", "volumes.csv", "seg.nii.gz.resmed.json")
OLD = b"what was there"


def arguments(images: Path) -> list[str]:
    chosen = ["segment", str(images / "good.nii.gz"), "-o", "seg.nii.gz", "-m", "bands", "--device", "cpu"]
    return [*chosen, "--precision", "fp32", "--uncertainty", "doubt.nii.gz", "--table", "volumes.csv", "--json"]


def end(runs: list[dict[str, Any]], models: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.interrupting"],
        input=json.dumps(runs),
        capture_output=True,
        text=True,
        timeout=800,
        env=os.environ | {"RESMED_MODELS": str(models), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def whole(images: Path, models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run that nothing ends: its results, how many calls it takes, and when it begins to write."""
    folder = tmp_path_factory.mktemp("whole")
    (told,) = end([{"folder": str(folder), "arguments": arguments(images)}], models_folder)
    assert told["code"] == 0, told["said"]
    return folder, told


def check(folder: Path, whole: Path, old: bool = False) -> int:
    """How many outputs there are; each is whole, or as it was."""
    found = 0
    for name in OUTPUTS:
        path = folder / name
        if not path.exists():
            assert not old
            continue
        if old and path.read_bytes() == OLD:
            continue
        found += 1
        if name.endswith(".nii.gz"):
            np.testing.assert_array_equal(read(path).data, read(whole / name).data)
        elif name.endswith(".csv"):
            assert list(csv.reader(path.open(newline=""))) == list(csv.reader((whole / name).open(newline="")))
        else:
            notes = [json.loads((place / name).read_text()) for place in (folder, whole)]
            assert notes[0]["labels"] == notes[1]["labels"]
            assert notes[0].keys() == notes[1].keys()
    return found


def moments(told: dict[str, Any], before: int, writing: int, seed: int) -> list[dict[str, int]]:
    """Calls, drawn from all before it writes, and from its writing: these are counted from where that begins, for how
    many there are before differs by a few from run to run.
    """
    chance = random.Random(seed)
    first, last = told["writing"], told["calls"]
    return [{"at": chance.randint(1, first)} for _ in range(before)] + [
        {"after": chance.randint(0, last - first)} for _ in range(writing)
    ]


@pytest.fixture(scope="module")
def ended(
    whole: tuple[Path, dict[str, Any]], images: Path, models_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]:
    """Every run with how it ended, by what ended it; together, because one warm process serves them all."""
    folder, told = whole
    sizes = [(folder / name).stat().st_size for name in OUTPUTS]
    limits = [1, *(size + more for size in sizes for more in (-size // 2, -1, 0))]
    wishes = {
        "killed": [{**when, "signal": signal.SIGKILL} for when in moments(told, 4, 16, seed=1)],
        "killed over old files": [{**when, "signal": signal.SIGKILL} for when in moments(told, 2, 16, seed=2)],
        "interrupted": [{**when, "signal": signal.SIGINT} for when in moments(told, 4, 8, seed=3)],
        "limited": [{"limit": limit} for limit in limits],
    }
    runs: dict[str, list[dict[str, Any]]] = {}
    for what, hows in wishes.items():
        place = tmp_path_factory.mktemp("ended")
        for number, how in enumerate(hows):
            (place / str(number)).mkdir()
            for name in OUTPUTS if "old" in what else ():
                (place / str(number) / name).write_bytes(OLD)
            run = {"folder": str(place / str(number)), "arguments": arguments(images), **how}
            runs.setdefault(what, []).append(run)
    every = iter(end([run for some in runs.values() for run in some], models_folder))
    return {what: [(run, next(every)) for run in some] for what, some in runs.items()}


class TestSignals:
    def test_there_is_something_to_end(self, whole: tuple[Path, dict[str, Any]]) -> None:
        folder, told = whole
        assert check(folder, folder) == len(OUTPUTS)
        assert 0 < told["writing"] < told["calls"] - 100

    @pytest.mark.parametrize("what", ["killed", "killed over old files"])
    def test_killed(self, what: str, ended: dict[str, Any], whole: tuple[Path, dict[str, Any]]) -> None:
        told = [one["code"] for _, one in ended[what]]
        # Calls differ by a few from run to run, so that the very last moment may come after the end.
        assert told.count(-signal.SIGKILL) >= len(told) - 2
        counts = [check(Path(run["folder"]), whole[0], "old" in what) for run, _ in ended[what]]
        assert 0 in counts
        assert max(counts) > 0  # some came between two files

    def test_interrupted(self, ended: dict[str, Any], whole: tuple[Path, dict[str, Any]]) -> None:
        for run, one in ended["interrupted"]:
            check(Path(run["folder"]), whole[0])
            assert one["code"] in (0, 1)
            assert "Traceback" not in one["said"]


class TestCancelled:
    def test_between_any_two_steps(self, images: Path, own_models: Path, tmp_path: Path) -> None:
        def steps() -> Any:
            return segment_file(
                images / "good.nii.gz",
                tmp_path / "seg.nii.gz",
                "bands",
                device="cpu",
                precision="fp32",
                uncertainty=tmp_path / "doubt.nii.gz",
                table=tmp_path / "volumes.csv",
            )

        count = 0
        while True:
            job = steps()
            events = [event for _, event in zip(range(count + 1), job, strict=False)]
            if len(events) <= count:
                break  # it ended before
            job.close()
            assert list(tmp_path.iterdir()) == []
            count += 1
        assert count > 10
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(OUTPUTS)


class TestFullDisk:
    def test_at_any_byte(self, ended: dict[str, Any], whole: tuple[Path, dict[str, Any]]) -> None:
        sizes = [(whole[0] / name).stat().st_size for name in OUTPUTS]
        for run, one in ended["limited"]:
            found = check(Path(run["folder"]), whole[0])
            assert not list(Path(run["folder"]).glob(".*"))
            fits = all(size <= run["limit"] for size in sizes)
            assert (one["code"], found == len(OUTPUTS)) == ((0, True) if fits else (1, False))
            if not fits:
                assert one["said"].splitlines()[-1].endswith("nothing was left there")
                assert len(one["said"].splitlines()) == 1

    @pytest.mark.parametrize("share", [0.3, 0.8])
    def test_a_disk_that_is_full_at_some_point(
        self, share: float, whole: tuple[Path, dict[str, Any]], images: Path, own_models: Path, tiny_disk: Path
    ) -> None:
        room = os.statvfs(tiny_disk).f_bavail * os.statvfs(tiny_disk).f_frsize
        needed = sum(-(-(whole[0] / name).stat().st_size // 4096) * 4096 for name in OUTPUTS)
        if room > needed * share:
            (tiny_disk / "filler").write_bytes(b"x" * int(room - needed * share))
        (told,) = end([{"folder": str(tiny_disk), "arguments": arguments(images)}], own_models)
        assert told["code"] != 0
        assert check(tiny_disk, whole[0]) < len(OUTPUTS)
        assert not list(tiny_disk.glob(".*"))


def test_a_wrong_kind_of_uncertainty_costs_no_work(images: Path, own_models: Path, tmp_path: Path) -> None:
    for kind, words in (("doubt", "expected entropy or variance"), ("variance", "bands makes one")):
        with pytest.raises(InputError, match=words):
            list(
                segment_file(
                    images / "good.nii.gz",
                    tmp_path / "seg.nii.gz",
                    "bands",
                    uncertainty=tmp_path / "doubt.nii.gz",
                    uncertainty_kind=kind,
                )
            )
    assert list(tmp_path.iterdir()) == []
