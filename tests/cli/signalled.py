"""The command line, which sends itself a signal at a chosen call of a function: always at the same moment.

``python -m tests.cli.signalled SIGINT napari_resmed.train.loop:Trainer._step 40 train ...``
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["start"]


def start(cwd: Path, sign: signal.Signals, place: str, call: int, *arguments: object) -> subprocess.Popen[str]:
    """Begin it; the signal comes before call number ``call`` of ``place``, a ``module:function``."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.signalled", sign.name, place, str(call), *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path.rstrip(os.pathsep)},
    )


def main() -> None:
    name, place, call, *arguments = sys.argv[1:]
    module, _, function = place.partition(":")
    *outer, last = function.split(".")
    owner: Any = importlib.import_module(module)
    for part in outer:
        owner = getattr(owner, part)
    original, calls = getattr(owner, last), 0

    def called(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(call):
            os.kill(os.getpid(), signal.Signals[name])
        return original(*given, **named)

    setattr(owner, last, called)
    from napari_resmed.__main__ import main as command_line

    sys.argv = ["napari-resmed", *arguments]
    command_line()


if __name__ == "__main__":
    main()
