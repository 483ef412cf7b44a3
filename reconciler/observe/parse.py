"""A host's report → Seen or Unseen. Pure: `now` is the controller's clock when the answer came.

Times on hosts become ages there (host's now − record's time) and controller times here, so that two clocks are never
compared. One bad record makes its run bad, never the host; a report whose frame is bad makes the host unseen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.host import Facts
from reconciler.model.observed import LeaseMark, Seen, Unseen
from reconciler.model.run import Result, RunName, RunReport, State

RUN_NAME = re.compile(r"([a-z0-9][a-z0-9-]{0,62})-([0-9a-f]{8})-([1-9][0-9]{0,8})\Z")
_RUN_PATH = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)/runs/([^/]+)(?:/([^/]+))?\Z")
_TREE_PATH = re.compile(r"([a-z0-9][a-z0-9-]{0,62})/worktrees/([^/]+)\Z")
_DONE_PATH = re.compile(r"_/done/([^/]+)\Z")
_LOGS = frozenset({"stdout.log", "stderr.log", "events.jsonl"})
_STATES = {
    "succeeded": State.SUCCEEDED,
    "failed": State.FAILED,
    "blocked": State.BLOCKED,
    "canceled": State.CANCELED,
    "lost": State.LOST,
    "void": State.VOID,
}


class Garbled(ValueError):
    """A record or report that does not follow docs/protocol.md."""


def run_name(text: str) -> RunName | None:
    """`build-1a2b3c4d-2` as its parts; None when it is no run's name."""
    match = RUN_NAME.match(text)
    return RunName(match[1], match[2], int(match[3])) if match else None


def parse_report(
    frames: Mapping[str, bytes], *, fleet_id: str, now: float, asked_at: float, taken: int = 0
) -> Seen | Unseen:
    """The report in an answer as Seen; Unseen when it cannot be trusted or the workspace is not ours.

    `now`: when the answer came; `asked_at`: when the call began; `taken`: our lease number that it was made under.
    """
    try:
        workspace = _pairs(frames["workspace"])
        fleet = workspace.get("fleet", "")
        if fleet and fleet.partition(";")[0] != fleet_id:
            owner = fleet.partition(";")[2] or fleet
            why = f"its workspace belongs to fleet {owner}: set a workspaceRoot of this fleet's own on the Host"
            return Unseen(why, answered=True)
        host_now = float(workspace["now"])
        clock = _Clock(now, host_now)
        lines = _lines(frames["records"])
        runs = _runs(lines, frames["live"], clock)
        return Seen(
            workspace_id=workspace.get("id", ""),
            host_name=workspace.get("name", ""),
            lease=_lease(workspace.get("lease", "")),
            revision=workspace.get("revision", ""),
            holder=workspace.get("holder", ""),
            taken=taken,
            asked_at=asked_at,
            facts=parse_facts(frames["facts"]),
            runs={str(draft.name): draft.report() for draft in runs.values()},
            worktrees=_worktrees(lines),
            trash=int(frames.get("trash", b"0").strip() or b"0"),
            stuck=tuple(sorted(str(draft.name) for draft in runs.values() if "stuck" in draft.records)),
        )
    except (Garbled, KeyError, ValueError, UnicodeDecodeError) as problem:
        return Unseen(f"its report is garbled ({type(problem).__name__}: {str(problem)[:80]!r})")


def parse_facts(frame: bytes) -> Facts:
    """`key=value` lines as Facts; what is missing or no number is None."""
    pairs = _pairs(frame)
    return Facts(
        boot_id=pairs.get("boot_id", ""),
        hostname=pairs.get("hostname", ""),
        uptime=_number(pairs.get("uptime")),
        load1=_number(pairs.get("load1")),
        memory_free=_whole(pairs.get("memory_free")),
        swap_free=_whole(pairs.get("swap_free")),
        disk_free=_whole(pairs.get("disk_free")),
        inodes_free=_whole(pairs.get("inodes_free")),
        tools={key[5:]: value for key, value in pairs.items() if key.startswith("tool.")},
        programs={key[8:]: value == "1" for key, value in pairs.items() if key.startswith("program.")},
    )


def parse_result(text: str) -> Result:
    """The text of a `result` record or a completion mark. Raises Garbled."""
    pairs = _record(text)
    state = _STATES.get(pairs.get("state", ""))
    if state is None:
        raise Garbled(text)
    code = pairs.get("rc", "")
    return Result(state, pairs.get("r", ""), int(code) if code else None, pairs.get("last") == "1")


@dataclass(frozen=True, slots=True)
class _Clock:
    now: float
    host_now: float

    def at(self, host_time: float) -> float:
        """A time of the host on the controller's clock, to the millisecond."""
        return round(self.now - (self.host_now - host_time), 3)


