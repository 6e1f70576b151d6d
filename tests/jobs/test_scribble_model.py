from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.jobs.scribble import scribble
from napari_resmed.jobs.scribble_model import scribble_model
from napari_resmed.jobs.segment import segment
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.models.folder import load_model
from napari_resmed.volume import Volume
from tests.jobs.test_scribble import AFFINE, ball, dice, run, stroke


class TestScribbleModel:
    def test_learnt_on_one_applied_to_another(self, tmp_path: Path) -> None:
        image, _ = ball((36, 40, 38))
        names = LabelSet((Label(2, "Ball", (1, 2, 3)),))
        _, told = run(
            scribble_model(image, LabelMap(stroke(image), AFFINE, labels=names), tmp_path / "mine", background=1)
        )
        assert told == {"model": str(tmp_path / "mine"), "name": "mine", "labels": [2]}
        model = load_model(tmp_path / "mine")
        assert model.labels[2].name == "Ball"
        other, _ = ball((34, 38, 44))
        noise = np.random.default_rng(5).normal(0, 0.1, other.shape)
        inside = np.zeros(other.shape, bool)
        inside[4:16, 5:20, 20:36] = True
        other = Volume((inside + noise).astype(np.float32), AFFINE)
        _, done = run(segment(other, str(tmp_path / "mine"), device="cpu", precision="fp32", backend="torch"))
        assert set(np.unique(done.labels.data)) <= {0, 2}
        assert dice(done.labels.data == 2, inside) > 0.6

    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_thin_volumes_are_no_darker_at_their_ends(self, precision: str, tmp_path: Path) -> None:
        image, _ = ball((12, 60, 56))
        painted = Volume(stroke(image), AFFINE)
        _, here = run(scribble(image, painted, background=1, smooth=False, check=False))
        run(scribble_model(image, painted, tmp_path / "mine", background=1))
        _, there = run(segment(image, str(tmp_path / "mine"), device="cpu", precision=precision, backend="torch"))
        same = (there.labels.data == 2) == (here.labels.data == 2)
        assert same.mean() > 0.98
        assert same[[0, -1]].mean() > 0.98

    def test_no_background(self, tmp_path: Path) -> None:
        image, _ = ball((36, 40, 38))
        run(scribble_model(image, Volume(stroke(image), AFFINE), tmp_path / "mine", background=0))
        _, done = run(segment(image, str(tmp_path / "mine"), device="cpu", precision="fp32", backend="torch"))
        assert set(np.unique(done.labels.data)) == {1, 2}

    def test_refusals(self, tmp_path: Path) -> None:
        image, _ = ball()
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="is no model folder"):
            run(scribble_model(image, Volume(stroke(image), AFFINE), tmp_path / "file"))
        flat, _ = ball((1, 30, 30))
        with pytest.raises(InputError, match="2D"):
            run(scribble_model(flat, Volume(stroke(flat), AFFINE), tmp_path / "flat"))
        assert not (tmp_path / "flat").exists()
