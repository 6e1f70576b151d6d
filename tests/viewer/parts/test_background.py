from __future__ import annotations

import subprocess
import sys
import threading
import weakref
from pathlib import Path

from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject

from napari_resmed.errors import InputError
from napari_resmed.viewer.parts.background import Background


def refuse() -> None:
    raise InputError("found this, expected that")


class TestBackground:
    def test_in_order_off_the_windows_thread_and_answered_on_it(self, qtbot: QtBot) -> None:
        background, answers = Background(), []
        for number in range(5):
            background.run(
                lambda number=number: (number, threading.current_thread() is threading.main_thread()),
                lambda found: answers.append((*found, threading.current_thread() is threading.main_thread())),
            )
        qtbot.waitUntil(lambda: len(answers) == 5)
        assert answers == [(number, False, True) for number in range(5)]
        background.finish()

    def test_what_goes_wrong_is_one_sentence_and_the_next_goes_on(self, qtbot: QtBot) -> None:
        background, own, general, done = Background(), [], [], []
        background.failed.connect(general.append)
        background.run(refuse, None, own.append)
        background.run(refuse)
        background.run(lambda: 1 / 0)
        background.run(lambda: None, lambda _: done.append(True))
        qtbot.waitUntil(lambda: bool(done))
        assert own == ["found this, expected that"]
        assert general == [
            "found this, expected that",
            "something went wrong (ZeroDivisionError); what is on disk was kept",
        ]
        background.finish()

    def test_what_was_done_is_let_go(self, qtbot: QtBot) -> None:
        class Image:
            def look(self) -> None:
                pass

        background, image, done = Background(), Image(), []
        background.run(image.look, done.append)
        qtbot.waitUntil(lambda: bool(done))
        gone = weakref.ref(image)
        del image
        qtbot.waitUntil(lambda: gone() is None)
        background.finish()

    def test_nobody_is_told_once_the_owner_is_gone(self, qtbot: QtBot) -> None:
        owner = QObject()
        background, answers, go = Background(owner), [], threading.Event()
        background.run(go.wait, answers.append)
        finish = background.finish
        owner.deleteLater()
        qtbot.wait(50)
        go.set()
        finish()
        qtbot.wait(50)
        assert answers == []

    def test_the_end_of_the_program_waits_for_what_must_be_written(self, tmp_path: Path) -> None:
        code = """
import sys, threading
from pathlib import Path
from qtpy.QtCore import QCoreApplication
from napari_resmed.viewer.parts import background as module
app = QCoreApplication([])
kept, dropped = module.Background(), module.Background(must_finish=False)
forget, forgotten = module._forget, threading.Event()
def forget_and_tell(work):
    forget(work)
    forgotten.set()
module._forget = forget_and_tell  # at the end, while both are still at what they were given first
for background, name in ((kept, "kept"), (dropped, "dropped")):
    background.run(forgotten.wait)
    background.run(lambda name=name: (Path(sys.argv[1]) / name).write_text("x"))
"""
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=800)
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]
