from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from napari_resmed.io import dicom


@pytest.mark.parametrize("name", dicom.__all__)
def test_every_name_is_what_it_says_also_when_all_is_loaded(name: str) -> None:
    for module in set(dicom._HOMES.values()):
        import_module(f"napari_resmed.io.dicom.{module}")
    assert callable(getattr(dicom, name))


def test_other_files_need_none_of_its_libraries() -> None:
    code = (
        "import sys, napari_resmed.cli, napari_resmed.io.files; "
        "print(*({'napari_resmed.io.dicom.slice', 'SimpleITK', 'highdicom'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not said.stdout.strip()
