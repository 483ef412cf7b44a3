"""Calls to hosts. Every one ends in an answer or in `Unknown`; an effect is never tried twice.

A call that only reads (`repeatable`) is tried again on a connection of its own when the shared one is slow to answer:
a master that hangs, or whose host was cut off or rebooted, costs seconds then, not the host.
"""

import secrets as randomness
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reconciler.errors import ReconcilerError, UsageError
from reconciler.home import expanded
from reconciler.model.host import Host
from reconciler.remote import scripts
from reconciler.remote.attempts import Attempt, attempt_all
from reconciler.remote.environment import for_scripts
from reconciler.remote.frames import Answer, Fields, Reader, decode, encode
from reconciler.remote.line import Line
from reconciler.remote.masters import Masters
from reconciler.remote.process import Call, Ended, run
from reconciler.remote.shell import shell_words
from reconciler.remote.ssh import REMOTE_COMMAND, Door, Settings, Unreachable, accepted, door
from reconciler.remote.stream import Stream, interactive
from reconciler.remote.way import Way, Ways
from reconciler.remote.why import why_of

PATIENCE = 4.0  # seconds for an answer over a shared connection, before its master is looked at
SILENCE = 50.0  # seconds without a frame after which a channel counts as dead
LARGEST = 32 << 20  # bytes of an answer
MOST_FRAMES = 20  # before the first bell
TICK = 0.5
START = 5.0  # seconds that the start of a process may take

Ssh = TypeVar("Ssh", Call, Stream)
Question = tuple[str, Fields]  # a verb and its fields

