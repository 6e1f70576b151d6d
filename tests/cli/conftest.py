from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.io import write
from napari_resmed.volume import Volume
from tests.affines import make_affine


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output: anything else there is an error."""
        return json.loads(self.out)

    def refused(self, code: int = 2) -> str:
        """The one line of an error."""
        assert self.code == code, (self.code, self.err)
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("napari-resmed: ")
        return lines[0].removeprefix("napari-resmed: ")


Run = Callable[..., Ran]


@pytest.fixture
def run(own_models: Path, tmp_path: Path) -> Run:
    """Run the command line as a person would: another process, in an empty folder."""

    def command(*arguments: object, cwd: Path = tmp_path, columns: int = 200) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "napari_resmed.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=os.environ | {"COLUMNS": str(columns)},
            timeout=800,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return command


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, good and bad; not to be changed."""
    folder = tmp_path_factory.mktemp("images")
    z, y, x = np.mgrid[:20, :24, :28]
    data = (np.sin(z / 6) + np.cos(y / 7) + np.sin(x / 5)).astype(np.float32)
    affine = make_affine((1, 2, 0), (-1, 1, 1), degrees=(10, -5, 3), origin_mm=(5, 6, 7))
    good = Volume(data, affine)
    write(good, folder / "good.nii.gz")
    write(good.with_data(data[::-1]), folder / "other.nii.gz")
    spoiled = data.copy()
    spoiled[2, 3, 4] = np.nan
    write(good.with_data(spoiled), folder / "nan.nii.gz")
    write(good.with_data(np.full_like(data, 3)), folder / "constant.nii.gz")
    write(good.with_data(data[:1]), folder / "flat.nii.gz")
    write(Volume(np.stack([data] * 3), affine, "czyx"), folder / "colour.nii.gz")
    write(Volume(np.stack([data] * 3), affine, "tzyx"), folder / "time.nii.gz")
    (folder / "truncated.nii.gz").write_bytes((folder / "good.nii.gz").read_bytes()[:20_000])
    (folder / "notes.txt").write_text("hello")
    (folder / "empty").mkdir()
    return folder
