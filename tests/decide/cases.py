"""Reads tests/cases/<topic>/<name>.yaml: a short language for what git asks, hosts show and the ledger remembers.

Whatever a case does not say is the quiet normal: one fleet, every declared host seen, empty and held by our lease.
Times are seconds relative to NOW. A run is `task-attempt` or `task-word-attempt`; `word` names a digest. A task with
an `agent` works in project `web`; the agents `claude` and `codex` are declared where a case does not say which are.
"""

import re
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from reconciler.decide import former_places
from reconciler.model.agent import Agent
from reconciler.model.change import Change, Options, Plan
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet, Prune, Retention, Suspend
from reconciler.model.host import Drain, Facts, Host, Place, Transport
from reconciler.model.memory import HostMemory, Memory, RunMemory, TaskMemory
from reconciler.model.observed import LeaseMark, Observed, Seen, Unseen
from reconciler.model.project import Project
from reconciler.model.run import Result, RunName, RunReport, State
from reconciler.model.task import AgentRef, Priority, Retries, Step, Task, UpdatePolicy

NOW = 1_000_000.0
OURS = "00000000"
CASES = Path(__file__).parent.parent / "cases"
Data = dict[str, Any]


@dataclass(frozen=True)
class Case:
    desired: Desired
    observed: Observed
    memory: Memory
    options: Options
    expect: Data


def digest(word: str) -> str:
    """Eight hex digits for a word."""
    return f"{zlib.crc32(word.encode()):08x}"


def names() -> list[str]:
    return sorted(str(path.relative_to(CASES).with_suffix("")) for path in CASES.glob("*/*.yaml"))


def read(name: str) -> Case:
    data = YAML(typ="safe").load((CASES / f"{name}.yaml").read_text())
    unknown = set(data) - {"about", "desired", "observed", "memory", "options", "expect"}
    assert not unknown, f"{name}: {unknown}"
    assert data["about"]
    desired = desired_of(data.get("desired") or {})
    memory = memory_of(data.get("memory") or {}, desired)
    observed = observed_of(data.get("observed") or {}, {*desired.hosts, *former_places(desired, memory)})
    return Case(desired, observed, memory, options_of(data.get("options") or {}), data["expect"])


def only(data: Data | None, *allowed: str) -> Data:
    data = dict(data or {})
    assert set(data) <= set(allowed), f"unknown: {set(data) - set(allowed)}"
    return data


def desired_of(data: Data) -> Desired:
    data = only(data, "fleet", "hosts", "tasks", "projects", "agents", "frozen", "invalid", "complete")
    fleet = only(data.get("fleet"), "suspend", "prune", "retention")
    return Desired(
        revision="c0ffee00" * 5,
        fleet=Fleet(
            "test",
            "test-fleet",
            suspend=Suspend(fleet.get("suspend", "no")),
            prune=Prune(**fleet.get("prune", {})),
            retention=Retention(**fleet.get("retention", {})),
        ),
        hosts={name: host_of(name, one or {}) for name, one in data.get("hosts", {"h1": {}}).items()},
        tasks={name: task_of(name, one or {}) for name, one in data.get("tasks", {}).items()},
        projects={name: Project(name, f"git@example:{name}") for name in data.get("projects", ["web"])},
        agents={
            name: agent_of(name, one or {}) for name, one in data.get("agents", {"claude": {}, "codex": {}}).items()
        },
        frozen=data.get("frozen", {}),
        invalid=data.get("invalid", {}),
        complete=data.get("complete", True),
    )


def host_of(name: str, data: Data) -> Host:
    data = only(data, "address", "slots", "labels", "cordon", "drain", "gone", "min_free")
    drain = data.pop("drain", "no")
    address = data.pop("address", f"{name}.example")
    return Host(name, address=address, drain=None if drain == "no" else Drain(drain), **data)


def agent_of(name: str, data: Data) -> Agent:
    data = only(data, "tool", "command", "fallback", "budget_usd", "max_concurrent", "variants")
    tuples = {key: tuple(data.pop(key)) for key in ("fallback", "command") if key in data}
    return Agent(name, data.pop("tool", name), **tuples, **data)


def ref_of(text: str) -> AgentRef:
    return AgentRef(*text.split(":"))


def step_of(said: str | Data) -> Step:
    """A word, or `{word: what a follow-up asks for}`."""
    if isinstance(said, str):
        return Step(digest(said))
    ((word, request),) = said.items()
    return Step(digest(word), request)


def task_of(name: str, data: Data) -> Task:
    plain = ("closed", "host", "selector", "labels", "replace_after", "rerun_key")
    data = only(
        data, "steps", "retries", "suspend", "priority", "depends_on", "update_policy", "agent", "project", *plain
    )
    return Task(
        name,
        tuple(step_of(said) for said in data.get("steps", [name])),
        project=data.get("project", "web" if "agent" in data else ""),
        agent=ref_of(data["agent"]) if "agent" in data else None,
        retries=Retries(**data.get("retries", {})),
        suspend=Suspend(data.get("suspend", "no")),
        priority=Priority[data.get("priority", "normal").upper()],
        depends_on=tuple(data.get("depends_on", ())),
        update_policy=UpdatePolicy(data.get("update_policy", "restart")),
        **{key: data[key] for key in plain if key in data},
    )


