from __future__ import annotations

import pytest

from napari_resmed.io.formats import stem


@pytest.mark.parametrize(
    ("name", "expected"), [("a.nii.gz", "a"), ("A.NII", "A"), ("a.b.nrrd", "a.b"), ("plain", "plain"), (".nii", "")]
)
def test_stem(name: str, expected: str) -> None:
    assert stem(name) == expected
