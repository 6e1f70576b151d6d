from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.jobs.segment import segment
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.combine import combine_models
from napari_resmed.models.folder import load_model, read_card
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.small_models import band_weights, describe, save
from tests.train.small import finish


def scaled(factor: float) -> dict:
    """Weights whose scores are as many times as large: the mean of two is between them."""
    return {name: value * factor if name.startswith("model.2") else value for name, value in band_weights().items()}


def test_answers_are_averaged(tmp_path: Path) -> None:
    one = save(describe("one", patch=(16, 16, 32)), tmp_path, band_weights())
    # The other says the opposite, less loudly: together they say what the first does.
    other = save(describe("two", mirror_axes=(2,)), tmp_path, scaled(-0.5))
    made = combine_models([one, other], tmp_path / "both")
    assert load_model(tmp_path / "both") == made
    assert (made.name, made.members, made.patch, made.mirror_axes) == ("both", 2, (16, 16, 16), (2,))
    assert "one, two" in read_card(made)
    assert set(made.training["combined_from"]) == {"one", "two"}
    image = Volume(np.random.default_rng(0).random((18, 20, 22)).astype(np.float32), make_affine(), "zyx", "MR")
    alone, both = (
        finish(segment(image, str(tmp_path / name), device="cpu", precision="fp32", uncertainty=True))
        for name in ("one", "both")
    )
    np.testing.assert_array_equal(both.labels.data, alone.labels.data)
    assert both.uncertainty is not None
    assert alone.uncertainty is not None
    assert both.uncertainty.data.mean() > alone.uncertainty.data.mean()


def test_of_members_that_exchange_other_sides_none_is_mirrored(tmp_path: Path) -> None:
    one, other = (
        save(replace(describe(name), mirror_pairs=pairs), tmp_path) for name, pairs in (("a", ((1, 2),)), ("b", ()))
    )
    made = combine_models([one, other], tmp_path / "both")
    assert (made.mirror_axes, made.mirror_pairs) == ((0, 1), ())


def test_members_that_clean_up_otherwise_are_refused_and_the_larger_overlap_counts(tmp_path: Path) -> None:
    one, other, tidy = (
        save(replace(describe(name), cleanup=cleanup, overlap=overlap), tmp_path)
        for name, cleanup, overlap in (
            ("a", {}, 0.25),
            ("b", {}, 0.5),
            ("c", {1: Cleanup(largest_component=True)}, 0.5),
        )
    )
    assert combine_models([one, other], tmp_path / "both").overlap == 0.5
    for pair in ([one, tidy], [tidy, one]):
        with pytest.raises(InputError, match="differ in their cleaning up of answers"):
            combine_models(pair, tmp_path / "mixed")


def test_a_quick_look_is_what_all_of_them_learnt(tmp_path: Path) -> None:
    one, alike, other = (
        save(replace(describe(name), quick_spacing_mm=spacing), tmp_path)
        for name, spacing in (("a", 2.5), ("b", 2.5), ("c", 0.0))
    )
    assert combine_models([one, alike], tmp_path / "both").quick_spacing_mm == 2.5
    assert combine_models([one, other], tmp_path / "mixed").quick_spacing_mm == 0


def test_an_ensemble_brings_all_its_members(tmp_path: Path) -> None:
    models = [save(describe(name), tmp_path) for name in "abc"]
    two = combine_models(models[:2], tmp_path / "two")
    assert combine_models([two, models[2]], tmp_path / "three").members == 3


def test_refusals(tmp_path: Path) -> None:
    one = save(describe("one"), tmp_path)
    with pytest.raises(InputError, match="found 1 model, expected two or more"):
        combine_models([one], tmp_path / "both")
    finer = save(describe("finer", spacing_mm=(1.0, 1.0, 0.5)), tmp_path)
    with pytest.raises(InputError, match="one and finer differ in their preparation of images"):
        combine_models([one, finer], tmp_path / "both")
    renamed = replace(one, name="renamed", channels=("CT",))
    with pytest.raises(InputError, match="one and renamed differ in their channels"):
        combine_models([one, renamed], tmp_path / "both")
    (tmp_path / "thesis").mkdir()
    with pytest.raises(InputError, match="thesis is there and is no model folder"):
        combine_models([one, one], tmp_path / "thesis")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["finer", "one", "thesis"]