def run_name(text: str) -> RunName:
    task, *word, attempt = text.split("-")
    return RunName(task, digest(word[0] if word else task), int(attempt))


def result_of(text: str | None) -> Result | None:
    """`Failed ExitCode last`."""
    if text is None:
        return None
    state, *rest = text.split()
    code = next((int(word) for word in rest if word.isdigit()), None)
    reason = " ".join(word for word in rest if word != "last" and not word.isdigit())
    return Result(State(state), reason, code, last="last" in rest)


def at(value: float | None) -> float | None:
    return None if value is None else NOW + value


def mark_of(text: str | None) -> LeaseMark | None:
    """`5` is ours, `7 theirs` is another ledger's."""
    if text in (None, "none"):
        return None
    number, *ledger = str(text).split()
    return LeaseMark(int(number), ledger[0] if ledger else OURS)


def observed_of(data: Data, asked: set[str]) -> Observed:
    assert set(data) <= asked | {"stranger"}, f"not asked: {set(data) - asked}"
    looks = {}
    for key in asked | set(data):
        one = data.get(key, {})
        if one == "asking":
            looks[key] = Unseen("no answer yet", asking=True)
        elif isinstance(one, str):
            looks[key] = Unseen(one)
        elif one is not None and "answered" in one:
            looks[key] = Unseen(one["answered"], answered=True)
        elif one is not None:  # null: the key is missing
            looks[key] = seen_of(key, one)
    return looks


GIVEN = ("worktrees", "programs")


def tree_of(text: str) -> tuple[str, str]:
    """`a-1`, or the name of a directory that was made for no run."""
    name = text if text.startswith("mine") else str(run_name(text))
    return name, f"web/worktrees/{name}"


def seen_of(key: str, data: Data) -> Seen:
    data = only(data, "id", "name", "lease", "taken", "runs", "done", "stuck", "disk_free", "boot", "asked", *GIVEN)
    name = key.partition("@")[0]
    reports = [report_of(run, one or {}) for run, one in data.get("runs", {}).items()]
    reports += [
        RunReport(run_name(run), result=result_of(text), done=True) for run, text in data.get("done", {}).items()
    ]
    return Seen(
        workspace_id=data.get("id", f"id-{name}"),
        host_name=data.get("name", name),
        lease=mark_of(data.get("lease", 5)),
        taken=data.get("taken", 0),
        facts=Facts(boot_id=data.get("boot", ""), disk_free=data.get("disk_free"), programs=data.get("programs", {})),
        runs={str(report.name): report for report in reports},
        worktrees=dict(tree_of(text) for text in data.get("worktrees", ())),
        stuck=tuple(data.get("stuck", ())),
        asked_at=at(data.get("asked")),
    )


def worktree_of(run: str, data: Data) -> str:
    """An agent's run works in its own worktree unless the case says another, or null: nobody knows."""
    tree = data.get("worktree", run if "agent" in data else None)
    return str(run_name(tree)) if tree else ""


def report_of(run: str, data: Data) -> RunReport:
    allowed = ("result", "ended", "claimed", "void", "alive", "cancel", "rerun_key", "bad", "phase")
    data = only(data, *allowed, "agent", "worktree")
    result, void = result_of(data.get("result")), data.get("void", False)
    over = result is not None or void
    return RunReport(
        run_name(run),
        directory=f"{'web' if 'agent' in data else '_'}/runs/{run_name(run)}",
        ledger=OURS,
        lease=5,
        rerun_key=data.get("rerun_key", "-"),
        started=not void and not data.get("claimed", False),
        void=void,
        phase=data.get("phase", "work"),
        agent=data.get("agent", ""),
        worktree=worktree_of(run, data),
        alive=None if over else data.get("alive", True),
        cancel=data.get("cancel", ""),
        result=result,
        ended_at=at(data.get("ended", -3600)) if over else None,
        bad=data.get("bad", ""),
    )


def place_of(host: str, data: Data) -> Place:
    id_ = data.get("id", f"id-{host}")
    return Place(host, Transport.SSH, data.get("address", f"{host}.example"), "", None, "~/.reconciler", id_)


def memory_of(data: Data, desired: Desired) -> Memory:
    data = only(data, "number", "epoch", "whole", "hosts", "runs", "tasks")
    hosts = {name: {} for name in desired.hosts} | data.get("hosts", {})
    return Memory(
        OURS,
        number=data.get("number", 5),
        epoch=data.get("epoch", 5),
        whole=data.get("whole", True),
        hosts={name: host_memory_of(name, one) for name, one in hosts.items() if one is not None},
        runs={str(run_name(run)): run_memory_of(run, one or {}) for run, one in data.get("runs", {}).items()},
        tasks={
            name: TaskMemory(
                NOW + one.get("first", 0), digest(one["digest"]) if "digest" in one else "", one.get("left", False)
            )
            for name, one in data.get("tasks", {}).items()
        },
    )


