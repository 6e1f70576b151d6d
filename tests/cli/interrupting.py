"""Runs the command line many times in forks of one warm process, and ends each run at a moment that is chosen.

Reads a list of runs as JSON: ``folder`` where it stands, ``arguments``, ``at`` (the number of the call into or out of a
function at which a signal comes) or ``after`` (the same, counted from where it begins to write), ``signal``, ``limit``
(bytes of the largest file; 0: none). Prints for each how it ended (negative: by which signal), what it said on standard
error, how many calls there were, and at which of them the first file was begun.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import tempfile
from contextlib import redirect_stdout, suppress
from types import FrameType
from typing import Any


def main() -> None:
    import torch

    from napari_resmed.cli.main import main as command_line

    torch.set_num_threads(1)  # threads do not survive a fork
    runs = json.load(sys.stdin)
    # Once here, so that libraries and model are there for all that follow.
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()), suppress(SystemExit):
        os.chdir(folder)
        sys.argv = ["napari-resmed", *runs[0]["arguments"]]
        command_line()
    json.dump([run_apart(one, command_line) for one in runs], sys.stdout)


def run_apart(run: dict[str, Any], command_line: Any) -> dict[str, Any]:
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(into, 2)
        os._exit(run_here(run, command_line, into))
    os.close(into)
    with os.fdopen(out, encoding="utf-8") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    said, _, counts = said.partition("\0")
    calls, writing = counts.split() if counts else (0, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "said": said, "calls": int(calls), "writing": int(writing)}


def run_here(run: dict[str, Any], command_line: Any, into: int) -> int:
    os.chdir(run["folder"])
    if run.get("limit"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python has it: writing fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (run["limit"], run["limit"]))
    calls, writing = 0, 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls, writing
        calls += 1
        if not writing and event == "call" and frame.f_code.co_name == "whole_file":
            writing = calls
        if calls == run.get("at") or (writing and calls - writing == run.get("after")):
            os.kill(os.getpid(), run["signal"])

    sys.argv = ["napari-resmed", *run["arguments"]]
    sys.setprofile(count)
    code = 0
    try:
        command_line()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.setprofile(None)
    sys.stderr.flush()
    os.write(into, f"\0{calls} {writing}".encode())
    return code


if __name__ == "__main__":
    main()
