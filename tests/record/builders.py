"""Short words for hosts, runs and reports."""

from dataclasses import replace
from typing import Any

from reconciler.model.change import Plan, TaskStatus
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host, Place
from reconciler.model.observed import Seen
from reconciler.model.run import Result, RunName, RunReport, State
from reconciler.model.task import Step, Task
from reconciler.record.ledger import Intent

DIGEST = "1a2b3c4d"
SUCCEEDED = Result(State.SUCCEEDED, exit_code=0)
FAILED = Result(State.FAILED, "ExitCode", 3)
BAD_REPORT = RunReport(RunName("build", DIGEST, 1), "_/runs/x", bad="garbled")
VANISHED = Result(State.LOST, "Vanished")


def name(task: str = "build", attempt: int = 1) -> RunName:
    return RunName(task, DIGEST, attempt)


def host(name: str = "h1", address: str = "10.0.0.1", **more: Any) -> Host:
    return Host(name=name, address=address, **more)


def place(of: Host, workspace: str = "w1") -> Place:
    return replace(of.place, workspace_id=workspace)


def intent(run: RunName, of: Host, lease: int = 1, **more: Any) -> Intent:
    return Intent(run, place(of), lease, **more)


def preparing(run: RunName, **more: Any) -> RunReport:
    usual = {"ledger": "0badcafe", "lease": 1, "alive": True, "claimed_at": 10.0, "phase": "prepare"}
    return RunReport(run, f"_/runs/{run}", **{**usual, **more})


def running(run: RunName, **more: Any) -> RunReport:
    return preparing(run, **{"started": True, "phase": "work", "started_at": 11.0, **more})


def ended(run: RunName, result: Result = SUCCEEDED, **more: Any) -> RunReport:
    return running(run, **{"alive": None, "result": result, "ended_at": 20.0, **more})


def void(run: RunName) -> RunReport:
    return preparing(run, void=True, alive=None, result=Result(State.VOID))


def mark(run: RunName, result: Result = SUCCEEDED) -> RunReport:
    return RunReport(run, result=result, done=True, ended_at=20.0)


def seen(*reports: RunReport, workspace: str = "w1", of: str = "h1", **more: Any) -> Seen:
    return Seen(workspace, of, runs={str(report.name): report for report in reports}, **more)


def task(name: str = "build", digest: str = DIGEST, **more: Any) -> Task:
    return Task(name, (Step(digest),), **more)


def desired(*tasks: Task, hosts: tuple[Host, ...] = (), revision: str = "c" * 40, **more: Any) -> Desired:
    fleet = Fleet("demo", "demo-fleet")
    return Desired(revision, fleet, {one.name: one for one in hosts}, {one.name: one for one in tasks}, **more)


def plan(*statuses: TaskStatus) -> Plan:
    return Plan(statuses={status.task: status for status in statuses})
