"""A command with its wall time and the memory of all its processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

__all__ = ["watched"]

# Memory is looked at so often, in seconds.
OFTEN = 0.1


def watched(command: Sequence[object], cache: Path | None = None) -> tuple[float, float, str]:
    """Seconds of a command, the most GB that it and its children held at a time, and what it printed.

    Between two looks a peak may be missed; of one process alone the system knows its own, which is never missed.
    """
    environment = os.environ | ({"RESMED_CACHE": str(cache)} if cache else {})
    begin = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    most = 0.0
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.extend(process.communicate()))
    reader.start()
    while process.poll() is None:
        most = max(most, _held_by(process.pid))
        time.sleep(OFTEN)
    seconds = time.perf_counter() - begin
    reader.join()
    if process.returncode:
        raise SystemExit(f"{command[:4]} failed: {said[1].decode()[-2000:]}")
    return seconds, most / 2**30, said[0].decode()


def _held_by(pid: int) -> int:
    """Bytes of a process and its children now, or at its most, whichever is more."""
    total = peak = 0
    try:
        every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for one in every:
        try:
            total += one.memory_info().rss
            status = Path(f"/proc/{one.pid}/status").read_text()
            peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]) * 1024)
        except (psutil.Error, OSError, IndexError):
            continue  # it ended, or the system has no such file
    return max(total, peak)
