"""The records of a host's runs, line by line → RunReports. Pure; one bad record makes its run bad, never the host."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.run import Result, RunName, RunReport, State

RUN_NAME = re.compile(r"([a-z0-9][a-z0-9-]{0,62})-([0-9a-f]{8})-([1-9][0-9]{0,8})\Z")
NUMBER = re.compile(r"[1-9][0-9]{0,14}\Z")  # of a lease, as the scripts take it
MOST = 1_000_000  # runs of one host, marks of ended ones too; the size of an answer is the narrower bound
LARGEST = 1e18  # of any figure
NOBODY = RunName("", "", 0)

_RUN_PATH = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)/runs/([^/]+)(?:/([^/]+))?\Z")
_TREE_PATH = re.compile(r"([a-z0-9][a-z0-9-]{0,62})/worktrees/([^/]+)\Z")
_DONE_PATH = re.compile(r"_/done/([^/]+)\Z")
_RECORD = re.compile(r"[A-Za-z0-9=;._-]{0,120}\Z")
_COUNT = re.compile(r"[0-9]{1,15}\Z")
_CODE = re.compile(r"-?[0-9]{1,9}\Z")
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


def parse_result(text: str) -> Result:
    """The text of a `result` record or a completion mark. Raises Garbled."""
    pairs = _record(text)
    state = _STATES.get(pairs.get("state", ""))
    if state is None:
        raise Garbled(text)
    code = pairs.get("rc", "")
    if code and not _CODE.match(code):
        raise Garbled(text)
    return Result(state, pairs.get("r", ""), int(code) if code else None, pairs.get("last") == "1")


@dataclass(frozen=True, slots=True)
class Clock:
    now: float
    host_now: float

    def at(self, host_time: float) -> float:
        """A time of the host on the controller's clock, to the millisecond; what is to come counts as now."""
        if not math.isfinite(host_time):
            raise Garbled(str(host_time))
        return round(max(0.0, self.now - max(0.0, self.host_now - host_time)), 3)


@dataclass(slots=True)
class Draft:
    """A run while its lines are read."""

    name: RunName
    clock: Clock
    directory: str = ""
    records: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> text, host time
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
            survivors = int(self.live[1]) if _COUNT.match(self.live[1]) else -1
        lease = owner.get("n", "")
        if lease and not NUMBER.match(lease):
            raise Garbled(lease)
        return replace(
            base,
            ledger=owner.get("l", ""),
            lease=int(lease or 0),
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
        ended = number(_record(self.mark or "").get("t"))
        return None if ended is None else self.clock.at(ended)

    def _text(self, name: str) -> str:
        text = self.records[name][0] if name in self.records else ""
        return text if _RECORD.match(text) or name != "phase" else ""

    def _time(self, name: str) -> float | None:
        return self.clock.at(float(self.records[name][1])) if name in self.records else None


def _lines(records: bytes) -> Iterator[list[str]]:
    """One by one: a host may send a great many."""
    start = 0
    while start < len(records):
        end = records.find(b"\n", start)
        end = len(records) if end < 0 else end
        parts = records[start:end].decode("utf-8", "replace").split("\t")
        start = end + 1
        if len(parts) == 5:  # else a name with a line break in it: nobody's record
            yield parts


def read_records(records: bytes, clock: Clock) -> tuple[dict[RunName, Draft], dict[str, str]]:
    """The runs, and name of a run → path of the worktree that was made for it; other directories are nobody's."""
    drafts: dict[RunName, Draft] = {}
    trees: dict[str, str] = {}
    for kind, path, size, modified, text in _lines(records):
        if len(drafts) + len(trees) > MOST:
            raise Garbled(f"more than {MOST} runs")
        if mark := _DONE_PATH.match(path):
            if kind == "l" and (name := run_name(mark[1])):
                _draft(drafts, name, clock).mark = text
        elif tree := _TREE_PATH.match(path):
            if kind == "d" and run_name(tree[2]):
                trees[tree[2]] = path
        elif (place := _RUN_PATH.match(path)) and (name := run_name(place[2])):
            _note(_draft(drafts, name, clock), place, kind, size, (text, modified))
    return drafts, trees


def _note(draft: Draft, place: re.Match[str], kind: str, size: str, record: tuple[str, str]) -> None:
    """What one line says of a run's directory or of what is in it."""
    directory = f"{place[1]}/runs/{place[2]}"
    if draft.directory not in ("", directory):
        draft.bad = f"two directories have its name: {draft.directory} and {directory}"
    draft.directory = directory
    if place[3] and kind == "l":
        if draft.records.setdefault(place[3], record) != record:
            draft.bad = f"it has two records {place[3][:20]}"
    elif place[3] in _LOGS and _COUNT.match(size):
        draft.log_bytes += int(size)


def read_living(drafts: Mapping[RunName, Draft], live: bytes) -> None:
    """Note whose lock is held. Raises Garbled for a line that says something else."""
    for line in live.decode("utf-8", "replace").split("\n"):
        if not line:
            continue
        path, lock, survivors = line.split(" ")
        draft = drafts.get(run_name(path.rpartition("/")[2]) or NOBODY)
        if draft is not None:
            draft.live = (lock, survivors)


def _draft(drafts: dict[RunName, Draft], name: RunName, clock: Clock) -> Draft:
    return drafts.setdefault(name, Draft(name, clock))


def _record(text: str) -> dict[str, str]:
    parts = [part.partition("=") for part in text.split(";")] if text else []
    pairs = {key: value for key, _, value in parts}
    if not _RECORD.match(text) or not all(sign for _, sign, _ in parts) or len(pairs) < len(parts):
        raise Garbled(text)
    return pairs


def number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < LARGEST else None


def whole(text: str | None) -> int | None:
    found = number(text)
    return None if found is None else int(found)
