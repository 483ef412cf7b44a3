"""Whatever is killed at whatever line that writes: a run is executed at most once, and nothing of it is lost."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.remote.faults.experiment import Fault, FaultyHost, check_everything, converge, faults
from tests.remote.faults.ledger import Ledger
from tests.waiting import until

BATCH = 40


@dataclass(frozen=True)
class Scenario:
    """What a run is given, what its worker does after it was counted, and whose fault points are enumerated."""

    roles: frozenset[str]
    worker: str
    given: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    cancel: bool = False  # once it works
    orphan: str = ""  # its supervisor is killed; then settle or cancel

    def fields(self, host: FaultyHost, run: str) -> list[tuple[str, str | bytes]]:
        """The launch."""
        return host.launch_fields(run, host.worker + self.worker, **self.given)


SUPERVISOR = frozenset({"supervise", "work", "qa"})
LEAVES = "trap '' HUP; setsid sleep 300 &\n"  # so that something is there to be ended
WORKS = LEAVES + "sleep 300\n"
SCENARIOS = {
    "it is launched": Scenario(
        frozenset({"act"}),
        "",
        {"secrets": {"TOKEN": "a secret"}, "checks": {"test": "true"}, "settings": {"events": "1"}},
    ),
    "it succeeds": Scenario(
        SUPERVISOR,
        LEAVES + 'echo "{}" >"$RECONCILER_RESULT_FILE"\n',
        {
            "secrets": {"TOKEN": "a secret"},
            "environment": {"A": "b"},
            "checks": {"one": "sleep 300 & echo fine", "two": "true"},
            "settings": {"stdin": "prompt.md"},
            "files": {"prompt.md": "x"},
        },
    ),
    "its checks fail": Scenario(SUPERVISOR, "", {"checks": {"one": "exit 3"}}),
    "it asks": Scenario(SUPERVISOR, "head -c 2000000 /dev/zero >$RECONCILER_RESULT_FILE; echo how >BLOCKED.md\n"),
    "it says too much": Scenario(
        SUPERVISOR, "head -c 100000 /dev/zero | tr '\\0' x\n", {"settings": {"log_limit": "16"}}
    ),
    "it cannot be started": Scenario(SUPERVISOR, "", {"settings": {"stdin": "missing"}}),
    "it takes too long": Scenario(SUPERVISOR, WORKS, {"settings": {"timeout": "1"}}),
    "it does nothing": Scenario(SUPERVISOR, WORKS, {"settings": {"idle_timeout": "1"}}),
    "it is cancelled": Scenario(frozenset({"act", "supervise"}), WORKS, cancel=True),
    "its cancel finds something in its place": Scenario(
        frozenset({"act", "supervise"}), 'mkdir "$RECONCILER_RUN_DIR/cancel"\n' + WORKS, cancel=True
    ),
    "it is settled": Scenario(frozenset({"act", "reap"}), WORKS, orphan="settle"),
    "it is cancelled without a supervisor": Scenario(frozenset({"act", "reap"}), WORKS, orphan="cancel"),
}


def begin(host: FaultyHost, scenario: Scenario, runs: Sequence[str], trace: Path | None = None) -> None:
    """Launches runs, and goes on to where the faults of the scenario can be met."""
    host.broken("act", [one for run in runs for one in scenario.fields(host, run)], "begin", trace=trace)
    if scenario.orphan:
        until(lambda: all(host.record(run, "phase") == "work" for run in runs), 30)
        for run in runs:
            os.kill(int(host.record(run, "started").split(";")[0][2:]), signal.SIGKILL)
        until(lambda: {lock for lock, _ in host.observe().live().values()} == {"free"})
    elif scenario.cancel:
        until(lambda: all(host.record(run, "phase") == "work" or not host.marked(run) for run in runs), 30)


def call(host: FaultyHost, scenario: Scenario, run: str, fault: Fault | None = None, trace: Path | None = None) -> None:
    """The call of a scenario in which faults are met."""
    operation = scenario.orphan or (scenario.cancel and "cancel")
    fields = [(operation, host.path(run))] if operation else scenario.fields(host, run)
    host.broken("act", fields, run, fault, trace)


def discover(folder: Path, scenario: Scenario) -> list[Fault]:
    """The fault points of a scenario, from a run that is only traced."""
    host, run, trace = FaultyHost.make(folder), "dry-0000000a-1", folder / "trace"
    assert host.take().code == 0
    if scenario.roles != {"act"}:
        begin(host, scenario, [run], trace)
        trace.write_text("".join(line for line in trace.open() if not line.startswith("act ")))
    if "act" in scenario.roles:
        call(host, scenario, run, None, trace)
    until(lambda: host.record(run, "result"), 30)
    until(lambda: host.path(run) not in host.observe().live())
    until(lambda: not host.marked(run))
    return [fault for fault in faults(trace) if fault.role in scenario.roles]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SCENARIOS)
def test_while(tmp_path: Path, ledger: Ledger, decoys: "list[subprocess.Popen[bytes]]", name: str) -> None:
    scenario = SCENARIOS[name]
    found = ledger.choose(discover(tmp_path / "dry", scenario))
    for start in range(0, len(found), BATCH):
        host = FaultyHost.make(tmp_path / str(start))
        assert host.take().code == 0
        planned = {f"f{index:03d}-0000000a-1": fault for index, fault in enumerate(found[start : start + BATCH])}
        for run, fault in planned.items():
            host.plan(run, fault)
        if scenario.roles != {"act"}:
            begin(host, scenario, list(planned))
        if "act" in scenario.roles:
            for run, fault in planned.items():
                call(host, scenario, run, fault)
        check_everything(host, planned, **scenario.given)
        ledger.note(host, planned)
    assert [decoy.poll() for decoy in decoys] == [None] * len(decoys)


def test_a_host_that_nothing_befell(tmp_path: Path) -> None:
    """What is checked after faults holds without any."""
    host = FaultyHost.make(tmp_path)
    assert host.take().code == 0
    assert host.launch("f-0000000a-1", host.worker) == "accepted"
    converge(host, ["f-0000000a-1"])
    check_everything(host, {"f-0000000a-1": Fault("act", "nowhere", 1)})
