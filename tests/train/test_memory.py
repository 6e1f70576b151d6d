from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelSet
from napari_resmed.predict.machine import Machine
from napari_resmed.train.memory import fit_memory, free_bytes, judging_bytes, step_bytes
from napari_resmed.train.plan import Plan
from tests.train.small import little_plan

CPU = Machine(torch.device("cpu"), "fp32")
MUCH = 2**50
SHAPE = (100, 100, 100)

STEP = r"""
import re, sys, torch
from pathlib import Path
from napari_resmed.nets import build_network
from napari_resmed.train.loss import supervised
torch.set_num_threads(1)
classes = int(sys.argv[1])
arguments = {"spatial_dims": 3, "in_channels": 1, "out_channels": classes, "channels": [16, 32, 64],
             "strides": [2, 2], "num_res_units": 2, "norm": "instance"}
network = build_network("UNet", arguments).to(memory_format=torch.channels_last_3d)
peak = lambda: 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
target, annotated = torch.zeros(2, 48, 48, 48, dtype=torch.int16), torch.ones(2, classes, dtype=torch.bool)
for _ in range(2):
    supervised(network(torch.rand(2, 1, 48, 48, 48)), target, annotated).backward()
print(peak() - before)
"""


def plan(structures: int = 2, **changes: object) -> Plan:
    labels = LabelSet(tuple(Label(k, f"structure {k}", (k % 256, 1, 1)) for k in range(1, structures + 1)))
    arguments = {**little_plan().arguments, "out_channels": 1 + structures, "channels": [16, 32, 64], "strides": [2, 2]}
    return little_plan(**{"labels": labels, "arguments": arguments, "patch": (48, 48, 48), **changes})


class TestFitMemory:
    def test_what_fits_stays_as_it_was(self) -> None:
        assert fit_memory(plan(), SHAPE, CPU, (MUCH, MUCH)) == plan()

    def test_a_step_that_does_not_fit_becomes_smaller(self) -> None:
        free = step_bytes(plan(), CPU) // 2
        fitting = fit_memory(plan(), SHAPE, CPU, (free, MUCH))
        assert fitting.batch * math.prod(fitting.patch) < plan().batch * math.prod(plan().patch)
        assert step_bytes(fitting, CPU) <= free
        assert fitting.labels == plan().labels

    def test_too_many_structures_for_any_patch(self) -> None:
        with pytest.raises(InputError, match=r"^500 structures need .* GB .* smallest patch.* train fewer structures"):
            fit_memory(plan(500), SHAPE, CPU, (20_000_000, MUCH))

    def test_too_many_structures_for_a_whole_case(self) -> None:
        with pytest.raises(InputError, match=r"^500 structures in images of 400×400×400 .* train fewer structures"):
            fit_memory(plan(500), (400, 400, 400), CPU, (MUCH, 8 * 2**30))

    def test_the_cpu_has_one_memory_for_both(self) -> None:
        for_network, for_program = free_bytes(CPU)
        assert for_network == for_program > 0


class TestEstimates:
    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process' largest memory")
    @pytest.mark.parametrize("classes", [3, 60])
    def test_a_step_takes_about_what_is_said(self, classes: int) -> None:
        done = subprocess.run([sys.executable, "-c", STEP, str(classes)], capture_output=True, text=True, check=True)
        said = step_bytes(plan(classes - 1), CPU)
        # Never much more than was said; and what is said does not refuse what would have fitted twice.
        assert 0.4 * said < int(done.stdout) < 1.25 * said

    def test_judging_grows_with_structures_and_voxels(self) -> None:
        assert judging_bytes(plan(10), SHAPE) == 3 * judging_bytes(plan(2), SHAPE)
        assert judging_bytes(plan(10), (200, 100, 100)) == 2 * judging_bytes(plan(10), SHAPE)
