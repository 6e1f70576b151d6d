"""What the first click installs, and what it says when it cannot."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import slicer

import ResMed
from napari_resmed.engine import PROTOCOL
from ResMedLib import install


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions, each answered with yes."""
    said: list[str] = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, *_, **__: said.append(text) or True)
    return said


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of distributions that look as if they were not installed."""
    names: set[str] = set()
    real = install._has
    monkeypatch.setattr(install, "_has", lambda line: install._name(line) not in names and real(line))
    return names


@pytest.fixture
def pip(absent: set[str], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Calls of slicer.util.pip_install, with what their constraints say; what they name is there then."""
    calls: list[list[str]] = []

    def record(arguments: list[str]) -> None:
        pins = [Path(one).read_text(encoding="utf-8") for one in arguments if one.endswith("constraints.txt")]
        calls.append([*arguments, *pins])
        absent.difference_update(["napari-resmed"] if "--no-deps" in arguments else list(absent))

    monkeypatch.setattr(slicer.util, "pip_install", record)
    monkeypatch.delattr(slicer, "packaging", raising=False)
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    return calls


class TestWhatIsMissing:
    def test_nothing_here(self) -> None:
        assert install.missing() == []
        assert install.is_installed()

    def test_an_old_one_and_an_absent_one(self) -> None:
        assert not install._has("numpy>=99")
        assert not install._has("no-such-distribution-of-resmed>=1")
        assert install._has("no-such-distribution-of-resmed>=1; python_version < '3'")

    def test_nothing_is_asked_where_nothing_is_missing(self, asked: list[str]) -> None:
        install.ensure_core()
        assert asked == []


