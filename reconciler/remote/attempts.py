"""Ways past a gate, really tried: what a key opens beside reconciler's scripts. Nothing is changed on the host."""

import secrets as randomness
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reconciler.remote.process import Ended, run
from reconciler.remote.ssh import REMOTE_COMMAND, Door
from reconciler.remote.why import why_of

HELLO = b"\0\0\0\5\1\0\0\0\3"  # SSH_FXP_INIT of version 3; a server answers with SSH_FXP_VERSION
SOFTWARE = "SSH-"  # what the host's own sshd says first, to whoever reaches its port through a forwarding
REFUSALS = ("reconciler gate: ", "administratively prohibited", "subsystem request failed")


@dataclass(frozen=True, slots=True)
class Attempt:
    """`opened`: it worked. `refused`: the host said no. Neither: it could not be tried, and `why` says why."""

    what: str
    opened: bool
    refused: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Way:
    """One way: ssh's own options, what it asks for, and the sign that it was let in."""

    what: str
    options: tuple[str, ...]
    words: tuple[str, ...]
    stdin: bytes
    sign: Callable[[Ended], bool]


def attempt_all(door: Door, port: int, deadline: float) -> tuple[Attempt, ...]:
    """Try every way at once, each on a connection of its own; `port`: sshd's, as the host itself sees it."""
    nonce = randomness.token_hex(8)
    ways = _ways(nonce, port)
    with ThreadPoolExecutor(len(ways)) as pool:
        return tuple(pool.map(lambda way: _attempt(door, way, deadline), ways))


def _ways(nonce: str, port: int) -> tuple[_Way, ...]:
    """The sign is never in what is sent: an error that quotes it would look like success."""
    said = f"{nonce}-{nonce}"
    # A bash that was built to read .bashrc for sshd does so at the first level, and heeds BASH_ENV below it.
    variables = f'SetEnv="BASH_ENV=$(printf %s-%s {nonce} {nonce} >&2)" LD_PRELOAD=/{nonce} SHLVL=9'
    return (
        _Way("a shell", (), (f"printf %s-%s {nonce} {nonce}",), b"", lambda ended: said.encode() in ended.output),
        _Way(
            "another script",
            (),
            (REMOTE_COMMAND,),
            f"printf %s-%s {nonce} {nonce}; exit\n".encode(),
            lambda ended: said.encode() in ended.output,
        ),
        _Way("sftp", ("-s",), ("sftp",), HELLO, lambda ended: ended.output[4:5] == b"\2"),
        _Way(
            "forwarding",
            ("-W", f"127.0.0.1:{port}"),
            (),
            b"",
            lambda ended: ended.output.startswith(SOFTWARE.encode()) or "Connection refused" in ended.errors,
        ),
        _Way(
            "variables that run code",
            ("-o", variables),
            ("true",),
            b"",
            lambda ended: said in ended.errors or f"'/{nonce}' from LD_PRELOAD" in ended.errors,
        ),
    )


def _attempt(door: Door, way: _Way, deadline: float) -> Attempt:
    argv = door.argv(None, "-T", "-o", "LogLevel=INFO", *way.options)
    ended = run([*argv, *way.words], way.stdin, deadline=deadline, piped=True, environment=door.environment)
    opened = way.sign(ended)
    refused = not opened and any(word in ended.errors for word in REFUSALS)
    why = "" if opened or refused else why_of(ended.errors, ended.code, pinned=door.pinned)
    return Attempt(way.what, opened, refused, why)
