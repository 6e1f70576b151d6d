"""``napari-resmed demo``: the main job on a real image, with a picture to look at."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_resmed.cli.output import Json, messages
from napari_resmed.cli.segment import segment
from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.samples import mni152_template

__all__ = ["demo"]

# A window, its worker and a segmentation together take some 15 s; a machine ten times slower still gets there.
WINDOW_SECONDS = 300


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("demo_output"),
    show: Annotated[
        bool | None,
        typer.Option("--show/--no-show", help="Open the window and stay; by default where there is a display."),
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Segment the MNI152 T1 template, write the labels and the volumes, and take a picture of the window."""
    image = mni152_template()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(f"cannot write to {out}: {problem.strerror}; choose another folder with -o") from problem
    labels, table = out / "mni152_brain-mr.nii.gz", out / "mni152_volumes.csv"
    segment([image], labels, table=table, as_json=as_json)
    messages.print(f"Wrote {table}", markup=False)
    if importlib.util.find_spec("napari") is None:
        messages.print('No picture: napari is not installed (pip install "napari-resmed[all]")', markup=False)
        return
    _window(out / "mni152_window.png", show)


def _window(picture: Path, show: bool | None) -> None:
    """Take the picture in a process of its own; the command line itself knows nothing of windows."""
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or sys.platform != "linux"
    stay = has_display and show is not False
    command = [sys.executable, "-P", "-m", "napari_resmed.viewer.demo", str(picture), *(["--stay"] if stay else [])]
    if not has_display:
        if not shutil.which("xvfb-run"):
            messages.print("No picture: there is no display, and no xvfb-run (Debian: apt install xvfb)", markup=False)
            return
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    messages.print("Opening a napari window and clicking Segment…", markup=False)
    try:
        done = subprocess.run(command, timeout=None if stay else WINDOW_SECONDS, capture_output=not stay, check=False)
    except subprocess.TimeoutExpired as problem:
        raise WorkError(f"the window did not finish within {WINDOW_SECONDS} s") from problem
    if done.returncode or not picture.is_file():
        said = (done.stderr or b"").decode(errors="replace").strip().splitlines()
        raise WorkError(f"the window could not be shown: {said[-1] if said else f'exit code {done.returncode}'}")
    messages.print(f"Wrote {picture}", markup=False)
