"""Bring results and logs home: bytes from an offset on, in portions, until there is no more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.errors import ReconcilerError
from reconciler.model.host import Host
from reconciler.remote.transport import Remote, Unknown

PORTION = 8 << 20  # bytes of one log in one call
SPEED = 1 << 20  # bytes a second below which a call is given up

# The frames of `collect` and the file each belongs to.
FILES = {"answer": "answer.json", "blocked": "blocked.md", "phase_log": "supervisor.log"}
LOGS = ("stdout", "stderr")
NOWHERE = 10**9  # an offset behind the end of every log: nothing of it is sent


@dataclass(frozen=True, slots=True)
class Portion:
    """Bytes of one file of a run; `offset` None replaces the file as a whole."""

    file: str
    offset: int | None
    data: bytes


class CollectFailed(ReconcilerError):
    """The host did not answer; what has arrived so far stands."""


def collect(
    remote: Remote, host: Host, run: str, directory: str, have: Callable[[str], int], *, limit: int = PORTION
) -> Iterator[Portion]:
    """Portions of everything `run` left; `have(file)` is the size already here. Raises CollectFailed."""
    offsets = {log: have(f"{log}.log") for log in LOGS}
    while True:
        fields: list[tuple[str, bytes | str]] = [
            ("root", host.workspace_root),
            ("prelude", ""),
            ("limit", str(limit)),
            ("run", directory),
            *[(f"{log}_from", str(offset)) for log, offset in offsets.items()],
        ]
        reply = remote.call(host, "collect", fields, deadline=host.deadline + limit / SPEED, repeatable=True)
        if isinstance(reply, Unknown):
            raise CollectFailed(reply.why)
        if reply.code != 0:
            raise CollectFailed(reply.text("error").strip() or f"refused with code {reply.code}")
        frames = dict(reply.frames)
        for frame, file in FILES.items():
            if data := frames.get(f"{frame}/{run}"):
                yield Portion(file, None, data)
        more = False
        for log in LOGS:
            data = frames.get(f"{log}/{run}", b"")
            if data:
                yield Portion(f"{log}.log", offsets[log], data)
                offsets[log] += len(data)
            more = more or len(data) >= limit
        if not more:
            return


def read_log(
    remote: Remote, host: Host, run: str, directory: str, stream: str, offset: int, limit: int, only: bool
) -> bytes:
    """At most `limit` bytes of one log of a run that may still be alive. Raises CollectFailed."""
    fields: list[tuple[str, bytes | str]] = [
        ("root", host.workspace_root),
        ("prelude", ""),
        ("limit", str(limit)),
        ("run", directory),
        *[(f"{log}_from", str(offset if log == stream else NOWHERE)) for log in LOGS],
    ]
    reply = remote.call(host, "collect", fields, deadline=host.deadline, repeatable=True, only=only)
    if isinstance(reply, Unknown):
        raise CollectFailed(f"{host.name}: {reply.why}")
    if reply.code != 0:
        raise CollectFailed(f"{host.name}: {reply.text('error').strip()}")
    return reply.first(f"{stream}/{run}") or b""
