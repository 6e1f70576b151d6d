"""What faces may ask of a worker, by the number that stands for it."""

from __future__ import annotations

import inspect
import json
import zlib
from dataclasses import fields

from napari_resmed.case import Case
from napari_resmed.engine import PROTOCOL
from napari_resmed.jobs import find_job

# Of every number, what could be asked then. Where this test fails, something new can: count PROTOCOL up in
# napari_resmed.engine and in slicer_module's ResMedLib/install.py, and note its digest here.
ASKED = {1: 1307718070, 2: 153267481}


def test_the_number_counts_what_can_be_asked() -> None:
    jobs = {name: sorted(inspect.signature(find_job(name)).parameters) for name in ("segment", "train", "classify")}
    asked = {**jobs, "case": sorted(field.name for field in fields(Case))}
    assert ASKED[PROTOCOL] == zlib.crc32(json.dumps(asked, sort_keys=True).encode())
