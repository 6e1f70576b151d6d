"""A face's side of the engine: starts the worker, hands it jobs, passes its events on.

Nothing here blocks the caller: arrays are copied and the worker is started on a thread of the engine's own, and
events arrive on another. A face that has an event loop of its own hands them over to it.
"""

from __future__ import annotations

import atexit
import itertools
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from napari_resmed.engine.messages import Exchange, Kept, pack, unpack
from napari_resmed.errors import ResMedError
from napari_resmed.events import Event, Failed, Finished, from_message

__all__ = ["GRACE_SECONDS", "Engine", "Ticket"]

# A job stops itself between two steps; one that has not by then is stopped with its process. Together with the
# time to end a process this keeps cancelling within a second.
GRACE_SECONDS = 0.6

# A killed process is gone within milliseconds; one that hangs in its driver must not hold the face for ever.
END_SECONDS = 2.0

# Values that a worker keeps for later jobs, those that were used last.
KEPT = 2

_log = logging.getLogger(__name__)

OnEvent = Callable[[Event], None]
Parameters = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


class Ticket:
    """One submitted job.

    ``done`` is set after its last event, :class:`~napari_resmed.events.Finished` or ``Failed``; there is always
    exactly one, and none after it.
    """

    def __init__(self, number: int, job: str, parameters: Parameters, on_event: OnEvent) -> None:
        self.number = number
        self.job = job
        self.parameters = parameters
        self.cancelled = False
        self.begun = False
        self.repeated = False
        self.asked = ""
        self.ended = False
        self.kept: tuple[str, ...] = ()  # keys of what it lets the worker keep
        self.done = threading.Event()
        self._on_event = on_event
        # Held while the face listens, so that events arrive in order; a listener may cancel its own job.
        self._lock = threading.RLock()

    def tell(self, event: Event) -> None:
        """Pass an event on, unless the last one was told already. Never call this with the engine's lock held."""
        with self._lock:
            if self.ended:
                return
            self.begun = True
            if isinstance(event, Finished | Failed):
                self.ended = True
                self.parameters = {}  # the arrays in it can go
            try:
                self._on_event(event)
            except Exception:  # a listener's fault is not the engine's end
                _log.exception("a listener failed at %s", type(event).__name__)  # what is in it may name files
            if self.ended:
                self.done.set()

    def silence(self) -> None:
        """End without telling anyone."""
        self.ended = True
        self.done.set()


