"""pydicom's own test files, many of them broken on purpose: each opens, or is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest

from napari_resmed.errors import ResMedError
from napari_resmed.io.dicom import describe, find_series, preview, read_series

FOLDER = Path(pydicom.data.__file__).parent / "test_files"
FILES = sorted(file for file in FOLDER.rglob("*") if file.is_file())
# Pictures that only show something else than they store: turned to dense is bright, or looked up in a palette.
SHOWN = ("MONOCHROME1", "PALETTE COLOR")


def test_there_are_many() -> None:
    assert len(FILES) > 86


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_opens_or_is_refused(file: Path) -> None:
    try:
        (series,) = find_series([file])
        assert describe(series)
        if series.kind != "image":
            assert "\n" not in series.problem
            return
        volume = read_series(series)
        assert preview(series).shape[:2] == volume.shape[-2:]
    except ResMedError as refusal:
        sentence = str(refusal)
        assert len(sentence) > 30
        assert "\n" not in sentence
        assert str(file.parent) not in sentence
        return
    first = series.slices[0]
    if first.photometric in SHOWN:
        return
    try:
        stored = pydicom.dcmread(file).pixel_array
    except Exception:
        return  # only GDCM decodes it
    expected = np.squeeze(stored * first.slope + first.intercept)
    ours = np.moveaxis(volume.data, -4, -1) if "c" in volume.axes else volume.data
    np.testing.assert_array_equal(np.squeeze(ours), expected)