@dataclass(slots=True)
class _Draft:
    """A run while its lines are read."""

    name: RunName
    clock: _Clock
    directory: str = ""
    records: dict[str, tuple[str, float]] = field(default_factory=dict)  # name -> text, host time
    mark: str | None = None
    live: tuple[str, str] | None = None
    log_bytes: int = 0
    bad: str = ""

    def report(self) -> RunReport:
        """What was read as a RunReport; bad when a record does not parse."""
        base = RunReport(self.name, self.directory, done=self.mark is not None, log_bytes=self.log_bytes)
        try:
            return self._read(base) if not self.bad else replace(base, bad=self.bad)
        except (Garbled, ValueError, KeyError) as problem:
            return replace(base, bad=f"a record of it is garbled: {str(problem)[:80]!r}")

    def _read(self, base: RunReport) -> RunReport:
        if not self.directory:
            # Only the mark is left: what it says is how the run ended.
            return replace(
                base,
                result=parse_result(self.mark or ""),
                rerun_key=_record(self.mark or "").get("q", "-"),
                ended_at=self._mark_time(),
            )
        owner = _record(self._text("owner"))
        worker = _record(self._text("worker"))
        started = self._text("started")
        result = parse_result(self._text("result")) if "result" in self.records else None
        void = started == "void"
        if started and not void:
            _record(started)["p"]
        alive, survivors = None, 0
        if result is None and not void:
            if self.live is None:
                raise Garbled("its lock was not reported")
            alive = {"held": True, "free": False}.get(self.live[0])
            survivors = int(self.live[1]) if self.live[1].isdigit() else -1
        return replace(
            base,
            ledger=owner.get("l", ""),
            lease=int(owner.get("n") or 0),
            rerun_key=owner.get("q", "-"),
            mark=owner.get("m", ""),
            started=bool(started) and not void,
            void=void,
            phase=self._text("phase"),
            agent=worker.get("a", ""),
            worktree=f"{self.name.task}-{worker['w']}" if worker.get("w") else "",
            alive=alive,
            survivors=survivors,
            cancel=_record(self._text("cancel")).get("why", ""),
            result=Result(State.VOID) if void and result is None else result,
            claimed_at=self._time("owner"),
            started_at=None if void else self._time("started"),
            ended_at=self._time("result") or (self._time("started") if void else None),
        )

    def _mark_time(self) -> float | None:
        ended = _number(_record(self.mark or "").get("t"))
        return None if ended is None else self.clock.at(ended)

    def _text(self, name: str) -> str:
        return self.records[name][0] if name in self.records else ""

    def _time(self, name: str) -> float | None:
        return self.clock.at(self.records[name][1]) if name in self.records else None


def _lines(records: bytes) -> list[list[str]]:
    parts = (line.split("\t") for line in records.decode("utf-8", "replace").splitlines())
    return [part for part in parts if len(part) == 5]  # else a name with a line break in it: nobody's record


def _worktrees(lines: list[list[str]]) -> dict[str, str]:
    """Name of a run → path of the worktree that was made for it; other directories are nobody's."""
    found = {}
    for kind, path, *_ in lines:
        tree = _TREE_PATH.match(path)
        if tree and kind == "d" and run_name(tree[2]):
            found[tree[2]] = path
    return found


def _runs(lines: list[list[str]], live: bytes, clock: _Clock) -> dict[RunName, _Draft]:
    drafts: dict[RunName, _Draft] = {}
    for kind, path, size, modified, text in lines:
        if mark := _DONE_PATH.match(path):
            if kind == "l" and (name := run_name(mark[1])):
                _draft(drafts, name, clock).mark = text
            continue
        place = _RUN_PATH.match(path)
        name = run_name(place[2]) if place else None
        if place is None or name is None:
            continue
        draft = _draft(drafts, name, clock)
        directory = f"{place[1]}/runs/{place[2]}"
        if draft.directory not in ("", directory):
            draft.bad = f"two directories have its name: {draft.directory} and {directory}"
        draft.directory = directory
        if place[3] and kind == "l":
            draft.records[place[3]] = (text, float(modified))
        elif place[3] in _LOGS:
            draft.log_bytes += int(size)
    for line in live.decode("utf-8", "replace").splitlines():
        path, lock, survivors = line.split(" ")
        name = run_name(path.rpartition("/")[2])
        if name in drafts:
            drafts[name].live = (lock, survivors)
    return drafts


def _draft(drafts: dict[RunName, _Draft], name: RunName, clock: _Clock) -> _Draft:
    return drafts.setdefault(name, _Draft(name, clock))


def _lease(text: str) -> LeaseMark | None:
    if not text:
        return None
    number, _, ledger = text.partition(";")
    if not ledger:
        raise Garbled(text)
    return LeaseMark(int(number), ledger)


def _record(text: str) -> dict[str, str]:
    parts = [part.partition("=") for part in text.split(";")] if text else []
    if not all(sign for _, sign, _ in parts):
        raise Garbled(text)
    return {key: value for key, _, value in parts}


def _pairs(frame: bytes) -> dict[str, str]:
    lines = frame.decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)
