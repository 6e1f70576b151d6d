"""Starting the processes of a training on several devices, and hearing what their loop tells."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress

from napari_resmed.errors import InputError, WorkError
from napari_resmed.train.loop import AstrayError, Checked, Stepped
from napari_resmed.train.run_folder import RunFolder

__all__ = ["run_ranks", "why_it_failed"]

# A step and a checkpoint are done within this; processes that have not stopped by then are ended.
STOP_SECONDS = 20.0
# What the processes say, in the run folder.
LOG = "processes.log"


def run_ranks(run: RunFolder, devices: int) -> Generator[Stepped | Checked | None, None, None]:
    """Train in ``devices`` processes; closing the generator stops them, with a checkpoint left behind.

    Yields
    ------
    Stepped, Checked or None
        As :meth:`napari_resmed.train.loop.Trainer.run` does.

    Raises
    ------
    MemoryError
        If one of them runs out of memory.
    AstrayError
        If training goes astray.
    InputError, WorkError
        If one of them fails.
    """
    run.stop.unlink(missing_ok=True)
    run.trouble.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(devices)]
    with (run.path / LOG).open("wb") as said:
        process = subprocess.Popen(
            [*command, "-m", "napari_resmed.train.rank", str(run.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            encoding="utf-8",
        )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                continue  # a line cut off by the process' death
            if "Stepped" in told:
                yield Stepped(**told["Stepped"])
            elif "Checked" in told:
                yield Checked(**{**told["Checked"], "figures": tuple(told["Checked"]["figures"])})
            else:
                yield None
        if process.wait():
            raise why_it_failed(run, devices)
    finally:
        if process.poll() is None:
            run.stop.touch()
            with suppress(subprocess.TimeoutExpired):
                # What they still tell has to be taken, or they would wait to be heard.
                process.communicate(timeout=STOP_SECONDS)
        if process.poll() is None:
            process.terminate()
            process.wait()
        run.stop.unlink(missing_ok=True)


def why_it_failed(run: RunFolder, devices: int) -> Exception:
    """The error to raise where a process ended before its time: what it wrote down, or where to look."""
    try:
        trouble = json.loads(run.trouble.read_text(encoding="utf-8"))
        kind, said = trouble["kind"], str(trouble["said"])
    except (OSError, ValueError, KeyError, TypeError):
        kind, said = "", f"training on {devices} devices failed; {run.path / LOG} says why, and --resume goes on"
    if kind == "memory":
        return MemoryError(said)
    return {"input": InputError, "astray": AstrayError}.get(kind, WorkError)(said)
