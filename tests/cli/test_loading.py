from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED = "try:\n    exec('raise KeyboardInterrupt')\nexcept KeyboardInterrupt:\n    {}\nraise SystemExit(1)\n"
ANSWERED = "from napari_resmed.cli.loading import answered; answered()"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
class TestAnswered:
    @pytest.mark.parametrize(("then", "code"), [("pass", -2), (ANSWERED, 1)])
    def test_the_exit_code_is_the_programs_own(self, tmp_path: Path, then: str, code: int) -> None:
        (tmp_path / "interrupted.py").write_text(INTERRUPTED.format(then))
        command = [sys.executable, "-m", "interrupted"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert (ended.returncode, ended.stderr) == (code, b"")
