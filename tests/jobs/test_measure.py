from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.events import Event, Progress, Started, Warning
from napari_resmed.jobs import find_job
from napari_resmed.jobs.measure import measure
from napari_resmed.labels import LabelMap
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.review.shapes import blobs

AFFINE = make_affine((1, 2, 0), (-1, 1, 1), degrees=(10, -5, 3), spacing_mm=(2, 1, 1.5))
LABELS = LabelMap(blobs(2, (8, 9, 10)), AFFINE)
IMAGE = Volume(np.random.default_rng(0).random((8, 9, 10)), AFFINE)


def run(labels: LabelMap, image: Volume | None = None) -> tuple[list[Event], list[dict[str, Any]]]:
    steps = measure(labels, image)
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def test_is_found_by_its_name() -> None:
    assert find_job("measure") is measure


def test_tells_how_far_it_is() -> None:
    events, rows = run(LABELS, IMAGE)
    assert events[0] == Started("Measuring")
    assert all(isinstance(event, Progress) for event in events[1:])
    assert events[-1].done == 1
    assert [row["value"] for row in rows] == [1, 2, 3]
    assert rows[0]["intensity_mean"] == pytest.approx(IMAGE.data[LABELS.data == 1].mean())
    assert "intensity_mean" not in run(LABELS)[1][0]


def test_an_image_in_another_order_of_axes_is_turned() -> None:
    from napari_resmed.geometry import AxisOrder

    turn = AxisOrder((2, 0, 1), (True, False, True))
    turned = Volume(turn.apply(IMAGE.data), turn.apply_to_affine(AFFINE, IMAGE.shape))
    assert run(LABELS, turned)[1] == run(LABELS, IMAGE)[1]


def test_voxels_without_a_value_are_told() -> None:
    data = np.array(IMAGE.data)
    data[LABELS.data == 0] = np.nan
    assert not [event for event in run(LABELS, Volume(data, AFFINE))[0] if isinstance(event, Warning)]
    data[tuple(np.argwhere(LABELS.data == 1)[0])] = np.nan
    assert [event for event in run(LABELS, Volume(data, AFFINE))[0] if isinstance(event, Warning)]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Volume(np.zeros((8, 9, 11)), AFFINE), r"another grid than the labels \(8×9×11 at"),
        (Volume(np.zeros((8, 9, 10)), make_affine()), "another grid than the labels"),
        (Volume(np.zeros((2, 8, 9, 10)), AFFINE), "1 channels and 2 time points"),
        (Volume(np.zeros((3, 8, 9, 10)), AFFINE, "czyx"), "3 channels and 1 time points"),
    ],
)
def test_refusals(image: Volume, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        run(LABELS, image)
