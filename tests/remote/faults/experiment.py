"""Faults in the host scripts, what a controller does after them, and what must then hold for every run."""

import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.remote.faults import instrument
from tests.remote.harness import BASH, Fields, HostUnderTest, encode
from tests.waiting import until

NAMES = {"bell", "cache", "done", "fleet", "holder", "id", "known_hosts", "lease", "lock", "name", "projects"}
NAMES |= {"revision", "runs", "trash"}  # all that may lie in `_`
RECORDS = {
    "owner": r"l=[0-9a-f]{8};n=\d+;q=[A-Za-z0-9-]{1,8};m=[A-Za-z0-9]{8,20}",
    "worker": r"a=[a-z0-9-]+;w=[0-9a-f]{8}-\d+",
    "started": r"void|p=\d+;s=\d+;b=[0-9a-f]{12}",
    "phase": r"prepare|checkout|worktree|setup|work|qa",
    "question": r"[0-9a-f]{40}",
    "cancel": r"why=[A-Za-z0-9._-]+",
    "stuck": r"n=(\d+|-)",
    "result": r"state=(succeeded|failed|blocked|canceled|lost)(;rc=\d+)?(;r=[A-Za-z]+)?;t=\d+(;last=1)?",
}
MARK = r"state=[a-z]+(;r=[A-Za-z]+)?(;q=[A-Za-z0-9-]+)?;t=\d+(;last=1)?"


@dataclass(frozen=True, order=True)
class Fault:
    """Where a process meets its fault: its role, the line and its caller's, the how manieth time; and the kind of fault."""

    role: str
    place: str
    count: int
    kind: str = "main"

    def __str__(self) -> str:
        return f"{self.role} {self.place} {self.count} {self.kind}"


