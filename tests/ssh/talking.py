"""A Remote whose verbs are the test scripts beside this file, and Hosts for the machines of a cluster."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from reconciler.model.host import Host
from reconciler.remote.frames import Answer
from reconciler.remote.transport import Remote, Unknown


class Reachable(Protocol):
    """A machine or a loopback host."""

    name: str
    address: str
    port: int
    user: str
    login_key: Path

    @property
    def host_key(self) -> str: ...


def script(verb: str, operations: frozenset[str] = frozenset()) -> str:
    """The script of a verb of ours."""
    body = (Path(__file__).parent / f"{verb}.sh").read_text()
    return f"main() {{\n{body}}}\nmain 3<&0 </dev/null; exit\n"


def remote(state: Path, **options: Any) -> Remote:
    """A Remote that knows `talk` and `bells`."""
    return Remote(state, script=script, **options)


def host(machine: Reachable, **spec: Any) -> Host:
    """The Host of a machine, with its key pinned."""
    return Host(
        machine.name,
        **{
            "address": machine.address,
            "port": machine.port,
            "user": machine.user,
            "identity_file": str(machine.login_key),
            "host_keys": (machine.host_key,),
            **spec,
        },
    )


def ask(remote: Remote, host: Host, command: str, *, deadline: float = 15, **options: Any) -> str:
    """What a command printed on the host, or `unknown: ` and why."""
    answer = remote.call(host, "talk", [("do", command)], deadline=deadline, **options)
    return f"unknown: {answer.why}" if isinstance(answer, Unknown) else answer.text("out")


def heard(answer: Answer | Unknown) -> Answer:
    """The answer, which must be one."""
    assert isinstance(answer, Answer), answer
    return answer


def masters() -> list[int]:
    """The ssh masters of this process's sockets."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"ssh: ") and f".{os.getpid()} [mux]".encode() in command:
            found.append(int(entry.name))
    return found


def eventually(fact: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether `fact` becomes true within that time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if fact():
            return True
        time.sleep(0.02)
    return False
