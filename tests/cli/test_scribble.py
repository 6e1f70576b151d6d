from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_resmed.io import read, write
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.cli.conftest import Run
from tests.jobs.test_scribble import AFFINE, ball, dice, stroke


@pytest.fixture
def place(tmp_path: Path) -> Path:
    image, _ = ball()
    painted = stroke(image)
    write(image, tmp_path / "image.nii.gz")
    write(LabelMap(painted, AFFINE), tmp_path / "strokes.nii.gz")
    write(LabelMap(np.where(painted == 2, painted, 0).astype(np.uint8), AFFINE), tmp_path / "one.nii.gz")
    write(LabelMap(painted[1:], AFFINE), tmp_path / "shorter.nii.gz")
    write(Volume(np.stack([image.data] * 2), AFFINE), tmp_path / "time.nii.gz")
    return tmp_path


class TestScribble:
    def test_every_voxel_gets_a_class(self, run: Run, place: Path) -> None:
        _, inside = ball()
        done = run(
            *("scribble", "image.nii.gz", "strokes.nii.gz", "-o", "out.nii.gz", "--uncertainty", "u.nii.gz", "--json")
        )
        assert done.code == 0, done.err
        result = read(place / "out.nii.gz")
        assert set(np.unique(result.data)) == {1, 2}
        assert dice(result.data == 2, inside) > 0.85
        assert result.same_grid(read(place / "image.nii.gz"))
        assert read(place / "u.nii.gz").same_grid(result)
        told = done.json
        assert told["output"] == "out.nii.gz"
        assert told["background"] == 1
        assert {row["value"]: row["voxels"] for row in told["labels"]} == {
            value: int((result.data == value).sum()) for value in (1, 2)
        }
        assert told["held_out"]["right"] is None
        assert (place / "out.nii.gz.resmed.json").is_file()

    def test_a_further_image_is_a_channel(self, run: Run, place: Path) -> None:
        image, inside = ball()
        flat = image.with_data(np.broadcast_to(np.arange(24, dtype=np.float32), image.shape))
        write(flat, place / "flat.nii.gz")
        done = run(*("scribble", "flat.nii.gz", "strokes.nii.gz", "-o", "out.nii.gz", "--channel", "image.nii.gz"))
        assert done.code == 0, done.err
        assert dice(read(place / "out.nii.gz").data == 2, inside) > 0.8
        refused = run("scribble", "flat.nii.gz", "strokes.nii.gz", "-o", "o.nii.gz", "--channel", "shorter.nii.gz")
        assert "shorter lies on another grid than flat" in refused.refused(2)

    def test_for_people(self, run: Run, place: Path) -> None:
        done = run("scribble", "image.nii.gz", "strokes.nii.gz", "-o", "out.nrrd", "--background", "1")
        assert done.code == 0, done.err
        assert done.out.splitlines()[2].split()[0] == "2"
        assert "A stroke at z" in done.err
        assert "Wrote out.nrrd" in done.err

    def test_refusals_in_one_line(self, run: Run, place: Path) -> None:
        for arguments, reason in (
            (("image.nii.gz", "one.nii.gz", "-o", "o.nii.gz"), "only class 2 is painted"),
            (("image.nii.gz", "shorter.nii.gz", "-o", "o.nii.gz"), "another grid than the image (19×28×24"),
            (("time.nii.gz", "strokes.nii.gz", "-o", "o.nii.gz"), "2 time points"),
            (("image.nii.gz", "image.nii.gz", "-o", "o.nii.gz"), "only label maps can be strokes"),
            (("image.nii.gz", "none.nii.gz", "-o", "o.nii.gz"), "none.nii.gz does not exist"),
            (("image.nii.gz", "strokes.nii.gz", "-o", "image.nii.gz"), "image.nii.gz"),
            (("image.nii.gz", "strokes.nii.gz", "-o", "o.nii.gz", "--background", "5"), "class 5 was to be"),
            (("image.nii.gz", "strokes.nii.gz", "-o", "o.nii.gz", "--uncertainty", "o.nii.gz"), "two results would be"),
        ):
            assert reason in run("scribble", *arguments, "--json").refused(2)
        assert not list(place.glob("o.*"))