class TestInstalling:
    def test_the_core_alone_and_slicers_packages_stay(
        self, asked: list[str], pip: list[list[str]], absent: set[str]
    ) -> None:
        absent |= {"napari-resmed", "einops"}
        install.ensure_core()
        assert "napari-resmed" in asked[0]
        core, rest = pip
        assert core[0] == "--no-deps"
        assert "napari" not in " ".join(rest)
        assert rest[:1] == ["-c"]
        assert rest[2] == "einops>=0.7"
        for kept in ("numpy", "SimpleITK", "torch"):
            assert f"{kept}=={importlib.metadata.version(kept)}" in rest[-1]

    def test_of_a_source_tree_this_tree_is_installed(
        self, asked: list[str], pip: list[list[str]], absent: set[str]
    ) -> None:
        absent |= {"napari-resmed"}
        install.ensure_core()
        assert pip[0] == ["--no-deps", str(Path(__file__).parents[2])]

    def test_slicers_packaging_is_used_where_it_exists(
        self, asked: list[str], pip: list[list[str]], absent: set[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[Any] = []

        def record(arguments: list[str], **options: Any) -> None:
            calls.append((arguments, sorted(options)))
            absent.difference_update(["napari-resmed"] if "--no-deps" in arguments else list(absent))

        packaging = ModuleType("slicer.packaging")
        packaging.pip_install = record
        monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
        monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
        absent |= {"napari-resmed", "einops"}
        install.ensure_core()
        assert pip == []
        assert calls[0][0][0] == "--no-deps"
        assert calls[1] == (["einops>=0.7"], ["constraints", "requester"])

    def test_torch_by_the_pytorch_extension_where_it_is_there(
        self, asked: list[str], pip: list[list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted: list[dict[str, Any]] = []

        class PyTorchUtilsLogic:
            def installTorch(self, **options: Any) -> object:
                wanted.append(options)
                return object()

        monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
        install._install_torch()
        assert wanted == [{"askConfirmation": False, "torchVersionRequirement": ">=2.6"}]
        assert pip == []
        monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
        install._install_torch()
        assert pip[0][2] == "torch>=2.6"


class TestAnOlderCoreOfTheSameVersion:
    def test_the_number_is_the_one_of_this_tree(self) -> None:
        assert install._spoken() == install.PROTOCOL == PROTOCOL
        assert not install.is_too_old()

    def test_one_that_names_no_number_is_older(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "engine").mkdir()
        found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
        monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: found)
        assert install._spoken() == 0  # there is no such file
        (tmp_path / "engine" / "__init__.py").write_text('"""An engine."""\n')
        assert install.missing() == ["napari-resmed"]

    @pytest.mark.parametrize("loaded", [False, True])
    def test_it_is_brought_up_to_date(
        self, asked: list[str], pip: list[list[str]], monkeypatch: pytest.MonkeyPatch, loaded: bool
    ) -> None:
        monkeypatch.setattr(install, "_spoken", lambda: PROTOCOL - 1 + len(pip))
        monkeypatch.setitem(sys.modules, "napari_resmed.engine.client", ModuleType("client"))
        if loaded:
            with pytest.raises(install.InstallError, match="up to date; restart Slicer"):
                install.ensure_core()
        else:
            monkeypatch.delitem(sys.modules, "napari_resmed.engine.client")
            install.ensure_core()
        assert "or not as new: napari-resmed." in asked[0]
        assert pip == [["--no-deps", "--upgrade", str(Path(__file__).parents[2])]]
        assert install.is_installed()

    def test_where_there_is_no_newer_one_it_says_what_to_do(
        self, asked: list[str], pip: list[list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(install, "_spoken", lambda: 0)
        with pytest.raises(install.InstallError, match="still older than this module; install it from the source"):
            install.ensure_core()
        with pytest.raises(install.InstallError, match="too old for this module"):
            ResMed.ResMedLogic().segment(None, "brain-mr")


class TestRefused:
    def test_the_person_declines(self, pip: list[list[str]], absent: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
        absent |= {"einops"}
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: False)
        with pytest.raises(install.InstallError, match="nothing was installed"):
            install.ensure_core()
        assert pip == []

    def test_without_a_network(self, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The real pip, sent to an address at which nobody listens."""

        def offline(arguments: list[str]) -> None:
            line = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "0"]
            index = ["--isolated", "--index-url", "http://127.0.0.1:9/simple"]
            subprocess.run([*line, *index, *arguments], check=True, capture_output=True)

        monkeypatch.setattr(install, "_lines", lambda: ["no-such-distribution-of-resmed>=1"])
        monkeypatch.setitem(sys.modules, "slicer.packaging", None)
        monkeypatch.delattr(slicer, "packaging", raising=False)
        monkeypatch.setattr(slicer.util, "pip_install", offline)
        with pytest.raises(install.InstallError, match="check the connection to the internet") as caught:
            install.ensure_core()
        assert "\n" not in str(caught.value)
        assert "click again" in str(caught.value)

    def test_an_old_pytorch_is_named_and_left(self, pip: list[list[str]], absent: set[str]) -> None:
        absent |= {"einops", "torch"}
        with pytest.raises(install.InstallError, match=r"found PyTorch [\d.]+.*, expected 2.6 or newer") as caught:
            install.ensure_core()
        assert "PyTorch Utils" in str(caught.value)
        assert pip == []

    def test_a_pytorch_that_does_not_load(self, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The PyTorch extension imports what it installed."""

        class PyTorchUtilsLogic:
            def installTorch(self, **options: Any) -> object:
                raise ImportError("libcudnn.so.9: cannot open shared object file")

        monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
        monkeypatch.setattr(install, "missing", lambda: ["torch"])
        with pytest.raises(install.InstallError, match="could not be installed .libcudnn"):
            install.ensure_core()

    def test_what_is_still_missing_is_named(
        self, asked: list[str], pip: list[list[str]], absent: set[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        absent |= {"einops"}
        monkeypatch.setattr(slicer.util, "pip_install", lambda arguments: None)
        with pytest.raises(install.InstallError, match="einops is still missing"):
            install.ensure_core()
