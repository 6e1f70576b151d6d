from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_resmed.errors import InputError, WorkError
from napari_resmed.labels import Label, LabelSet
from napari_resmed.viewer.train.kept_paint import (
    MOST,
    MOST_OF_ONE,
    KeptPaint,
    find_paint,
    forget_paint,
    image_key,
    keep_paint,
    layer_of,
    read_paint,
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESMED_MODELS", str(tmp_path / "models"))


def paint(value: int = 3) -> KeptPaint:
    voxels = np.zeros((4, 5, 6), np.uint8)
    voxels[1, 2, 3] = value
    return KeptPaint(voxels, LabelSet((Label(value, "liver", (1, 2, 3)),)), ((0, 1), (2, 5)))


def test_it_is_there_again(tmp_path: Path) -> None:
    assert find_paint("image") == []
    keep_paint("image", "one", paint())
    keep_paint("image", "two", paint(7))
    keep_paint("other", "one", paint())
    found = find_paint("image")
    assert [layer_of(path) for path in found] == ["one", "two"]
    again = read_paint(found[0])
    np.testing.assert_array_equal(again.voxels, paint().voxels)
    assert (again.voxels.dtype, again.complete_slices) == (np.uint8, ((0, 1), (2, 5)))
    assert again.labels == paint().labels
    forget_paint(found)
    assert find_paint("image") == []
    assert len(find_paint("other")) == 1
    keep_paint("other", "one", KeptPaint(np.zeros((4, 5, 6), np.uint8), LabelSet(())))
    assert find_paint("other") == []  # all of it was wiped away


def test_of_one_image_and_of_all_no_more_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(MOST_OF_ONE + 2):
        keep_paint("image", f"{number}", paint())
        os.utime(find_paint("image")[-1], (number, number))
    assert [layer_of(path) for path in find_paint("image")] == ["2", "3", "4", "5", "6"]
    assert MOST > MOST_OF_ONE
    monkeypatch.setattr("napari_resmed.viewer.train.kept_paint.MOST", 3)
    keep_paint("other", "new", paint())
    assert [layer_of(path) for path in find_paint("image")] == ["5", "6"]


def test_a_damaged_one_is_one_sentence() -> None:
    keep_paint("image", "one", paint())
    (path,) = find_paint("image")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read; paint them anew"):
        read_paint(path)


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(WorkError, match="could not keep what is painted"):
        keep_paint("image", "one", paint())


def test_images_are_told_apart_by_their_voxels() -> None:
    image = np.random.default_rng(0).random((40, 50, 60))
    keys = {image_key(image), image_key(image[::-1]), image_key(image[:-1]), image_key(image + 1)}
    assert len(keys) == 4
    assert image_key(image.copy()) in keys
