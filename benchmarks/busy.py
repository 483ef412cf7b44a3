"""A fleet in the middle of its work, of any size: what git asks, hosts show and the ledger remembers."""

import hashlib
from dataclasses import dataclass, replace

from reconciler.model.agent import Agent
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet
from reconciler.model.host import Facts, Host, Place
from reconciler.model.memory import HostMemory, Memory, RunMemory, TaskMemory
from reconciler.model.observed import LeaseMark, Observed, Seen, Unseen
from reconciler.model.project import Project
from reconciler.model.run import Result, RunName, RunReport, State
from reconciler.model.task import AgentRef, Retries, Step, Task

NOW = 1_800_000_000.0
LEDGER, NUMBER = "00c0ffee", 7
SLOTS = 4
TASKS_A_HOST = 10
UNSEEN = 100  # one host in so many cannot be asked

# Of ten tasks: what their second run does now. The first one of each failed; those of another digest are of an older
# spec, so that the task starts again.
DONE, RUNNING, EDITED, WAITING, CROWDED = "done", "running", "edited", "waiting", "crowded"
TEN = (DONE, DONE, DONE, DONE, DONE, RUNNING, RUNNING, EDITED, WAITING, CROWDED)


@dataclass(frozen=True, slots=True)
class Busy:
    """The input of `decide`."""

    desired: Desired
    observed: Observed
    memory: Memory


def busy(hosts: int) -> Busy:
    """Takes a number of hosts; returns a fleet of them, with ten tasks and twenty runs a host.

    Half of the tasks are agents' work in a project, and each has its worktree. Of ten tasks five are done, two run, one
    was edited and starts, one waits for another, one asks for hosts with a label, of which all slots are taken.
    """
    names = [f"box{index:05}" for index in range(hosts)]
    documents = {name: _host(name, index) for index, name in enumerate(names)}
    tasks, runs = {}, {}
    memories: dict[str, RunMemory] = {}
    there: dict[str, dict[str, RunReport]] = {name: {} for name in names}
    for index in range(hosts * TASKS_A_HOST):
        kind, host = TEN[index % len(TEN)], documents[names[index // TASKS_A_HOST]]
        task = _task(index, kind)
        tasks[task.name] = task
        for run in _runs(task, kind, host):
            runs[str(run.name)] = run
            memories[str(run.name)] = run
            there[host.name][str(run.name)] = _report(run)
    desired = Desired(
        "c0ffee00" * 5,
        Fleet("bench", "bench"),
        documents,
        tasks,
        {"web": Project("web", "https://example.org/web.git")},
        {"claude": Agent("claude", "claude")},
    )
    looks: dict[str, Seen | Unseen] = {}
    for index, name in enumerate(names):
        gone = index % UNSEEN == UNSEEN - 1
        looks[name] = Unseen("timed out") if gone else _seen(documents[name], there[name])
    kept = {name: HostMemory(_place(host), NUMBER, NOW - 20) for name, host in documents.items()}
    first_seen = {name: TaskMemory(NOW - 9_000, task.steps[0].digest) for name, task in tasks.items()}
    return Busy(desired, looks, Memory(LEDGER, NUMBER, 1, True, kept, memories, first_seen))


def _host(name: str, index: int) -> Host:
    labels = {"zone": f"z{index % 5}", **({"gpu": "yes"} if index % 50 == 0 else {})}
    slots = 2 if index % 50 == 0 else SLOTS  # two workers run on each host: there, that is all
    return Host(name, address=f"{name}.example.org", user="work", slots=slots, labels=labels)


def _place(host: Host) -> Place:
    return replace(host.place, workspace_id=_hex(host.name))


def _task(index: int, kind: str) -> Task:
    name = f"task{index:06}"
    agents = index % 2 == 1
    return Task(
        name,
        (Step(_hex(name)),),
        script="" if agents else "make",
        project="web" if agents else "",
        agent=AgentRef("claude") if agents else None,
        prompt="Do it." if agents else "",
        selector={"gpu": "yes"} if kind == CROWDED else {"zone": f"z{index % 5}"} if index % 4 == 0 else None,
        retries=Retries(2),
        depends_on=(f"task{index - 3:06}",) if kind == WAITING else (),
    )


def _runs(task: Task, kind: str, host: Host) -> tuple[RunMemory, ...]:
    digest = task.steps[0].digest if kind in (DONE, RUNNING) else _hex(f"older {task.name}")
    failed, ended = Result(State.FAILED, "ExitCode", 1), Result(State.SUCCEEDED, exit_code=0)
    states = (failed, None if kind == RUNNING else ended)
    return tuple(
        RunMemory(
            RunName(task.name, digest, attempt),
            _place(host),
            NUMBER,
            accepted=True,
            result=result,
            sent_at=NOW - 9_000 + 1_000 * attempt,
            started_at=NOW - 8_999 + 1_000 * attempt,
            ended_at=NOW - 8_500 + 1_000 * attempt if result else None,
            state=result.state if result else State.RUNNING,
            collected=result is not None,
            agent="claude" if task.project else "",
            worktree=f"{task.name}-{digest}-{attempt}" if task.project else "",
        )
        for attempt, result in enumerate(states, 1)
    )


def _report(run: RunMemory) -> RunReport:
    return RunReport(
        run.name,
        directory=f"{'web' if run.agent else '_'}/runs/{run.name}",
        ledger=LEDGER,
        lease=NUMBER,
        started=True,
        phase="work",
        agent=run.agent,
        worktree=run.worktree,
        alive=None if run.result else True,
        result=run.result,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def _seen(host: Host, runs: dict[str, RunReport]) -> Seen:
    trees = {run.worktree: f"web/worktrees/{run.worktree}" for run in runs.values() if run.worktree}
    facts = Facts(boot_id=_hex(f"boot {host.name}"), hostname=host.name, disk_free=100 << 30, programs={"claude": True})
    return Seen(
        _hex(host.name), host.name, LeaseMark(NUMBER, LEDGER), taken=NUMBER, facts=facts, runs=runs, worktrees=trees
    )


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
