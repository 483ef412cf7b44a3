"""Where the bytes of a run's logs come from: its host while it lives, the copy here after."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from reconciler.cli.context import Context
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.cli.opening import Fleet
    from reconciler.model.rows import RunRow
    from reconciler.record.archive import Archive
    from reconciler.record.ledger import Ledger

PORTION = 4 << 20  # bytes of one log in one step
SPEED = 1 << 20  # bytes a second below which a step is given up


class Gone(ReconcilerError):
    """The host has nothing of this run any more, or cannot be asked."""


class Source(Protocol):
    """Something that has logs."""

    def read(self, offsets: Mapping[str, int]) -> dict[str, bytes]:
        """Stream → its bytes from that offset on, at most a portion; nothing at the end. Raises Gone."""

    def scrub(self, data: bytes) -> bytes:
        """Whole lines of it without secrets; as long as before."""

    def whole(self, data: bytes) -> int:
        """How many of these bytes are lines that can be shown without what follows."""

    def over(self) -> bool:
        """Whether nothing more can come."""

    def tool(self) -> str:
        """The agent's program, whose events they are; empty when that is not known, and of a script."""

    def checks(self) -> bytes:
        """The end of what the checks of the work said."""


def tool_of(asked: bytes | None) -> str:
    """Take run.json; return the tool that it names, empty when there is none."""
    from reconciler.record.asked import asked_of

    return asked_of(asked).tool


class Home:
    """What was collected. The same byte has the same offset here as on its host."""

    def __init__(self, archive: "Archive", run: str) -> None:
        """`run`: its name."""
        self._archive, self._run = archive, run

    def read(self, offsets: Mapping[str, int]) -> dict[str, bytes]:
        """As Source says."""
        from reconciler.act.collect import LOGS

        return {
            stream: self._archive.read_from(self._run, LOGS[stream], offset, PORTION)
            for stream, offset in offsets.items()
        }

    def scrub(self, data: bytes) -> bytes:
        """As they are: what is kept here has none."""
        return data

    def whole(self, data: bytes) -> int:
        """As Source says."""
        return data.rfind(b"\n") + 1

    def over(self) -> bool:
        """What is here does not grow."""
        return True

    def tool(self) -> str:
        """As Source says."""
        return tool_of(self._archive.read(self._run, "run.json"))

    def checks(self) -> bytes:
        """As Source says."""
        return self._archive.read(self._run, "qa.log") or b""


class Distant:
    """The run's host, asked anew each time over one connection."""

    def __init__(self, context: Context, fleet: "Fleet", ledger: "Ledger", row: "RunRow") -> None:
        """Find the host of `row`. Raises Gone when it is not of the fleet any more, ReconcilerError."""
        from reconciler.cli.opening import build_world
        from reconciler.decide import former_places
        from reconciler.engine.launches import origins

        desired, _ = fleet.wanted.read(ledger)
        host = {**desired.hosts, **former_places(desired, ledger.memory())}.get(row.host)
        if host is None or not row.directory:
            raise Gone(f"{row.name} is on no host of the fleet any more")
        self._host, self._row = host, row
        self._fleet_id = desired.fleet.id
        self._only = len(desired.hosts) == 1
        self._world = build_world(context, fleet, ledger)
        # What its run.json says of secrets the worker may have rewritten.
        self._world.learn(origins(desired, row.task, row.agent.partition(":")[0]))
        self._asked = b""
        self._checks = b""

    def read(self, offsets: Mapping[str, int]) -> dict[str, bytes]:
        """As Source says."""
        from reconciler.act.collect import LONGEST_LOG, CollectFailed, bounded, most, secrets_of
        from reconciler.remote.transport import Unknown

        name = self._row.name
        wanted = [(f"{stream}_from", str(offset)) for stream, offset in offsets.items()]
        reply = self._world.remote.call(
            self._host,
            "collect",
            [
                ("root", self._host.workspace_root),
                ("prelude", ""),
                ("run", self._row.directory),
                ("limit", str(PORTION)),
                *wanted,
            ],
            deadline=self._host.deadline + PORTION / SPEED,
            repeatable=True,
            only=self._only,
            cap=most(1, PORTION),
        )
        if isinstance(reply, Unknown):
            raise Gone(f"{self._host.name} cannot be asked: {self._world.hide(reply.why)}")
        frames = dict(reply.frames)
        if reply.code != 0 or f"gone/{name}" in frames:
            raise Gone(f"{self._host.name} has nothing of {name} any more")
        self._asked = frames.get(f"asked/{name}", b"")
        self._checks = frames.get(f"qa_log/{name}", b"")
        if why := self._world.learn(secrets_of(self._asked)):
            raise ReconcilerError(f"{why}; what {name} prints cannot be masked here, so it is not shown")
        found = {stream: frames.get(f"{stream}/{name}", b"") for stream in offsets}
        try:
            for stream, data in found.items():
                bounded(name, stream, len(data), PORTION)
                bounded(name, stream, offsets[stream] + len(data), LONGEST_LOG)
        except CollectFailed as problem:
            raise Gone(f"{self._host.name} {problem}") from None
        return found

    def scrub(self, data: bytes) -> bytes:
        """As Source says."""
        return self._world.redactor.scrub(data)

    def whole(self, data: bytes) -> int:
        """As Source says: a secret of several lines is waited for."""
        return self._world.redactor.whole_lines(data)

    def over(self) -> bool:
        """Whether the host says that the run has ended; no while it says nothing."""
        from reconciler.clock import now
        from reconciler.model.observed import Seen
        from reconciler.observe.look import look

        sight = look(self._world.remote, self._host, fleet_id=self._fleet_id, only=self._only, clock=now)
        report = sight.runs.get(self._row.name) if isinstance(sight, Seen) else None
        return report is not None and not report.active

    def tool(self) -> str:
        """As Source says, of what was read last."""
        return tool_of(self._asked)

    def checks(self) -> bytes:
        """As Source says, of what was read last."""
        return self._world.redactor.scrub(self._checks, begun=True)  # its begin may be cut off

    def close(self) -> None:
        """Let go of the connection."""
        self._world.remote.close()
