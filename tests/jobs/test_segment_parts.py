"""A model for a small part of the body, given an image that shows much more."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from napari_resmed.errors import InputError, ModelError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.io import read, write
from napari_resmed.io.samples import mni152_template
from napari_resmed.jobs.segment import Segmentation, segment
from napari_resmed.jobs.segment_file import segment_file
from napari_resmed.labels import LEFT, RIGHT, LabelSet
from napari_resmed.models.found_by import FoundBy
from napari_resmed.models.model import Model
from napari_resmed.review.familiar import Familiar, UsualVolume
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine
from tests.small_models import describe, random_weights, save

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


def small_model(folder: Path, found_by: FoundBy, familiar: Familiar = FAMILIAR, name: str = "small") -> str:
    model = replace(describe(name), found_by=found_by, training={"familiar": familiar.to_json()})
    return str(save(model, folder).folder)


def finder(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Model:
    """Another ``bands`` in the catalogue, to find parts with."""
    monkeypatch.setenv("RESMED_MODELS", str(folder))
    return save(replace(describe("finder"), **changes), folder)


@pytest.fixture
def small(tmp_path: Path) -> str:
    """Trained on images of 16 mm, and looks where ``bands`` finds something dark or bright."""
    return small_model(tmp_path, FoundBy("bands", ("dark", "bright"), MARGIN))


def blocks(affine: np.ndarray | None = None, dark: float = 0.4, bright: float = 1.0) -> Volume:
    data = np.zeros((36, 40, 44), np.float32)
    data[DARK], data[BRIGHT] = dark, bright
    return Volume(data, make_affine(origin_mm=(-10, 20, 30)) if affine is None else affine, modality="MR", name="two")


def apart(image: Volume) -> np.ndarray:
    """What ``small`` must answer: either block is the brightest of its own part, and the second part counts on."""
    expected = np.zeros(image.grid_shape, int)
    expected[DARK], expected[BRIGHT] = 300, 600
    return expected


def test_each_part_is_answered_as_an_image_by_itself(small: str) -> None:
    _, whole = run(blocks(), "bands")
    assert set(np.unique(whole.labels.data)) == {0, 1, 300}
    _, done = run(blocks(), small)
    assert np.array_equal(done.labels.data, apart(blocks()))
    assert done.labels.same_grid(blocks())
    assert done.model == "small"
    assert {row["name"]: row["voxels"] for row in done.table if row["voxels"]} == {
        "dark: bright": 6 * 6 * 8,
        "bright: bright": 6 * 8 * 6,
    }


def test_parts_have_labels_of_their_own(small: str) -> None:
    _, done = run(blocks(), small)
    assert done.labels.labels.values == (1, 2, 300, 301, 302, 600)
    assert [label.name for label in done.labels.labels][1:4] == ["dark: middle", "dark: bright", "bright: dark"]
    assert len({label.colour for label in done.labels.labels}) == 6
    assert done.labels.labels[302].code == done.labels.labels[2].code == describe().labels[2].code


def test_sides_are_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bands = describe().labels
    sided = (replace(bands[1], modifier=LEFT), bands[2], replace(bands[300], modifier=RIGHT))
    finder(tmp_path, monkeypatch, labels=LabelSet(sided))
    _, done = run(blocks(), small_model(tmp_path, FoundBy("finder", ("dark", "bright"), MARGIN)))
    named = {label.value: (label.name, label.region_modifier) for label in done.labels.labels}
    assert named[2] == ("left middle", LEFT)
    assert named[302] == ("right middle", RIGHT)
    assert done.labels.labels[2].region == bands[2].code
    assert np.array_equal(done.labels.data, apart(blocks()))


def test_a_single_part_has_the_models_labels(tmp_path: Path) -> None:
    _, done = run(blocks(), small_model(tmp_path, FoundBy("bands", ("bright",), MARGIN)))
    assert done.labels.labels == describe().labels
    assert np.array_equal(done.labels.data == 300, apart(blocks()) == 600)


def test_it_says_where_it_looked_and_with_what(small: str) -> None:
    image = blocks()
    _, done = run(image, small)
    assert done.made_by["model"] == "small"
    assert done.made_by["found_by"] == {"model": "bands", "model_version": "0.1.0"}
    for part, name, place in zip(done.made_by["parts"], ("dark", "bright"), (DARK, BRIGHT), strict=True):
        middle = [(along.start + along.stop - 1) / 2 for along in place]
        assert part["structure"] == name
        assert np.allclose(part["centre_lps_mm"], (image.affine @ [*middle, 1])[:3], atol=0.06)
        assert part["size_zyx_mm"] == [along.stop - along.start + 2 * MARGIN for along in place]
    assert done.made_by["misfit"] == max(part["misfit"] for part in done.made_by["parts"])
    assert done.labels.meta["made_by"] == done.made_by
    assert json.loads(json.dumps(done.made_by)) == done.made_by
    assert done.tiles >= 3
    assert done.seconds["total"] >= done.seconds["network"] > 0


@pytest.mark.parametrize("case", AXIS_ORDERS[::7], ids=axis_order_name)
def test_in_every_axis_order_and_obliquely(small: str, case: tuple) -> None:
    image = blocks(make_affine(*case, degrees=(12, -8, 5)))
    _, done = run(image, small)
    assert np.array_equal(done.labels.data, apart(image))


def test_the_margin_is_in_millimetres_and_ends_with_the_image(tmp_path: Path) -> None:
    data = np.zeros((12, 60, 70), np.float32)
    data[0:3, 30:40, 66:70] = 1.0
    image = Volume(data, make_affine(spacing_mm=(4.0, 1.0, 1.0)))
    _, done = run(image, small_model(tmp_path, FoundBy("bands", ("bright",), 5.0)))
    assert done.made_by["parts"][0]["size_zyx_mm"] == [(3 + 2) * 4.0, 10 + 2 * 5.0, 4 + 5.0]


@pytest.mark.parametrize(
    ("cut", "looks"),
    [
        ((slice(4, 34), slice(6, 30), slice(8, 32)), False),  # half as large again along two axes, and more along one
        ((slice(4, 34), slice(6, 36), slice(8, 32)), True),  # a slab
    ],
)
def test_a_crop_is_taken_as_it_is(small: str, cut: tuple[slice, slice, slice], looks: bool) -> None:
    _, done = run(blocks().cut(cut), small)
    assert ("found_by" in done.made_by) == looks
    # As it is, the dark block is dark beside the bright one.
    assert (1 in done.labels.data) == (not looks)


def test_stray_pieces_do_not_count_but_halves_do(tmp_path: Path) -> None:
    small = small_model(tmp_path, FoundBy("bands", ("bright",), MARGIN))
    data = blocks(dark=0.0).data.copy()
    data[BRIGHT][:, 3:5] = 0  # in two pieces, of 6 × 3 × 6 voxels each
    data[3, 4, 5] = 1.0  # one voxel far off
    _, done = run(blocks().with_data(data), small)
    assert done.made_by["parts"][0]["size_zyx_mm"] == [6 + 2 * MARGIN, 8 + 2 * MARGIN, 6 + 2 * MARGIN]
    assert np.array_equal(done.labels.data[BRIGHT] > 0, data[BRIGHT] > 0)
    assert done.labels.data[3, 4, 5] == 0


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (("dark", "bright"), {(16, 22): 1, (22, 25): 300, (25, 28): 600}),  # the dark one's part ends at 25
        (("bright", "dark"), {(16, 19): 301, (19, 22): 1, (22, 28): 300}),  # the bright one's begins at 19
    ],
)
def test_where_parts_overlap_the_first_one_stays(
    tmp_path: Path, order: tuple[str, str], expected: dict[tuple[int, int], int]
) -> None:
    data = blocks(dark=0.0).data.copy()
    data[16:22, *BRIGHT[1:]] = 0.4  # below the bright block, and touching it
    _, done = run(blocks().with_data(data), small_model(tmp_path, FoundBy("bands", order, MARGIN)))
    whole = np.zeros(data.shape, int)
    for (start, stop), value in expected.items():
        whole[start:stop, *BRIGHT[1:]] = value
    assert np.array_equal(done.labels.data, whole)


def test_what_is_not_found_is_said(small: str) -> None:
    events, done = run(blocks(dark=0.0), small)
    said = "bands found no dark: small did not look there"
    assert said in warnings(events)
    assert said in done.made_by["warnings"]
    assert np.array_equal(done.labels.data, apart(blocks()) * (blocks(dark=0.0).data > 0))


def test_hardly_anything_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Familiar(images=3, volumes={1: UsualVolume(2.0, 1.5), 300: UsualVolume(0.3, 1.5)})
    finder(tmp_path, monkeypatch, training={"familiar": usual.to_json()})
    events, done = run(blocks(), small_model(tmp_path, FoundBy("finder", ("dark", "bright"), MARGIN)))
    assert "finder found no dark: small did not look there" in warnings(events)  # 0.288 ml of 2
    assert [part["structure"] for part in done.made_by["parts"]] == ["bright"]


def test_nothing_found_is_no_empty_answer(tmp_path: Path) -> None:
    lost = small_model(tmp_path, FoundBy("bands", ("middle",), MARGIN))
    with pytest.raises(InputError, match="bands found no middle in the image, where small would look; cut out the"):
        run(blocks(), lost)


def test_nothing_found_in_a_slab_is_answered_as_it_is(tmp_path: Path) -> None:
    slab = blocks().cut((slice(0, 36), slice(4, 40), slice(8, 32)))
    events, done = run(slab, small_model(tmp_path, FoundBy("bands", ("middle",), MARGIN)))
    assert "bands found no middle: small is given the whole image" in warnings(events)
    assert set(np.unique(done.labels.data)) == {0, 1, 300}
    assert "found_by" not in done.made_by


class TestAFinderThatCannot:
    def test_it_is_not_there(self, tmp_path: Path) -> None:
        said = "small finds its part of so large an image with nobody, and .*nobody.*; cut out the part"
        with pytest.raises(ModelError, match=said):
            run(blocks(), small_model(tmp_path, FoundBy("nobody", ("dark",), MARGIN)))

    def test_it_does_not_know_the_structure(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="with bands, and that has no structure thalamus; cut out the part"):
            run(blocks(), small_model(tmp_path, FoundBy("bands", ("dark", "thalamus"), MARGIN)))

    def test_it_takes_other_channels(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        arguments = {**describe().arguments, "in_channels": 2}
        monkeypatch.setenv("RESMED_MODELS", str(tmp_path))
        two = describe("finder", channels=("T1", "T2"), arguments=arguments)
        save(two, tmp_path, random_weights(arguments))
        with pytest.raises(ModelError, match="with finder, and the image has 1 channels, the model finder takes 2"):
            run(blocks(), small_model(tmp_path, FoundBy("finder", ("dark",), MARGIN)))

    def test_a_crop_needs_none(self, tmp_path: Path) -> None:
        crop = blocks().cut((slice(4, 20), slice(4, 20), slice(4, 20)))
        _, done = run(crop, small_model(tmp_path, FoundBy("nobody", ("dark",), MARGIN)))
        assert 300 in done.labels.data


def test_a_warning_is_told_once_with_its_parts(tmp_path: Path) -> None:
    unusual = replace(FAMILIAR, volumes={300: UsualVolume(90.0, 1.3)})
    events, done = run(blocks(), small_model(tmp_path, FoundBy("bands", ("dark", "bright"), MARGIN), unusual))
    (said,) = warnings(events)  # both blocks have the same volume
    assert said.startswith("dark, bright: what small found is unlike what it finds")
    assert done.made_by["warnings"] == [said]


def test_a_warning_of_the_finder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finder(tmp_path, monkeypatch)
    image = replace(blocks(), modality="CT")
    events, _ = run(image, small_model(tmp_path, FoundBy("finder", ("bright",), MARGIN)))
    said = [warning.split(" the image is CT")[0] for warning in warnings(events) if "is CT" in warning]
    assert said == ["looking with finder:", "bright:"]


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


def test_progress_goes_on_to_the_end_and_says_what_is_done(small: str) -> None:
    events, _ = run(blocks(), small)
    progress = [event for event in events if isinstance(event, Progress)]
    shares = [event.done for event in progress]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.5 < shares[-1] <= 1
    stages = list(dict.fromkeys(event.what.split(":")[0] for event in progress))
    assert stages == ["Looking with bands", "dark", "bright"]
    assert all(event.seconds_left is not None for event in progress if event.done > 0.2)
    assert [event.what for event in events if isinstance(event, Started)] == [
        "Looking with bands for what small is for",
        "Segmenting with small",
    ]


def test_it_can_be_stopped_while_it_looks(small: str) -> None:
    steps = segment(blocks(), small, **EXACT)
    for event in steps:
        if isinstance(event, Progress):
            break
    steps.close()
    assert list(steps) == []


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"uncertainty": True, "uncertainty_kind": "variance"}, "variance is between several passes, and small makes"),
        ({"uncertainty_kind": "guess"}, "the uncertainty is 'guess', expected"),
        ({"quick": True}, "the model small knows no quick look"),
    ],
)
def test_a_wish_it_cannot_grant_is_refused_at_once(small: str, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        next(segment(blocks(), small, **EXACT, **wish))


def test_a_quick_look_is_its_finders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finder(tmp_path, monkeypatch, quick_spacing_mm=2.0)
    _, done = run(blocks(), small_model(tmp_path, FoundBy("finder", ("bright",), MARGIN)))
    assert done.made_by["found_by"]["quick_look_mm"] == 2.0
    assert "quick_look_mm" not in done.made_by["parameters"]
    assert np.array_equal(done.labels.data == 300, apart(blocks()) == 600)


def test_a_model_that_says_nothing_of_its_images_knows_its_window(tmp_path: Path) -> None:
    model = replace(describe("silent"), found_by=FoundBy("bands", ("bright",), MARGIN))  # a window of 16 mm
    _, done = run(blocks(), str(save(model, tmp_path).folder))
    assert "found_by" in done.made_by


def test_its_note_is_readable_in_the_window_and_beside_the_file(small: str, tmp_path: Path) -> None:
    write(blocks(), tmp_path / "two.nii.gz")
    list(segment_file(tmp_path / "two.nii.gz", tmp_path / "labels.nii.gz", small, **EXACT))
    found = read(tmp_path / "labels.nii.gz")
    assert np.array_equal(found.data, apart(blocks()))
    note = json.loads((tmp_path / "labels.nii.gz.resmed.json").read_text())
    assert [part["structure"] for part in note["made_by"]["parts"]] == ["dark", "bright"]
    assert [label["name"] for label in note["labels"]][3] == "bright: dark"


def test_of_its_finder_no_more_is_told_than_of_what_is_sought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = {1: UsualVolume(500.0, 1.1), 2: UsualVolume(900.0, 1.1), 300: UsualVolume(0.3, 1.5)}
    whole = Familiar(images=3, extent_mm=((200, 240),) * 3, volumes=usual, certainty=(20.0, 0.1))
    finder(tmp_path, monkeypatch, training={"familiar": whole.to_json()})
    events, done = run(blocks(), str(tmp_path / "finder"))
    assert len(warnings(events)) == 4  # too small a field along three axes, unlike what it finds
    events, done = run(blocks(), small_model(tmp_path, FoundBy("finder", ("bright",), MARGIN)))
    assert not any("finder" in warning for warning in warnings(events))
    assert np.array_equal(done.labels.data == 300, apart(blocks()) == 600)


def test_names_in_parts(tmp_path: Path) -> None:
    sided = LabelSet(tuple(replace(label, modifier=LEFT) for label in describe().labels if label.value == 1))
    assert FoundBy("m", ("dark", "left lung"), 1.0).parts(sided) == {"dark": "left", "left lung": "left lung:"}
    assert FoundBy("m", ("dark",), 1.0).parts(sided) == {}


def test_what_is_odd_about_a_file_is_told_and_noted(tmp_path: Path) -> None:
    write(blocks(), tmp_path / "two.nii")
    image = nib.load(tmp_path / "two.nii")
    image.set_qform(np.diag([-1, 1, 1, 1]), 1)
    nib.save(image, tmp_path / "odd.nii")
    told = warnings(list(segment_file(tmp_path / "odd.nii", tmp_path / "labels.nii.gz", "bands", **EXACT)))
    assert any(warning.startswith("sform and qform differ") for warning in told)
    note = json.loads((tmp_path / "labels.nii.gz.resmed.json").read_text())
    assert note["made_by"]["warnings"] == told


def test_files_of_a_folder_are_told_and_not_noted(tmp_path: Path) -> None:
    write(blocks(), tmp_path / "series")
    (tmp_path / "series/Mueller_Anna_1961.dcm").write_bytes(b"nothing")
    target = tmp_path / "labels.nii.gz"
    told = warnings(list(segment_file(tmp_path / "series", target, "bands", **EXACT)))
    assert any("Mueller_Anna_1961.dcm is no DICOM file" in warning for warning in told)
    note = (tmp_path / "labels.nii.gz.resmed.json").read_text()
    assert "left out: files or series" in json.loads(note)["made_by"]["warnings"]
    assert "Mueller" not in note


def test_both_hippocampi_of_a_whole_head() -> None:
    """The template's are 4 to 5 ml each; what brain-mr says of them itself is another model's word."""
    image = read(mni152_template())
    events, done = run(image, "hippocampus-mr")
    assert [label.name for label in done.labels.labels] == [
        "left anterior hippocampus",
        "left posterior hippocampus",
        "right anterior hippocampus",
        "right posterior hippocampus",
    ]
    assert not [said for said in warnings(events) if "covers" in said]  # each crop has a usual size
    _, brain = run(image, "brain-mr", quick=True)
    names = {label.name: label.value for label in brain.labels.labels}
    for side, values in (("left", (1, 2)), ("right", (3, 4))):
        own = np.isin(done.labels.data, values)
        theirs = brain.labels.data == names[f"{side} hippocampus"]
        assert 3.5 < own.sum() * image.voxel_ml < 6
        assert 2 * (own & theirs).sum() / (own.sum() + theirs.sum()) > 0.7
    assert done.made_by["misfit"] < 3