@dataclass
class FaultyHost(HostUnderTest):
    """A host whose scripts have fault points. Workers count themselves in `counts`, outside of the workspace."""

    faults: Path = Path()

    @classmethod
    def make(cls, folder: Path, root: Path | None = None) -> "FaultyHost":
        """One without a workspace, below a folder of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        instrument.install(folder / "faults")
        (folder / "counts").mkdir()
        return cls(root or folder / "ws", faults=folder / "faults")

    @property
    def worker(self) -> str:
        """What every worker begins with."""
        return f'echo "$RECONCILER_RUN" >>"{self.faults.parent}/counts/$RECONCILER_RUN"\necho hello\n'

    def count(self, run: str) -> int:
        """How many times it was executed."""
        file = self.faults.parent / "counts" / run
        return len(file.read_text().splitlines()) if file.exists() else 0

    def broken(
        self, verb: str, fields: Fields, name: str, fault: Fault | None = None, trace: Path | None = None, **env: str
    ) -> None:
        """A call with fault points, whose answer nobody gets. `fault` is for the call; those of supervisors are in at/."""
        fields = list(fields)
        operations = {key for key, _ in fields} & set(instrument.scripts.OPERATIONS)
        text = instrument.verb(verb, *operations)
        instrument.note(self.faults, text)
        parts = {
            "supervisor": instrument.supervisor(),
            "project_script": instrument.project(),
            "qa_script": instrument.checks(),
        }
        common = [(key, parts[key].instrumented() if key in parts else value) for key, value in self.common(verb)]
        payload = encode([*common, *fields])
        given = dict(self.env) | {"FAULTS": str(self.faults), "FAULT_NAME": name, "FAULT": str(fault or "")} | env
        if trace:
            given["FAULT_TRACE"] = str(trace)
        sent = text.instrumented().encode() + f"{secrets.token_hex(8)} {len(payload)}\n".encode() + payload
        with open(os.devnull, "wb") as nowhere:
            subprocess.run(
                BASH, input=sent, env=given, timeout=60, start_new_session=True, stdout=nowhere, stderr=nowhere
            )

    def plan(self, run: str, fault: Fault) -> None:
        """The fault that a process of this run is to meet."""
        (self.faults / "at" / run).write_text(str(fault))


def faults(trace: Path, most: int = 2) -> list[Fault]:
    """All faults that processes of a traced run can meet, in order; of what is done in a loop, the first rounds."""
    found: dict[Fault, None] = {}
    for line in trace.read_text().splitlines():
        role, place, count, *kinds = line.split()
        if int(count) <= most:
            found |= {Fault(role, place, int(count), kind): None for kind in kinds}
    return list(found)


def successor(host: HostUnderTest) -> None:
    """Another controller takes over."""
    host.number += 1
    host.ledger = f"{host.number:08x}"
    answer = host.take()
    assert answer.code == 0, answer


def converge(host: HostUnderTest, runs: Iterable[str], patience: float = 10) -> None:
    """Looks and settles, as a controller does, until nothing of these runs is open; cancels what does not end by itself."""
    paths = {host.path(run) for run in runs}
    began = time.monotonic()
    while live := {path: lock for path, (lock, _) in host.observe().live().items() if path in paths}:
        waited = time.monotonic() - began
        assert waited < 60, live
        free = [("settle", path) for path, lock in live.items() if lock == "free"]
        held = [("cancel", path) for path in live if waited > patience]
        if free or held:
            words = host.call("act", free + held).words()
            assert set(words) <= {"void", "lost", "settling", "already", "alive", "canceled", "canceling"}, words
        time.sleep(0.1)


def snapshot(root: Path) -> dict[str, tuple[int, int, str]]:
    """Everything in a workspace, by path: inode, time, link."""
    found = {}
    for path in sorted(root.rglob("*")):
        seen = path.lstat()
        found[str(path)] = (seen.st_ino, seen.st_mtime_ns, os.readlink(path) if path.is_symlink() else "")
    return found


def results(host: HostUnderTest, runs: Iterable[str]) -> dict[str, str]:
    return {run: text for run in runs if (text := host.record(run, "result"))}


def processes(host: HostUnderTest, run: str) -> list[int]:
    """What is left of a run: what carries its mark, and whatever was started with its path."""
    found = host.marked(run)
    path = f"{host.directory(run)}".encode()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word == path or word.startswith(path + b"/") for word in words):
            found.append(int(file.parent.name))
    return found


def check_ends(host: FaultyHost, runs: Sequence[str], before: Mapping[str, str]) -> None:
    """Every run has a truthful end, records are whole, and nothing lives. `before`: results that were there already."""
    ends = results(host, runs)
    assert {run: ends.get(run) for run in before} == dict(before)
    for run in runs:
        for link in host.directory(run).iterdir() if host.directory(run).exists() else ():
            if link.is_symlink() and link.name in RECORDS:
                text = os.readlink(link)
                assert re.fullmatch(RECORDS[link.name], text), (run, link.name, text)
                assert len(text) <= (86 if link.name == "worker" else 59), (run, link.name, text)
        count, end = host.count(run), ends.get(run, "")
        assert count <= 1, (run, count)
        if not end:
            assert host.record(run, "started") in ("", "void"), run
            assert count == 0, (run, "void or never there, and was executed")
        elif end.startswith(("state=succeeded", "state=blocked", "state=failed;rc=")) and "r=Signal" not in end:
            assert count == 1, (run, end)
    until(lambda: not [pid for run in runs for pid in processes(host, run)], 15)


def check_second_call(host: HostUnderTest, runs: Sequence[str]) -> None:
    """Whatever is asked again changes nothing."""
    before = snapshot(host.root)
    fields = [(operation, host.path(run)) for run in runs for operation in ("settle", "cancel")]
    assert set(host.call("act", fields).words()) <= {"already", "absent"}
    host.take()
    assert snapshot(host.root) == before


def check_clean_up(host: FaultyHost, runs: Sequence[str], again: Mapping[str, Fields]) -> None:
    """Everything goes but the marks, at once or the second time; what is done stays done. `again`: their launches."""
    ends = {run: host.record(run, "result") or "state=void" for run in runs if host.directory(run).exists()}
    for expected in ({"removed", "already"}, {"already"}):
        assert set(host.call("act", [("cleanup", host.path(run)) for run in runs]).words()) <= expected
    before = snapshot(host.root / "_/done")
    for run, end in ends.items():
        text = os.readlink(host.root / "_/done" / run)
        assert re.fullmatch(MARK, text), (run, text)
        assert text.split(";")[0] == end.split(";")[0], (run, text, end)
        assert not host.directory(run).exists()
    if again:
        words = host.call("act", [field for fields in again.values() for field in fields]).words()
        assert set(words) <= {"done", "stale"}, words
    assert snapshot(host.root / "_/done") == before
    until(lambda: not list((host.root / "_/trash").iterdir()))
    assert {path.name for path in (host.root / "_").iterdir()} <= NAMES
    assert list((host.root / "_/runs").iterdir()) == []
    for run in runs:
        assert not list(Path("/dev/shm").glob(f"reconciler-{host.marks[run]}.*")), run


def check_everything(host: FaultyHost, planned: Mapping[str, Fault], **given: str | Mapping[str, str]) -> None:
    """From right after the faults to the end: another controller settles, repeats itself, tries again, cleans up."""
    runs = list(planned)
    before = results(host, runs)
    successor(host)
    converge(host, runs)
    check_ends(host, runs, before)
    check_second_call(host, runs)
    # A launch that comes late or twice; where the first never arrived, it is the first.
    late = {run: host.launch_fields(run, host.worker, **given) for run in runs}
    there = [run for run in runs if host.directory(run).exists()]
    words = dict(zip(runs, host.call("act", [one for run in runs for one in late[run]]).words(), strict=True))
    assert words == {run: "taken" if run in there else "accepted" for run in runs}
    following = {run: f"{run[:-1]}2" for run in runs}
    launches = {run: host.launch_fields(run, host.worker) for run in following.values()}
    assert set(host.call("act", [one for fields in launches.values() for one in fields]).words()) == {"accepted"}
    for run in (*following.values(), *(run for run in runs if run not in there)):
        assert host.result(run)["state"] == "succeeded", run
    everything = [*runs, *following.values()]
    check_ends(host, everything, before)
    ran = {run for run, end in results(host, everything).items() if end.startswith("state=succeeded")}
    ran -= {run for run, fault in planned.items() if fault.kind == "self"}  # what kept its log was killed
    asked = [("run", host.path(run)) for run in everything]
    collected = host.call("collect", [("limit", "1000"), *asked]).frames
    said = {
        name.partition("/")[2]
        for name, text in collected
        if name.startswith(("stdout/", "events/")) and text.startswith(b"hello\n")
    }
    assert ran <= said
    check_clean_up(host, everything, late | launches)
