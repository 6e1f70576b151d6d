"""A model for a small part of the body, given an image that shows much more."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.io import read
from napari_resmed.io.samples import mni152_template
from napari_resmed.jobs.segment import Segmentation, segment
from napari_resmed.models.found_by import FoundBy
from napari_resmed.review.familiar import Familiar, UsualVolume
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine
from tests.small_models import describe, save

pytestmark = pytest.mark.usefixtures("own_models")

EXACT = {"device": "cpu", "precision": "fp32"}
DARK = (slice(6, 12), slice(8, 14), slice(10, 18))
BRIGHT = (slice(22, 28), slice(24, 32), slice(26, 32))
MARGIN = 3
FAMILIAR = Familiar(images=3, extent_mm=((10, 16),) * 3, volumes={300: UsualVolume(0.3, 1.5)})


def run(image: Volume, model: str, **options: Any) -> tuple[list[Event], Segmentation]:
    steps: Generator[Event, None, Segmentation] = segment(image, model, **{**EXACT, **options})
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def warnings(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Warning)]


@pytest.fixture
def small(tmp_path: Path) -> str:
    """Trained on images of 16 mm, and looks where ``bands`` finds something dark or bright."""
    found_by = FoundBy("bands", ("dark", "bright"), MARGIN)
    model = replace(describe("small"), found_by=found_by, training={"familiar": FAMILIAR.to_json()})
    return str(save(model, tmp_path).folder)


def blocks(affine: np.ndarray | None = None, dark: float = 0.4, bright: float = 1.0) -> Volume:
    data = np.zeros((36, 40, 44), np.float32)
    data[DARK], data[BRIGHT] = dark, bright
    return Volume(data, make_affine(origin_mm=(-10, 20, 30)) if affine is None else affine, modality="MR", name="two")


def test_each_part_is_answered_as_an_image_by_itself(small: str) -> None:
    _, whole = run(blocks(), "bands")
    assert set(np.unique(whole.labels.data)) == {0, 1, 300}
    _, done = run(blocks(), small)
    # Either block is the brightest of its own surroundings.
    expected = np.where(blocks().data > 0, 300, 0)
    assert np.array_equal(done.labels.data, expected)
    assert done.labels.same_grid(blocks())
    assert done.labels.labels == describe().labels
    assert done.model == "small"
    assert [row["voxels"] for row in done.table if row["value"] == 300] == [int((expected > 0).sum())]


def test_it_says_where_it_looked_and_with_what(small: str) -> None:
    _, done = run(blocks(), small)
    assert done.made_by["model"] == "small"
    assert done.made_by["found_by"] == {"model": "bands", "model_version": "0.1.0", "margin_mm": MARGIN}
    assert [(part["structure"], part["voxels"]) for part in done.made_by["parts"]] == [
        ("dark", [[along.start - MARGIN, along.stop + MARGIN] for along in DARK]),
        ("bright", [[along.start - MARGIN, along.stop + MARGIN] for along in BRIGHT]),
    ]
    assert done.made_by["misfit"] == max(part["misfit"] for part in done.made_by["parts"])
    assert done.labels.meta["made_by"] == done.made_by
    assert done.tiles >= 3
    assert done.seconds["total"] >= done.seconds["network"] > 0


@pytest.mark.parametrize("case", AXIS_ORDERS[::7], ids=axis_order_name)
def test_in_every_axis_order_and_obliquely(small: str, case: tuple) -> None:
    image = blocks(make_affine(*case, degrees=(12, -8, 5)))
    _, done = run(image, small)
    assert np.array_equal(done.labels.data > 0, image.data > 0)


def test_an_image_of_the_usual_size_is_taken_as_it_is(small: str) -> None:
    cut = blocks().cut((slice(5, 29), slice(4, 40), slice(6, 44)))  # half as much again along one axis, and no more
    _, done = run(cut, small)
    assert "found_by" not in done.made_by
    assert set(np.unique(done.labels.data)) == {0, 1, 300}


def test_only_the_largest_piece_counts(small: str) -> None:
    image = blocks()
    data = image.data.copy()
    data[34, 38, 42] = 0.4  # a stray voxel far off
    _, done = run(image.with_data(data), small)
    assert done.made_by["parts"][0]["voxels"][0] == [DARK[0].start - MARGIN, DARK[0].stop + MARGIN]
    assert done.labels.data[34, 38, 42] == 0


def test_what_is_not_found_is_said(small: str) -> None:
    events, done = run(blocks(dark=0.0), small)
    said = "bands found no dark, so small did not look there"
    assert said in warnings(events)
    assert said in done.made_by["warnings"]
    assert np.array_equal(done.labels.data > 0, blocks(dark=0.0).data > 0)


def test_nothing_found_is_no_empty_answer(tmp_path: Path) -> None:
    found_by = FoundBy("bands", ("middle", "no such structure"), MARGIN)
    model = replace(describe("lost"), found_by=found_by, training={"familiar": FAMILIAR.to_json()})
    with pytest.raises(InputError, match="bands found no middle or no such structure in the image; cut out the part"):
        run(blocks(), str(save(model, tmp_path).folder))


def test_a_warning_names_its_part(tmp_path: Path) -> None:
    unusual = replace(FAMILIAR, volumes={300: UsualVolume(90.0, 1.3)})
    model = replace(
        describe("picky"), found_by=FoundBy("bands", ("bright",), MARGIN), training={"familiar": unusual.to_json()}
    )
    events, done = run(blocks(), str(save(model, tmp_path).folder))
    (said,) = warnings(events)
    assert said.startswith("bright: what picky found is unlike what it finds")
    assert done.made_by["warnings"] == [said]


def test_how_sure_it_is_lies_where_it_looked(small: str) -> None:
    _, done = run(blocks(), small, uncertainty=True)
    assert done.uncertainty is not None
    assert done.uncertainty.same_grid(blocks())
    inside = np.zeros(blocks().shape, bool)
    for place in (DARK, BRIGHT):
        inside[tuple(slice(along.start - MARGIN, along.stop + MARGIN) for along in place)] = True
    assert done.uncertainty.data[~inside].max() == 0
    assert done.uncertainty.data[inside].max() > 0
    assert all("uncertainty" in row for row in done.table)


def test_progress_goes_on_to_the_end(small: str) -> None:
    events, _ = run(blocks(), small)
    shares = [event.done for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.5 < shares[-1] <= 1
    assert [event.what for event in events if isinstance(event, Started)] == [
        "Looking with bands for what small is for",
        "Segmenting with small",
    ]


def test_a_wish_it_cannot_grant_is_refused(small: str) -> None:
    with pytest.raises(InputError, match="variance is between several passes, and small makes one"):
        run(blocks(), small, uncertainty=True, uncertainty_kind="variance")


def test_a_quick_look_is_its_finders(tmp_path: Path) -> None:
    save(replace(describe("two speeds"), quick_spacing_mm=2.0), tmp_path)
    found_by = FoundBy(str(tmp_path / "two speeds"), ("bright",), MARGIN)
    model = replace(describe("small"), found_by=found_by, training={"familiar": FAMILIAR.to_json()})
    _, done = run(blocks(), str(save(model, tmp_path).folder))
    assert done.made_by["found_by"]["quick_look_mm"] == 2.0
    assert np.array_equal(done.labels.data[BRIGHT], np.full_like(done.labels.data[BRIGHT], 300))


def test_both_hippocampi_of_a_whole_head() -> None:
    """The template's are 4 to 5 ml each; what brain-mr says of them itself is another model's word."""
    image = read(mni152_template())
    events, done = run(image, "hippocampus-mr")
    assert [part["structure"] for part in done.made_by["parts"]] == ["left hippocampus", "right hippocampus"]
    assert not [said for said in warnings(events) if "covers" in said]  # each crop has a usual size
    _, brain = run(image, "brain-mr", quick=True)
    names = {label.name: label.value for label in brain.labels.labels}
    for side in ("left", "right"):
        own = done.labels.data > 0
        theirs = brain.labels.data == names[f"{side} hippocampus"]
        apart = own[tuple(slice(start, stop) for start, stop in _box_of(done, f"{side} hippocampus"))]
        assert 3.5 < apart.sum() * image.voxel_ml < 6
        assert 2 * (own & theirs).sum() / (apart.sum() + theirs.sum()) > 0.7
    assert done.made_by["misfit"] < 3


def _box_of(done: Segmentation, structure: str) -> list[list[int]]:
    (found,) = (part["voxels"] for part in done.made_by["parts"] if part["structure"] == structure)
    return found
