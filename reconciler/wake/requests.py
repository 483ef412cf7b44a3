"""A `reconcile` typed beside the daemon hands its request over through a socket and exits as the daemon says.

One line of JSON each way. The socket lies in the fleet's state folder (0700): who may write there may ask.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from reconciler.engine.events import Event, Requested
from reconciler.engine.goals import settled
from reconciler.engine.tally import Tally
from reconciler.errors import ReconcilerError
from reconciler.model.report import Report
from reconciler.model.rows import Event as Entry
from reconciler.model.rows import EventType

if TYPE_CHECKING:
    from reconciler.engine.engine import Engine

SOCKET = "control.sock"
LONGEST = 1 << 16  # bytes of a request
LATEST = 1e12  # seconds that anybody may wait


@dataclass(frozen=True, slots=True)
class _Connection:
    """The other end of a request."""

    peer: socket.socket

    def reply(self, answer: Mapping[str, Any]) -> None:
        with suppress(OSError):  # whoever asked has gone; what was done stays done
            self.peer.sendall(json.dumps(answer).encode() + b"\n")
        self.peer.close()


@dataclass(slots=True)
class _Pending:
    request: Requested
    tally: Tally
    deadline: float | None
    approved: bool = False


@dataclass
class Requests:
    """Listens, and serves what was asked as the loop goes on. `render` turns a Report into the answer's JSON."""

    folder: Path
    put: Callable[[Event], None]
    render: Callable[[Report], Mapping[str, Any]]
    _server: socket.socket | None = None
    _pending: list[_Pending] = field(default_factory=list)

    def open(self) -> None:
        """Listen; a socket that a killed daemon left behind is replaced (its lock is ours by now)."""
        server = self._server = socket.socket(socket.AF_UNIX)
        (self.folder / SOCKET).unlink(missing_ok=True)
        _at(self.folder, server.bind)
        server.listen()
        Thread(target=self._accept, daemon=True, name="requests").start()

    def close(self) -> None:
        """Stop listening; who still waits is told that the daemon ended."""
        for pending in self._pending:
            pending.request.replier.reply({"error": "the watch that served this request has ended"})
        if self._server:
            self._server.close()
        with suppress(OSError):
            (self.folder / SOCKET).unlink()

    def serve(self, engine: "Engine") -> None:
        """Take new requests up, and answer those whose goal is reached."""
        for request in engine.requests:
            self._begin(engine, request)
        engine.requests.clear()
        for pending in list(self._pending):
            self._go_on(engine, pending)

    def deadlines(self) -> list[float]:
        """When (monotonic) those who wait have waited long enough."""
        return [pending.deadline for pending in self._pending if pending.deadline is not None]

    def _begin(self, engine: "Engine", request: Requested) -> None:
        try:
            if request.trust:
                engine.trust(request.trust)
            engine.read_commit()
        except ReconcilerError as problem:
            request.replier.reply({"error": str(problem), "code": int(problem.exit), "name": problem.name})
            return
        engine.hosts.ask_anybody()
        engine.round()
        tally = Tally(waiting=request.wait, selector=request.selector)
        engine.tallies.append(tally)
        deadline = None if request.timeout is None else time.monotonic() + request.timeout
        self._pending.append(_Pending(request, tally, deadline))

    def _go_on(self, engine: "Engine", pending: _Pending) -> None:
        late = pending.deadline is not None and time.monotonic() >= pending.deadline
        if not late and not engine.resting():
            return
        if pending.request.allow_prune and engine.plan.held and not pending.approved:
            # Exactly what is held now is approved, nothing that comes later.
            pending.approved = True
            tasks = frozenset(change.task for change in engine.plan.held)
            engine.options = replace(engine.options, allow_prune=True, approved=tasks)
            entry = Entry(engine.clock(), EventType.APPROVED, message=f"pruning of {', '.join(sorted(tasks))}")
            engine.world.tell([entry])
            engine.round()
            return
        if not late and pending.request.wait and not settled(engine, pending.request.selector):
            return
        report = pending.tally.report(engine.desired, engine.plan, timed_out=late)
        if pending.approved:
            engine.options = replace(engine.options, allow_prune=False, approved=frozenset())
        engine.tallies.remove(pending.tally)
        self._pending.remove(pending)
        pending.request.replier.reply(self.render(report))

    def _accept(self) -> None:
        server = self._server
        while server is not None:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with suppress(OSError):
                peer.settimeout(5)
                asked = asked_for(peer.makefile("rb").readline(LONGEST))
                peer.settimeout(None)
                if asked is None:
                    _Connection(peer).reply({"error": "the watch cannot read this request: is it of another version?"})
                    continue
                self.put(
                    Requested(
                        allow_prune=asked["allowPrune"],
                        wait=asked["wait"],
                        timeout=asked["timeout"],
                        selector=asked["selector"],
                        replier=_Connection(peer),
                        trust=asked["trust"],
                    )
                )


def asked_for(line: bytes) -> dict[str, Any] | None:
    """Takes the line of a request; returns what is asked for, None when it cannot be read."""
    try:
        asked = json.loads(line)
        wait, approved, timeout, selector = (asked[key] for key in ("wait", "allowPrune", "timeout", "selector"))
        trust = asked.get("trust") or ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    patient = timeout is None or (type(timeout) in (int, float) and 0 <= timeout < LATEST)
    if not patient or not isinstance(selector, dict) or not all(isinstance(word, str) for word in selector.values()):
        return None
    if not isinstance(trust, str):
        return None
    return {
        "wait": bool(wait),
        "allowPrune": bool(approved),
        "timeout": timeout,
        "selector": selector,
        "trust": trust,
    }


def ask(folder: Path, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Hand `request` to the daemon of this state folder; its answer, or None when none listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        _at(folder, connection.connect)
        connection.sendall(json.dumps(request).encode() + b"\n")
        line = connection.makefile().readline()
    except OSError:
        return None
    finally:
        connection.close()
    answer: dict[str, Any] = json.loads(line) if line else {"error": "the watch that served this request has ended"}
    return answer


def _at(folder: Path, use: Callable[[str], object]) -> None:
    """Use the socket by a short name: the path of a Unix socket must fit into 107 bytes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        use(f"/proc/self/fd/{handle}/{SOCKET}" if Path("/proc/self/fd").exists() else str(folder / SOCKET))
    finally:
        os.close(handle)