LOCAL = ("bash", "--noprofile", "--norc", "-p", "-s")


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no answer: what was asked for may have happened or not. `why` is for people."""

    why: str
    denied: bool = False  # the host refused the login: who keeps trying is locked out


class Remote:
    """The hosts as they are reached from here; safe to use from several threads."""

    def __init__(
        self,
        state: Path,
        *,
        ssh_config: Path | None = None,
        identity_file: Path | None = None,
        script: Callable[[str, frozenset[str]], str] = scripts.script,
    ) -> None:
        """`state`: the folder for configuration files and known_hosts. Raises UsageError for a file that is missing."""
        for option, file in (("--ssh-config", ssh_config), ("--identity-file", identity_file)):
            if file and not expanded(file).is_file():
                raise UsageError(f"{option}: {file} does not exist")
        self._settings = Settings(state, ssh_config, identity_file)
        self._masters = Masters(state)
        self._script = script
        self._ways = Ways(self._settings)
        self._lines: dict[tuple[str, str, Fields], Line] = {}  # by door, verb and fields: open channels that answer it
        self._closing = threading.Event()
        self._guard = threading.Condition()
        self._starting = 0  # of ssh: a thread that dies with the process would leave it behind
        self._started: set[Call | Stream] = set()  # every ssh under way

    def call(
        self,
        host: Host,
        verb: str,
        fields: Fields,
        *,
        deadline: float,
        operations: frozenset[str] = frozenset(),
        repeatable: bool = False,
        only: bool | None = None,
        cap: int = LARGEST,
    ) -> Answer | Unknown:
        """Run `verb` on `host`. `repeatable`: it only reads; `only`: there is no other host (None: as said before).

        `cap`: bytes that its answer may have. What an open channel answers is asked there first.
        """
        nonce = randomness.token_hex(16)
        stdin = self._script(verb, operations).encode() + encode(fields, nonce)
        until = time.monotonic() + deadline
        try:
            way = self._ways.to(host, only)
            if line := self._lines.get((way.key, verb, tuple(fields))):
                if answer := line.ask(min(PATIENCE, deadline / 3)):
                    return answer
                deadline = max(1.0, until - time.monotonic())
            if not way.door:
                here = for_scripts()
                home = Path.home()
                ended = run(LOCAL, stdin, deadline=deadline, piped=True, environment=here, directory=home, cap=cap)
                return decode(ended.output, nonce) or _unknown(ended, way, deadline, cap)
            with self._masters.session(way.door, deadline), self._masters.entering(way.door, deadline / 3):
                return self._converse(way, stdin, nonce, until, deadline, repeatable, cap)
        except ReconcilerError as error:
            return Unknown(str(error))

    def channel(
        self,
        host: Host,
        verb: str,
        fields: Fields,
        on_frame: Callable[[str, bytes], None],
        stop: threading.Event,
        *,
        only: bool | None = None,
        answers: Question | None = None,
    ) -> Answer | Unknown:
        """Keep `verb` running until it ends, `stop` is set or it falls silent; `on_frame` gets each frame as it comes.

        The answer has the frames that came before the first `bell`. `answers`: what may be asked over the channel.
        """
        nonce = randomness.token_hex(16)
        stdin = self._script(verb, frozenset()).encode() + encode(fields, nonce)
        try:
            way = self._ways.to(host, only)
            with ExitStack() as waiting:
                if way.door:
                    waiting.enter_context(self._masters.entering(way.door, host.deadline / 3))
                return self._listen(way, stdin, nonce, on_frame, stop, waiting, answers)
        except ReconcilerError as error:
            return Unknown(str(error))

    def shell(
        self, host: Host, directory: str, command: Sequence[str], *, terminal: bool, only: bool | None = None
    ) -> int:
        """A shell or `command` in a directory of the workspace, here: its exit code. Raises ReconcilerError."""
        way = self._ways.to(host, only)
        words = shell_words(host, directory, command)
        if not way.door:
            return interactive(words, environment=for_scripts())
        argv = way.door.argv(None, "-t" if terminal else "-T")
        return interactive([*argv, shlex.join(["exec", *words])], environment=way.door.environment)

    def accepted_keys(self, host: Host) -> tuple[str, ...]:
        """The host keys that were accepted at the first contact, for a host that has none pinned."""
        return accepted(host, self._settings)

    def attempts(self, host: Host) -> tuple[Attempt, ...]:
        """What a gate on `host` lets through beside our scripts, tried. Raises ReconcilerError."""
        return attempt_all(door(host, self._settings), host.port or 22, host.deadline)

    def close(self) -> None:
        """End channels, calls under way and shared connections: no ssh of ours is left."""
        self._closing.set()
        with self._guard:
            self._guard.wait_for(lambda: not self._starting, START)
            started = list(self._started)
        for ssh in started:
            ssh.kill()
        self._masters.close()

    def _begun(self, start: Callable[[], Ssh]) -> Ssh:
        """Start an ssh; `close` ends it. Raises Unreachable once that was called."""
        with self._guard:
            if self._closing.is_set():
                raise Unreachable("this controller is ending")
            self._starting += 1
        ssh = None
        try:
            ssh = start()
            return ssh
        finally:
            with self._guard:
                self._starting -= 1
                if ssh is not None:
                    self._started.add(ssh)
                self._guard.notify_all()

    def _over(self, *ended: Call | Stream) -> None:
        with self._guard:
            self._started.difference_update(ended)

    def _converse(
        self, way: Way, stdin: bytes, nonce: str, until: float, deadline: float, repeatable: bool, cap: int
    ) -> Answer | Unknown:
        assert way.door
        path = self._masters.socket(way.door)
        over = threading.Event()
        shared = path.exists()
        look_at = time.monotonic() + min(PATIENCE, deadline / 2) if shared else until
        ended: Ended | None = None
        first = self._ssh(way.door, path, stdin, over, cap)
        running = [first]
        try:
            while running and time.monotonic() < until:
                over.wait(max(0.0, min(TICK, until - time.monotonic(), look_at - time.monotonic())))
                over.clear()
                for call in [call for call in running if call.wait(0)]:
                    running.remove(call)
                    ended = call.end()
                    self._over(call)
                    if answer := decode(ended.output, nonce):
                        if first in running:  # alive, and yet its connection carries nothing
                            self._masters.put_down(way.door)
                        return answer
                    if call is first and shared and "mux" in ended.errors:
                        look_at = 0.0
                if look_at <= time.monotonic() < until:
                    look_at = until
                    if first in running and not self._masters.answers(way.door, min(1.0, until - time.monotonic())):
                        self._masters.put_down(way.door)
                    if repeatable:
                        running.append(self._ssh(way.door, None, stdin, over, cap))
        finally:
            for call in running:
                ended = call.end()
                self._over(call)
        assert ended
        return _unknown(ended, way, deadline, cap)

    def _ssh(self, door: Door, path: Path | None, stdin: bytes, over: threading.Event, cap: int) -> Call:
        argv = [*door.argv(path, "-T"), REMOTE_COMMAND]
        return self._begun(lambda: Call(argv, stdin, environment=door.environment, on_end=over.set, cap=cap))

    def _listen(
        self,
        way: Way,
        stdin: bytes,
        nonce: str,
        on_frame: Callable[[str, bytes], None],
        stop: threading.Event,
        waiting: ExitStack,
        answers: Question | None,
    ) -> Answer | Unknown:
        reader = Reader(nonce, LARGEST)
        frames: list[tuple[str, bytes]] = []
        patience = way.host.deadline
        heard = time.monotonic()
        rung = False
        stream = self._begun(lambda: self._open(way, stdin))
        line = Line(stream.send, LARGEST)
        place = (way.key, answers[0], tuple(answers[1])) if answers else None
        try:
            while not stop.is_set() and not self._closing.is_set() and time.monotonic() < heard + patience:
                data = stream.read(TICK)
                if data is None:
                    continue
                for name, value in reader.feed(data):
                    heard, patience = time.monotonic(), SILENCE
                    if place:
                        self._lines[place] = line
                        if line.heard(name, value):
                            continue
                    rung = rung or name == "bell"
                    if not rung:
                        frames.append((name, value))
                    on_frame(name, value)
                if reader.begun:
                    waiting.close()  # the shared connection is there: the next may go ahead
                if reader.code is not None:
                    return Answer(tuple(frames), reader.code)
                if not data or reader.broken or len(frames) > MOST_FRAMES or stream.noisy:
                    break
        finally:
            if place and self._lines.get(place) is line:
                del self._lines[place]
            line.close()
            ended = stream.close()
            self._over(stream)
        if stop.is_set() or self._closing.is_set():
            return Unknown("the channel was closed")
        return _unknown(ended, way, patience, LARGEST)

    def _open(self, way: Way, stdin: bytes) -> Stream:
        if not way.door:
            return Stream(LOCAL, stdin, environment=for_scripts(), directory=Path.home())
        argv = [*way.door.argv(self._masters.socket(way.door), "-T"), REMOTE_COMMAND]
        return Stream(argv, stdin, environment=way.door.environment)


def _unknown(ended: Ended, way: Way, deadline: float, cap: int) -> Unknown:
    if ended.cut:
        return Unknown(f"answer was larger than {cap >> 20} MiB")
    if ended.expired:
        return Unknown(f"timed out after {deadline:g} s")
    denied = "Permission denied (" in ended.errors or "Too many authentication failures" in ended.errors
    return Unknown(why_of(ended.errors, ended.code, pinned=bool(way.door and way.door.pinned)), denied)
