"""The worker process: takes jobs on standard input, answers with events on standard output.

Run by :class:`napari_resmed.engine.client.Engine` as ``python -m napari_resmed.engine.server FOLDER...``. All
jobs run on the main thread, one after the other, so that what a library caches per thread stays warm. It ends
when its face does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn, TextIO

from napari_resmed.engine.messages import Exchange, Remembered, pack
from napari_resmed.errors import ResMedError
from napari_resmed.events import Event, Failed, Finished, to_message

__all__ = ["main"]

# The person's window comes first when both want the processor.
NICENESS = 5


class Server:
    """The worker's side of the conversation."""

    def __init__(self, out: TextIO, exchange: Exchange) -> None:
        self._out = out
        self._exchange = exchange
        self._requests: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[int] = set()
        self._asked: dict[int, str] = {}
        self._remembered = Remembered()
        self._ending = threading.Lock()

    def listen(self, lines: TextIO) -> None:
        """Sort what the face sends; its end is the worker's end, whatever it is doing."""
        try:
            for line in lines:
                message = json.loads(line)
                if "cancel" in message:
                    self._cancelled.add(message["cancel"])
                elif "ask" in message:
                    self._asked[message["ask"]] = message["what"]
                else:
                    self._requests.put(message)
        finally:  # a line cut off by the face's death is its end too
            self.end()

    def end(self) -> NoReturn:
        """Remove what lies in the exchange, which may be images, and end the process, whichever thread asks first."""
        self._ending.acquire()  # for good: who comes second waits for the end
        self._exchange.clear()
        os._exit(0)

    def run(self) -> None:
        """Work off the jobs, for ever."""
        while True:
            request = self._requests.get()
            ticket = request["ticket"]
            self._send(ticket, self._work(ticket, request))

    def _send(self, ticket: int, event: Event) -> None:
        message = {"ticket": ticket, **pack(to_message(event), self._exchange)}
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def _work(self, ticket: int, request: dict[str, Any]) -> Event:
        """Run one job to its last event, which is returned; the ones before are sent."""
        begin = time.perf_counter()
        try:
            parameters = self._remembered.parameters(request["parameters"], request["kept"])
            if ticket in self._cancelled:
                return _cancelled()
            from napari_resmed.jobs import find_job

            steps = find_job(request["job"])(**parameters)
            event = None
            while True:
                try:
                    # What was asked of the job goes in where it next pauses; a job has to begin before it can be asked.
                    event = next(steps) if event is None else steps.send(self._asked.pop(ticket, None))
                except StopIteration as end:
                    return self._finished(end.value, time.perf_counter() - begin)
                if ticket in self._cancelled:
                    steps.close()
                    return _cancelled()
                self._send(ticket, event)
        except ResMedError as problem:
            return Failed(str(problem), "input" if problem.exit_code == 2 else "work", traceback.format_exc())
        except MemoryError:
            return Failed("out of memory; close other programs or choose a smaller region", "work")
        except Exception as problem:
            name = type(problem).__name__
            return Failed(f"something unexpected went wrong ({name}); please report it", "work", traceback.format_exc())

    def _finished(self, result: Any, seconds: float) -> Event:
        try:
            # Packed here, where a full disk can still be told; packing twice changes nothing.
            return Finished(pack(result, self._exchange), seconds)
        except OSError as problem:
            return Failed(f"the result could not be handed over: {problem.strerror or problem}", "work")


def _cancelled() -> Failed:
    return Failed("cancelled", "cancelled")


def _stand_back() -> None:
    """Leave the processor to the viewer whenever it wants it."""
    if not hasattr(os, "nice"):
        return
    os.nice(NICENESS)
    # Linux counts niceness within a session, and this process has one of its own: the session has to be nice as well
    # (sched(7), "The autogroup feature"). Where that feature is off there is no such file.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def main() -> None:
    """Start the worker."""
    # Libraries print; only events may reach the face, so they get a pipe of their own.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _stand_back()
    server = Server(out, Exchange(tuple(Path(folder) for folder in sys.argv[1:])))
    threading.Thread(target=server.listen, args=(sys.stdin,), daemon=True).start()
    try:
        server.run()
    except (BrokenPipeError, KeyboardInterrupt):
        server.end()


if __name__ == "__main__":
    main()