class Engine:
    """Runs jobs in one worker process, started on the first job and again after it died.

    Parameters
    ----------
    command:
        How to start the worker; the face's own Python by default, without the current folder on its path.
        Slicer gives ``PythonSlicer``.
    """

    def __init__(self, command: Sequence[str] = ()) -> None:
        self._command = tuple(command) or (sys.executable, "-P", "-m", "napari_resmed.engine.server")
        self._exchange: Exchange | None = None
        self._worker: _Worker | None = None
        self._tickets: dict[int, Ticket] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._outbox: queue.Queue[Ticket | None] = queue.Queue()
        self._closed = False
        self._sender = threading.Thread(target=self._send_all, name="resmed-engine-send", daemon=True)
        self._sender.start()
        # At exit nobody is left to tell: listeners may be half taken down already.
        atexit.register(self.close, tell=False)

    @property
    def worker_pid(self) -> int | None:
        """Process id of the running worker, None while there is none."""
        worker = self._worker
        return worker.process.pid if worker and worker.process.poll() is None else None

    def submit(self, job: str, parameters: Parameters, on_event: OnEvent) -> Ticket:
        """Hand over a job; returns at once.

        Parameters
        ----------
        job:
            A name of :func:`napari_resmed.jobs.find_job`.
        parameters:
            Its keyword arguments: volumes, arrays and plain values; or a function that gives them, called on the
            engine's thread where they are costly to make. They must not change until the job ends. One that is
            :class:`~napari_resmed.engine.messages.Kept` travels once, and again only to another worker.
        on_event:
            Called with every event, on a thread of the engine's.
        """
        ticket = Ticket(next(self._numbers), job, parameters, on_event)
        with self._lock:
            if self._closed:
                raise RuntimeError("the engine is closed")
            self._tickets[ticket.number] = ticket
        self._outbox.put(ticket)
        return ticket

    def ask(self, ticket: Ticket, what: str) -> None:
        """Ask something of a running job, e.g. to stop early and keep what it has; others take no notice."""
        with self._lock:
            worker = self._worker
            given = worker is not None and ticket in worker.tickets and not ticket.ended
            if not given:
                ticket.asked = what  # its arrays are still being copied: it is said when the worker gets the job
        if worker and given:
            message = {"ask": ticket.number, "what": what}
            threading.Thread(target=worker.write, args=(message,), daemon=True).start()

    def cancel(self, ticket: Ticket, grace_seconds: float = GRACE_SECONDS) -> None:
        """Stop a job: it is asked first, and its process ended if it does not answer in time."""
        with self._lock:
            if ticket.ended or ticket.cancelled:
                return
            ticket.cancelled = True
            worker = self._worker
            given = worker is not None and ticket in worker.tickets
            running = worker is not None and worker.running() is ticket
        if running:
            timer = threading.Timer(grace_seconds, self._insist, [ticket])
            timer.daemon = True
            timer.start()
        else:
            self._finish(ticket, Failed("cancelled", "cancelled"))
        if worker and given:
            # On a thread of its own: a worker that reads no more (swapped out, stopped) would hold the caller.
            threading.Thread(target=worker.write, args=({"cancel": ticket.number},), daemon=True).start()

    def close(self, *, tell: bool = True) -> None:
        """End the worker and everything under way; safe to call twice.

        Parameters
        ----------
        tell:
            Whether the jobs that end with it are told so.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            worker, tickets = self._worker, list(self._tickets.values())
        for ticket in () if tell else tickets:
            ticket.silence()
        self._outbox.put(None)
        if worker:
            worker.end()
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(END_SECONDS)
        for ticket in tickets:
            self._finish(ticket, Failed("the window was closed", "cancelled"))
        self._sender.join(timeout=2)
        if self._exchange:
            self._exchange.clear()
        atexit.unregister(self.close)

    def _finish(self, ticket: Ticket, event: Event) -> None:
        with self._lock:
            self._tickets.pop(ticket.number, None)
        ticket.tell(event)

    def _insist(self, ticket: Ticket) -> None:
        with self._lock:
            worker = self._worker
            if worker and not self._closed and worker.running() is ticket:
                worker.end()

    # The sending thread ------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        while (ticket := self._outbox.get()) is not None:
            try:
                self._send(ticket)
            except ResMedError as problem:
                self._finish(ticket, Failed(str(problem), "input" if problem.exit_code == 2 else "work"))
            except Exception as problem:
                reason = getattr(problem, "strerror", None) or str(problem)
                self._finish(ticket, Failed(f"the job could not be handed to the worker: {reason}", "work"))
        if self._exchange:
            self._exchange.clear()  # closing may not have waited for what was being written just now

    def _send(self, ticket: Ticket) -> None:
        if ticket.ended or self._closed:
            return
        if self._exchange is None:
            self._exchange = Exchange()
        with self._lock:
            alone = list(self._tickets.values()) == [ticket]
        if alone:
            self._exchange.sweep()  # what cancelled jobs and dead workers left
        if callable(ticket.parameters):
            ticket.parameters = ticket.parameters()
        worker, message = self._message(ticket, self._exchange)
        if worker is None:
            return
        # Not under the lock: a worker that reads no more would hold whoever wants to cancel.
        worker.write(message)
        if ticket.asked:
            worker.write({"ask": ticket.number, "what": ticket.asked})

    def _message(self, ticket: Ticket, exchange: Exchange) -> tuple[_Worker | None, dict[str, Any]]:
        """What is to be written, and to whom, who counts on it from now on; nobody where the job has ended."""
        assert not callable(ticket.parameters)
        to_keep = {name: value for name, value in ticket.parameters.items() if isinstance(value, Kept)}
        rest = {name: pack(value, exchange) for name, value in ticket.parameters.items() if name not in to_keep}
        whole: dict[str, Any] = {}
        while True:
            with self._lock:
                if ticket.ended or self._closed:
                    return None, {}
                alive = self._worker is not None and self._worker.process.poll() is None
                known = {*whole, *(self._worker.kept if self._worker and alive else ())}
                missing = [value for value in to_keep.values() if value.key not in known]
                if not missing:
                    if self._worker is None or not alive:
                        self._worker = self._start(exchange)
                    ticket.kept = tuple(value.key for value in to_keep.values())
                    self._worker.keep(ticket.kept)
                    self._worker.tickets.append(ticket)
                    worker, kept = self._worker, list(self._worker.kept)
                    break
            # Not under the lock: images are large.
            whole |= {value.key: pack(value.value, exchange) for value in missing}
        sent = {
            name: {"__kept__": value.key} | ({"value": whole[value.key]} if value.key in whole else {})
            for name, value in to_keep.items()
        }
        return worker, {"ticket": ticket.number, "job": ticket.job, "parameters": {**rest, **sent}, "kept": kept}

    def _start(self, exchange: Exchange) -> _Worker:
        exchange.make_sure()
        folders = [str(folder) for folder in exchange.folders]
        options: dict[str, Any] = {}
        if os.name == "posix":
            options["start_new_session"] = True  # so that the whole group can be ended
        else:
            options["creationflags"] = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        log = exchange.folders[-1] / "worker.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                [*self._command, *folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                encoding="utf-8",
                **options,
            )
        worker = _Worker(process, log)
        threading.Thread(target=self._receive, args=(worker,), name="resmed-engine-read", daemon=True).start()
        return worker

    # The receiving thread ----------------------------------------------------------------------------------

    def _receive(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            try:
                message = json.loads(line)
                number = message.pop("ticket")
            except (ValueError, KeyError):
                continue  # a line cut off by the worker's death
            try:
                event = from_message(unpack(message))
            except Exception as problem:  # out of memory, or the files are gone
                event = Failed(f"what the worker sent could not be read ({type(problem).__name__})", "work")
            ticket = self._tickets.get(number)
            if ticket is None:
                continue
            if ticket.cancelled and isinstance(event, Finished):
                event = Failed("cancelled", "cancelled")
            if isinstance(event, Failed) and event.kind != "cancelled":
                worker.forget(ticket.kept)  # it may be that it could not be read
            if isinstance(event, Finished | Failed):
                self._finish(ticket, event)
            elif not ticket.cancelled:
                ticket.tell(event)
        self._buried(worker)

    def _buried(self, worker: _Worker) -> None:
        """The worker is gone: the job it ran has failed, those that waited go to a fresh one."""
        code = worker.process.wait()
        worker.close_pipes()
        with self._lock:
            if self._worker is worker:
                self._worker = None
            if self._closed:
                return
            left = [ticket for ticket in worker.tickets if not ticket.ended]
        for place, ticket in enumerate(left):
            if ticket.cancelled:
                self._finish(ticket, Failed("cancelled", "cancelled"))
            elif place == 0 and not worker.ended and (ticket.begun or ticket.repeated):
                self._finish(ticket, Failed(_obituary(code, worker.last_words()), "work"))
            else:
                # One that the worker never began may have reached a dying one: it gets a second chance, not a third.
                ticket.repeated = place == 0 and not worker.ended
                self._outbox.put(ticket)


class _Worker:
    """One worker process, and the jobs it was given, in that order."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log
        self._writing = threading.Lock()
        self.tickets: list[Ticket] = []
        self.kept: list[str] = []  # keys of what it was given to keep, those used last at the end
        self.ended = False

    def keep(self, keys: Sequence[str]) -> None:
        """It is given these to keep."""
        self.kept = [*(key for key in self.kept if key not in keys), *keys][-max(KEPT, len(keys)) :]

    def forget(self, keys: Sequence[str]) -> None:
        """It is given these anew with the next job."""
        self.kept = [key for key in self.kept if key not in keys]

    def running(self) -> Ticket | None:
        """The job it is at: it takes them in order."""
        self.tickets = [ticket for ticket in self.tickets if not ticket.ended]
        return self.tickets[0] if self.tickets else None

    def write(self, message: Mapping[str, Any]) -> None:
        """Send one line."""
        if self.process.stdin is None:
            return
        # What it just died of, the receiving thread tells everyone.
        with self._writing, suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """End the process and everything it started."""
        self.ended = True
        with suppress(ProcessLookupError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                _kill_tree(self.process.pid)

    def last_words(self) -> str:
        """The last line it wrote to standard error: of a traceback, what went wrong."""
        try:
            lines = self._log.read_bytes()[-4096:].decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][:200] if lines else ""

    def close_pipes(self) -> None:
        """Let go of a dead process' pipes."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()


def _kill_tree(pid: int) -> None:
    """End a process and those it started: where there are no groups, a launcher's child would live on."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in (*parent.children(recursive=True), parent):
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _obituary(code: int, last_words: str) -> str:
    if code == -9:
        how = "was killed, perhaps because memory ran out"
    elif code < 0:
        how = f"crashed ({_signal_name(-code)})"
    else:
        how = f"ended unexpectedly ({last_words or f'exit code {code}'})"
    return f"the worker process {how}; nothing is lost: click again and a fresh one starts"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
