from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Every test draws the same numbers, whichever ran before it in this process."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images that may not lie in the repository: beside it, or where RESMED_SHARED says."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RESMED_SHARED", beside))
    if not folder.is_dir():
        pytest.skip("the shared data are not here: set RESMED_SHARED to their folder")
    return folder


@pytest.fixture
def small_disk() -> Callable[[], AbstractContextManager[None]]:
    """``with small_disk():`` no file may grow over 4 kB: what a full disk does, without filling one.

    Only inside ``with``: pytest writes its own report when a test ends, perhaps into a file.
    """
    resource = pytest.importorskip("resource", reason="this system sets no limits on files")

    @contextmanager
    def limited() -> Iterator[None]:
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)

    return limited


# How long an example takes to be drawn hangs on the machine, and says nothing of us.
settings.register_profile(
    "resmed", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("resmed")


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person's own models: ``bands``, ``bands-2mm`` and ``heavy`` of :mod:`tests.small_models`."""
    from tests import small_models

    folder = tmp_path_factory.mktemp("models")
    small_models.save(small_models.describe(), folder)
    small_models.save(small_models.describe("bands-2mm", spacing_mm=(2.0, 2.0, 2.0), mirror_axes=()), folder)
    small_models.save_heavy(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Converted networks of tests do not stay with the person who runs them."""
    os.environ["RESMED_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def own_models(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, in use: in this process and in those it starts."""
    monkeypatch.setenv("RESMED_MODELS", str(models_folder))
    return models_folder


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 kB."""
    yield from _mounted(tmp_path / "disk", "size=64k")


@pytest.fixture
def locked_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system on which nothing can be written, not even by root."""
    yield from _mounted(tmp_path / "locked", "ro")


def _mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