def host_memory_of(name: str, data: Data) -> HostMemory:
    data = only(data, "id", "address", "taken", "seen", "drain_since", "stuck", "gone", "boot")
    return HostMemory(
        place_of(name, data),
        taken=data.get("taken", 5),
        seen_at=at(data.get("seen", 0)),
        drain_since=at(data.get("drain_since")),
        stuck=data.get("stuck", ""),
        gone=data.get("gone", False),
        boot_id=data.get("boot", ""),
    )


def run_memory_of(run: str, data: Data) -> RunMemory:
    allowed = ("host", "address", "id", "lease", "accepted", "result", "ended", "sent", "collected", "cleaned")
    worked = ("agent", "worktree", "branch", "pull", "cost", "cool", "started")
    data = only(data, *allowed, "rerun_key", "cancel", *worked)
    result = result_of(data.get("result"))
    agent = ref_of(data.get("agent", ""))
    return RunMemory(
        run_name(run),
        place_of(data.get("host", "h1"), data),
        lease=data.get("lease", 5),
        accepted=data.get("accepted", True),
        result=result,
        rerun_key=data.get("rerun_key", "-"),
        sent_at=NOW + data.get("sent", -3600),
        started_at=at(data.get("started")),
        ended_at=at(data.get("ended", -3600)) if result else None,
        agent=agent.name,
        variant=agent.variant,
        worktree=worktree_of(run, data),
        branch=data.get("branch", ""),
        pull_request_url=data.get("pull", ""),
        cost_usd=data.get("cost"),
        cool_until=at(data.get("cool")),
        state=result.state if result else State.RUNNING,
        collected=data.get("collected", False),
        cleaned=data.get("cleaned", False),
        cancel=data.get("cancel", ""),
    )


def options_of(data: Data) -> Options:
    data = only(data, *(field.name for field in fields(Options)))
    if "approved" in data:
        data["approved"] = frozenset(data["approved"])
    return Options(**data)


def spoken(text: str, known: dict[str, str]) -> str:
    """Run names in a sentence, with digests turned back into words."""

    def short(match: re.Match[str]) -> str:
        task, code, attempt = match.groups()
        word = known.get(code, code)
        return f"{task}-{attempt}" if word == task else f"{task}-{word}-{attempt}"

    return re.sub(r"\b([a-z]+)-([0-9a-f]{8})-([0-9]+)", short, text)


def told(change: Change, known: dict[str, str]) -> str:
    """`cancel a-1 h1 deleted prune`."""
    parts = [change.action.value, change.run, change.host or "ledger", change.detail]
    parts += ["last"] * change.last + ["prune"] * change.prune + ["worktree"] * bool(change.worktree)
    return spoken(" ".join(part for part in parts if part), known)


def orders(change: Change, known: dict[str, str]) -> str:
    """`claude:opus fresh a-1 on reconciler/a-1`, then the pull request and the budget that is left."""
    work = change.work
    assert work
    parts = [str(work.agent), work.mode.value, work.worktree, "on", work.branch, work.pull_request_url]
    parts += [] if work.budget_usd is None else [f"left {work.budget_usd:g}"]
    return spoken(" ".join(part for part in parts if part), known)


def shown(plan: Plan, case: Case, key: str) -> object:
    """The part of a plan that a case expects, in its own language."""
    runs = [run.name for run in case.memory.runs.values()]
    runs += [report.name for look in case.observed.values() if isinstance(look, Seen) for report in look.runs.values()]
    trees = [tree for look in case.observed.values() if isinstance(look, Seen) for tree in look.worktrees]
    words = {name.task for name in runs} | set(case.desired.tasks) | {tree.partition("-")[0] for tree in trees}
    words |= {"old", "older", "more", "most", "new"}
    known = {digest(word): word for word in words}
    views: dict[str, Any] = {
        "changes": [told(change, known) for change in plan.changes],
        "why": {told(change, known): spoken(change.why, known) for change in plan.changes},
        "work": {told(change, known): orders(change, known) for change in plan.changes if change.work},
        "held": [told(change, known) for change in plan.held],
        "waits": {wait.task: spoken(wait.why, known) for wait in plan.waits},
        "ends": {told(change, known): str(change.end.state) for change in plan.changes if change.end},
        "trees": {told(change, known): spoken(change.worktree, known) for change in plan.changes if change.worktree},
        "person": sorted(wait.task for wait in plan.waits if wait.person),
        "until": {wait.task: wait.until - NOW for wait in plan.waits if wait.until is not None},
        "statuses": {name: f"{row.state} {row.reason}".strip() for name, row in plan.statuses.items()},
        "status_why": {name: row.why for name, row in plan.statuses.items() if row.why},
        "unreachable": dict(plan.unreachable),
        "takes": list(plan.takes),
        "warnings": list(plan.warnings),
        "forget": list(plan.forget),
    }
    return views[key] if key in views else getattr(plan, key)
