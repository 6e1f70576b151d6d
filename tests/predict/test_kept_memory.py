from __future__ import annotations

import subprocess
import sys

import pytest

from napari_resmed.predict import kept_memory as module

pytestmark = pytest.mark.skipif(module._libc() is None, reason="the C library is not glibc")

# In a process of its own: how much memory is at hand hangs on what was done before.
FAULTS = """
import resource, psutil, torch
from napari_resmed.predict.kept_memory import kept_memory
from napari_resmed.predict.machine import choose_machine

def fill():
    blocks = [torch.zeros(2**24) for _ in range(3)]  # 64 MB each

def faults():
    for _ in range(4):  # until there is room for all of them
        fill()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        fill()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

resident = psutil.Process().memory_info().rss
usual = faults()
with kept_memory(choose_machine("cpu", "fp32")):
    with kept_memory(choose_machine("cpu", "fp32")):
        inner = faults()
    kept = faults()  # the outer one still holds
print(usual, inner, kept, psutil.Process().memory_info().rss - resident)
"""


def test_blocks_are_used_again_inside_and_given_back_after() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    usual, inner, kept, more = map(int, done.stdout.split())
    # A page is 4 kB, or with huge pages 2 MB; either way each is asked for again and again.
    assert usual > 100
    assert inner < usual / 10
    assert kept < usual / 10
    assert more < 2**26  # nothing of the 192 MB stays


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_what_was_set_by_hand_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module._libc.cache_clear()
    assert module._libc() is not None
    module._libc.cache_clear()
    monkeypatch.setenv(name, "1")
    try:
        assert module._libc() is None
    finally:
        module._libc.cache_clear()


def test_an_error_inside_ends_it() -> None:
    from napari_resmed.predict.machine import choose_machine

    machine, seen = choose_machine("cpu", "fp32"), []

    def fail() -> None:
        with module.kept_memory(machine):
            seen.append(module._inside)
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert (seen, module._inside) == ([1], 0)
