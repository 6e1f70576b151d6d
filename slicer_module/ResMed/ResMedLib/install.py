"""The core inside Slicer's Python: asked for on the first click, never at import.

Slicer brings numpy, SimpleITK and perhaps torch, and other modules rely on exactly those. So the core is installed
without its dependencies, then the few that Slicer lacks, under constraints that hold what is there where it is.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer

__all__ = ["CORE", "PROTOCOL", "InstallError", "ensure_core", "is_installed", "is_too_old", "missing"]

# What is asked for, and the least version this module works with.
CORE = "napari-resmed>=0.1.0"
# What this module asks of it, as ``napari_resmed.engine.PROTOCOL`` counts: of one version there are older and newer
# states, from source trees, and an older one would fail in the middle of a job.
PROTOCOL = 4
# MONAI 1.6 needs torch from 2.6.
TORCH = ">=2.6"
# Never moved: other modules were built against them (Slicer issue 7661).
KEPT = ("numpy", "SimpleITK", "torch", "torchvision", "vtk")
REQUIREMENTS = Path(__file__).parent.parent / "Resources" / "requirements.txt"
# Slicer's own name for who asks, in its dialogs.
REQUESTER = "ResMed"

_QUESTION = (
    "ResMed needs Python packages that Slicer does not have, or not as new: {packages}.\n\n"
    "They are downloaded and installed into Slicer's Python, which takes some minutes and up to {size}. "
    "Slicer's own numpy, SimpleITK and PyTorch stay as they are.\n\nInstall them now?"
)


class InstallError(Exception):
    """The core is not there; the message says why and what to do, in one line."""


def is_installed() -> bool:
    """Whether everything is there; looks at files only and imports nothing."""
    return not missing()


def is_too_old() -> bool:
    """Whether a core is there in a version that would do, and yet cannot do all that this module asks of it."""
    return _has(CORE) and _spoken() < PROTOCOL


def missing() -> list[str]:
    """What has to be installed, by its name on the package index."""
    importlib.invalidate_caches()
    wanted = [] if importlib.util.find_spec("torch") else ["torch"]
    if not _has(CORE) or is_too_old():
        wanted.append("napari-resmed")
    return wanted + [line for line in _lines() if not _has(line)]


def ensure_core() -> None:
    """Install what is missing, having asked.

    Raises
    ------
    InstallError
        If the person declines, or it cannot be installed.
    """
    wanted = missing()
    if not wanted:
        return
    if old := _old_torch():
        raise InstallError(
            f"found PyTorch {old}, expected {TORCH[2:]} or newer; other modules may rely on it, so it is left: "
            "uninstall it in the PyTorch extension's module PyTorch Utils, restart Slicer and click again"
        )
    old = is_too_old()
    size = "3 GB" if "torch" in wanted else "200 MB"
    named = ", ".join(_name(one) for one in wanted[:4]) + (f" and {len(wanted) - 4} more" if len(wanted) > 4 else "")
    if not slicer.util.confirmOkCancelDisplay(_QUESTION.format(packages=named, size=size), "Install ResMed"):
        raise InstallError("nothing was installed; ResMed needs its packages: click again to install them")
    try:
        if "torch" in wanted:
            _install_torch()
        with _constraints() as constraints:
            if "napari-resmed" in wanted:
                _pip(["--upgrade", _source()] if old else [_source()], constraints, no_deps=True)
            if rest := [line for line in _lines() if not _has(line)]:
                _pip(rest, constraints)
    except (subprocess.CalledProcessError, RuntimeError, OSError, ImportError, ValueError) as problem:
        raise InstallError(
            f"the packages could not be installed ({_reason(problem)}); check the connection to the internet and its "
            "proxy, see the Python console for what pip said, then click again: what is there already is kept"
        ) from problem
    if is_too_old():
        raise InstallError(
            f"napari-resmed {importlib.metadata.version('napari-resmed')} is still older than this module; install it "
            "from the source tree that the module came from, or take the module that came with the package"
        )
    if left := missing():
        raise InstallError(f"{_name(left[0])} is still missing after the installation; restart Slicer and click again")
    if old and "napari_resmed.engine.client" in sys.modules:
        raise InstallError("napari-resmed was brought up to date; restart Slicer, which has loaded the older one")


def _spoken() -> int:
    """What the core that is there can be asked for; 0 where it does not say so. Read from its file, not imported."""
    importlib.invalidate_caches()
    found = importlib.util.find_spec("napari_resmed")
    if found is None or found.origin is None:
        return 0
    try:
        text = (Path(found.origin).parent / "engine" / "__init__.py").read_text(encoding="utf-8")
    except OSError:
        return 0
    said = re.search(r"^PROTOCOL = (\d+)$", text, re.MULTILINE)
    return int(said[1]) if said else 0


def _lines() -> list[str]:
    """Requirements of ``requirements.txt`` that apply to this Python."""
    lines = (line.split("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def _has(requirement: str) -> bool:
    """Whether a distribution is installed in a version that will do; one that does not apply here is."""
    wanted = _parsed(requirement)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    try:
        return wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False


def _old_torch() -> str:
    """Version of a PyTorch that is there and too old; empty where there is none."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""
    return "" if _has(f"torch{TORCH}") else version


def _name(requirement: str) -> str:
    return _parsed(requirement).name


def _parsed(requirement: str) -> Any:
    try:
        from packaging.requirements import Requirement
    except ImportError:  # pip carries it along
        from pip._vendor.packaging.requirements import Requirement
    return Requirement(requirement)


def _source() -> str:
    """Where the core comes from: the source tree this module lies in, where it does, else the package index."""
    tree = Path(__file__).resolve().parents[3]
    about = tree / "pyproject.toml"
    if about.is_file() and 'name = "napari-resmed"' in about.read_text(encoding="utf-8"):
        return str(tree)
    return CORE


def _install_torch() -> None:
    """Through the PyTorch extension, which knows the graphics card, where it is there; from the index where not."""
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        with _constraints() as constraints:
            _pip([f"torch{TORCH}"], constraints)
        return
    if PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=TORCH) is None:
        raise RuntimeError("the PyTorch extension installed nothing")


@contextmanager
def _constraints() -> Iterator[Path]:
    """A file that holds what Slicer brings where it is."""
    with tempfile.TemporaryDirectory(prefix="resmed-") as folder:
        path = Path(folder) / "constraints.txt"
        pins = []
        for name in KEPT:
            try:
                pins.append(f"{name}=={importlib.metadata.version(name)}")
            except importlib.metadata.PackageNotFoundError:
                continue
        path.write_text("\n".join(pins) + "\n", encoding="utf-8")
        yield path


def _pip(requirements: list[str], constraints: Path, *, no_deps: bool = False) -> None:
    """Install by Slicer's own means: ``slicer.packaging`` from 5.12 on, ``slicer.util.pip_install`` before."""
    try:
        from slicer import packaging
    except ImportError:
        flags = ["--no-deps"] if no_deps else ["-c", str(constraints)]
        slicer.util.pip_install([*flags, *requirements])
        return
    if no_deps:
        packaging.pip_install(["--no-deps", *requirements], requester=REQUESTER)
    else:
        packaging.pip_install(requirements, constraints=constraints, requester=REQUESTER)


def _reason(problem: Exception) -> str:
    if isinstance(problem, subprocess.CalledProcessError):
        return f"pip ended with code {problem.returncode}"
    return str(problem) or type(problem).__name__
