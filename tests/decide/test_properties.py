"""What holds for any input of the right types, likely or not."""

import random
from collections import Counter
from dataclasses import replace
from typing import TypeVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from reconciler.decide import decide, former_places
from reconciler.model.agent import Agent
from reconciler.model.change import Action, Options, Plan, TreeMode
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet, Prune, Retention, Suspend
from reconciler.model.host import Drain, Facts, Host, Place, Transport
from reconciler.model.memory import HostMemory, Memory, RunMemory, TaskMemory
from reconciler.model.observed import LeaseMark, Observed, Seen, Unseen
from reconciler.model.project import Project
from reconciler.model.run import ENDED, Result, RunName, RunReport, State
from reconciler.model.task import AgentRef, Priority, Retries, Step, Task, UpdatePolicy

from .cases import NOW

Run = TypeVar("Run", RunReport, RunMemory)
Input = tuple[Desired, Observed, Memory, Options]

TASKS, HOSTS, IDS = ("a", "b", "c"), ("h1", "h2", "h3"), ("", "w1", "w2")
DIGESTS = ("00000001", "00000002")
LEDGERS = ("aaaaaaaa", "bbbbbbbb")
TREES = [str(RunName(task, digest, 1)) for task in TASKS for digest in DIGESTS]
trees = st.sampled_from(["", *(f"{digest}-1" for digest in DIGESTS)])
names = st.sampled_from(["", "claude", "codex"])
labels = st.dictionaries(st.sampled_from(["x"]), st.sampled_from(["1", "2"]), max_size=1)
times = st.none() | st.sampled_from([0.0, NOW - 100, NOW - 10, NOW, NOW + 10])
some_tasks = st.dictionaries(st.sampled_from(TASKS), st.just("why"), max_size=1)
results = st.builds(
    Result,
    st.sampled_from(sorted(ENDED)),
    st.sampled_from(
        ["", "ExitCode", "RateLimited", "QuotaExceeded", "AuthFailed", "Vanished", "NeverArrived", "HostGone"]
    ),
    last=st.booleans(),
)
run_names = st.builds(RunName, st.sampled_from(TASKS), st.sampled_from(DIGESTS), st.integers(1, 3))
places = st.builds(
    Place,
    st.sampled_from(HOSTS),
    st.just(Transport.SSH),
    st.sampled_from(["m1", "m2", "m3"]),
    st.just(""),
    st.none(),
    st.just("~/.reconciler"),
    st.sampled_from(IDS),
)


def in_its_own(run: Run) -> Run:
    """A worktree is a run's of the same task: its host says but the end of its name."""
    return replace(run, worktree=run.worktree and f"{run.name.task}-{run.worktree}")


def tasks_of(name: str) -> st.SearchStrategy[Task]:
    return st.builds(
        Task,
        st.just(name),
        st.lists(st.sampled_from(DIGESTS), max_size=2, unique=True).map(lambda ds: tuple(Step(d, "go on") for d in ds)),
        project=st.sampled_from(["", "web", "web", "nope"]),
        agent=st.sampled_from(
            [None, AgentRef("claude"), AgentRef("claude", "opus"), AgentRef("codex"), AgentRef("nope")]
        ),
        labels=labels,
        closed=st.booleans(),
        suspend=st.sampled_from([Suspend.NO, Suspend.NO, Suspend.HOLD, Suspend.CANCEL]),
        priority=st.sampled_from(Priority),
        host=st.sampled_from(["", "", "h1", "nope"]),
        selector=st.none() | labels,
        retries=st.builds(Retries, st.integers(0, 2), st.integers(0, 20), st.integers(0, 40)),
        replace_after=st.none() | st.integers(0, 200),
        depends_on=st.lists(st.sampled_from([*TASKS, "nope"]), max_size=1).map(tuple),
        rerun_key=st.sampled_from(["-", "11111111"]),
        update_policy=st.sampled_from(UpdatePolicy),
    )


def hosts_of(name: str) -> st.SearchStrategy[Host]:
    return st.builds(
        Host,
        st.just(name),
        address=st.sampled_from(["m1", "m2", "m3"]),
        min_free=st.sampled_from([0, 100]),
        slots=st.integers(0, 2),
        labels=labels,
        cordon=st.booleans(),
        drain=st.sampled_from([None, None, Drain(0), Drain(60), Drain(None)]),
        gone=st.sampled_from([False, False, True]),
    )


agents = st.fixed_dictionaries(
    {},
    optional={
        name: st.builds(
            Agent,
            st.just(name),
            st.just(name),
            max_concurrent=st.none() | st.integers(0, 2),
            variants=st.sampled_from([{}, {"opus": 1}]),
            fallback=st.sampled_from([(), ("codex",), ("codex", "claude", "nope")]),
            budget_usd=st.none() | st.sampled_from([0.0, 1.0]),
        )
        for name in ("claude", "codex")
    },
)
desireds = st.builds(
    Desired,
    st.just("c0ffee"),
    st.builds(
        Fleet,
        st.just("test"),
        st.just("test-fleet"),
        suspend=st.sampled_from([Suspend.NO, Suspend.NO, Suspend.HOLD, Suspend.CANCEL]),
        prune=st.builds(Prune, st.integers(0, 100), st.integers(0, 3)),
        retention=st.builds(Retention, st.integers(0, 2), st.integers(0, 200)),
    ),
    st.lists(st.sampled_from(HOSTS), unique=True).flatmap(
        lambda ns: st.fixed_dictionaries({n: hosts_of(n) for n in ns})
    ),
    st.lists(st.sampled_from(TASKS), unique=True).flatmap(
        lambda ns: st.fixed_dictionaries({n: tasks_of(n) for n in ns})
    ),
    projects=st.sampled_from([{}, {"web": Project("web", "u")}, {"web": Project("web", "u")}]),
    agents=agents,
    frozen=some_tasks,
    invalid=some_tasks,
    complete=st.booleans(),
)
reports = st.builds(
    RunReport,
    run_names,
    directory=st.sampled_from(["", "_/runs/x", "web/runs/x"]),
    agent=names,
    worktree=trees,
    rerun_key=st.sampled_from(["-", "11111111"]),
    started=st.booleans(),
    void=st.sampled_from([False, False, True]),
    phase=st.sampled_from(["", "prepare", "work", "qa"]),
    alive=st.none() | st.booleans(),
    cancel=st.sampled_from(["", "", "closed", "suspended"]),
    result=st.none() | results,
    started_at=times,
    ended_at=times,
    done=st.booleans(),
    bad=st.sampled_from(["", "", "", "no owner"]),
).map(in_its_own)
marks = st.none() | st.builds(LeaseMark, st.integers(1, 6), st.sampled_from(LEDGERS))
seens = st.builds(
    Seen,
    st.sampled_from(IDS),
    st.sampled_from(["", *HOSTS]),
    marks,
    taken=st.integers(0, 6),
    facts=st.builds(
        Facts,
        boot_id=st.sampled_from(["", "b1"]),
        disk_free=st.none() | st.sampled_from([50, 200]),
        programs=st.sampled_from([{}, {"claude": False}, {"claude": True, "codex": False}]),
    ),
    worktrees=st.lists(st.sampled_from([*TREES, "mine"]), max_size=3).map(
        lambda ts: {t: f"web/worktrees/{t}" for t in ts}
    ),
    runs=st.lists(reports, max_size=3).map(lambda rs: {str(r.name): r for r in rs}),
    stuck=st.sampled_from([(), (), ("a-00000001-1",)]),
    asked_at=times,
)
unseens = st.builds(Unseen, st.just("timed out"), st.booleans())
memories = st.builds(
    Memory,
    st.just(LEDGERS[0]),
    number=st.integers(0, 6),
    epoch=st.integers(0, 6),
    whole=st.booleans(),
    hosts=st.dictionaries(
        st.sampled_from([*HOSTS, "h9"]),
        st.builds(
            HostMemory,
            places,
            st.integers(0, 6),
            times,
            times,
            st.sampled_from(["", "stuck"]),
            st.sampled_from([False, False, True]),
        ),
        max_size=3,
    ),
    runs=st.lists(
        st.builds(
            RunMemory,
            run_names,
            places,
            st.integers(0, 6),
            accepted=st.booleans(),
            result=st.none() | results,
            rerun_key=st.sampled_from(["-", "11111111"]),
            sent_at=st.sampled_from([0.0, NOW - 50, NOW]),
            ended_at=times,
            collected=st.booleans(),
            cleaned=st.booleans(),
            cancel=st.sampled_from(["", "closed", "suspended", "drained"]),
            agent=names,
            variant=st.sampled_from(["", "opus"]),
            worktree=trees,
            branch=st.sampled_from(["", "b"]),
            cost_usd=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
            cool_until=st.none() | st.sampled_from([NOW - 10, NOW + 10]),
        ).map(in_its_own),
        max_size=3,
    ).map(lambda rs: {str(r.name): r for r in rs}),
    tasks=st.dictionaries(
        st.sampled_from(TASKS), st.builds(TaskMemory, st.floats(0, NOW), st.sampled_from(["", *DIGESTS])), max_size=2
    ),
)
optionses = st.builds(
    Options,
    allow_prune=st.booleans(),
    approved=st.frozensets(st.sampled_from(TASKS), max_size=2),
    selector=labels,
    secrets_missing=st.dictionaries(st.sampled_from(TASKS), st.just("no secret"), max_size=1),
    rewritten=st.booleans(),
    newer=st.dictionaries(st.sampled_from(HOSTS), st.just("feedbeef"), max_size=1),
)


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    desired, memory = draw(desireds), draw(memories)
    keys = [*desired.hosts, *former_places(desired, memory), *draw(st.sampled_from([[], [], ["stranger"]]))]
    observed = {key: draw(seens | unseens) for key in keys if draw(st.integers(0, 9))}
    return desired, observed, memory, draw(optionses)


@st.composite
def days_of_work(draw: st.DrawFn) -> Input:
    """Inputs of which most start something: every host is seen and ours, every name declared, nothing held."""
    memory = draw(memories)
    hosts = {n: replace(draw(hosts_of(n)), address=f"m{n[1]}", gone=False, slots=2, min_free=0) for n in HOSTS}
    named = {n: agent for n, agent in draw(agents).items() if n != "claude"}
    named = {"claude": Agent("claude", "claude", fallback=("codex",)), **named}
    tasks = {}
    for name in TASKS:
        task = draw(tasks_of(name))
        quiet = replace(task, closed=draw(st.sampled_from([False, False, True])), suspend=Suspend.NO, host="")
        agent = task.agent if task.agent and task.agent.name in named else AgentRef("claude")
        project = draw(st.sampled_from(["", "web", "web"]))
        tasks[name] = replace(quiet, depends_on=(), selector=None, project=project, agent=agent if project else None)
    mark = LeaseMark(5, LEDGERS[0])
    looks = {
        name: replace(draw(seens), workspace_id=f"w-{name}", host_name=name, lease=mark, taken=5, stuck=())
        for name in HOSTS
    }
    remembered = {}
    for key, run in memory.runs.items():
        host = draw(st.sampled_from(HOSTS))
        remembered[key] = replace(run, place=replace(hosts[host].place, workspace_id=f"w-{host}"), lease=4)
    places = {n: HostMemory(replace(h.place, workspace_id=f"w-{n}"), 5, NOW) for n, h in hosts.items()}
    projects = {"web": Project("web", "u")}
    desired = Desired("c0ffee", Fleet("test", "test-fleet"), hosts, tasks, projects, named)
    memory = replace(memory, number=5, epoch=5, whole=True, hosts=places, runs=remembered)
    return desired, looks, memory, Options()


def look_at(observed: Observed, key: str) -> Seen | None:
    look = observed.get(key)
    return look if isinstance(look, Seen) else None


def effects_only_on_hosts_that_were_seen(given_: Input, plan: Plan) -> None:
    observed = given_[1]
    for change in (*plan.changes, *plan.held):
        assert not change.host or look_at(observed, change.host), change
        assert change.host or change.action is Action.SETTLE, change
        assert change.why, change
    assert all(look_at(observed, key) for key in plan.takes)


def every_run_has_one_verdict_and_every_open_task_one_fate(given_: Input, plan: Plan) -> None:
    desired = given_[0]
    changes = (*plan.changes, *plan.held)
    assert len({(change.run, change.host, change.worktree) for change in changes}) == len(changes)
    launches = [change.task for change in changes if change.action is Action.LAUNCH]
    assert len(set(launches)) == len(launches)
    waits = [wait.task for wait in plan.waits]
    assert len(set(waits)) == len(waits)
    assert all(wait.why for wait in plan.waits)
    opened = {name for name, task in desired.tasks.items() if not task.closed}
    opened |= {name for name in desired.invalid if name not in desired.tasks}
    ending = {change.task for change in plan.changes if change.action is not Action.CLEANUP} & opened
    held = {change.task for change in plan.held if change.action is Action.LAUNCH}
    assert held <= set(waits)
    assert not set(waits) & {change.task for change in plan.changes if change.action is Action.LAUNCH}
    assert len(opened & set(waits)) + plan.keeps <= len(opened) <= len(opened & set(waits)) + plan.keeps + len(ending)
    assert set(plan.statuses) == set(desired.tasks) | set(desired.invalid)


def no_launch_beside_a_run_that_lives_or_may_live(given_: Input, plan: Plan) -> None:
    desired, observed, memory, _ = given_
    seen = {key: look for key, look in observed.items() if isinstance(look, Seen) and key not in plan.unreachable}
    reported = [(key, report) for key, look in seen.items() for report in look.runs.values()]
    for launch in (change for change in plan.changes if change.action is Action.LAUNCH):
        task = desired.tasks[launch.task]
        attempt = int(launch.run.rsplit("-", 1)[1])
        for key, report in reported:
            former = key not in desired.hosts  # its workspace may be one that a declared host shows
            assert former or report.name.task != task.name or not report.active or report.bad, launch
            same = str(report.name).rsplit("-", 1)[0] == launch.run.rsplit("-", 1)[0]
            assert former or not same or report.name.attempt < attempt, launch
        for name, run in memory.runs.items():
            pending = run.name.task == task.name and run.result is None and task.replace_after is None
            assert not pending or any(str(report.name) == name for _, report in reported), launch
            assert name != launch.run


def no_launch_passes_a_closed_gate(given_: Input, plan: Plan) -> None:
    desired, observed, _, options = given_
    for launch in (change for change in plan.changes if change.action is Action.LAUNCH):
        task, host = desired.tasks[launch.task], desired.hosts[launch.host]
        assert not task.closed
        assert task.suspend is Suspend.NO
        assert desired.fleet.suspend is Suspend.NO
        assert task.name not in options.secrets_missing
        assert options.selector.items() <= task.labels.items()
        assert "nope" not in task.depends_on
        assert task.host in ("", host.name)
        assert (task.selector or {}).items() <= host.labels.items()
        assert not any((host.cordon, host.drain, host.gone))
        assert launch.run.split("-")[1] in {step.digest for step in task.steps}
        assert not options.newer or options.allow_prune
        look = look_at(observed, launch.host)
        assert look
        assert not look.stuck
        assert look.facts.disk_free is None or look.facts.disk_free >= host.min_free


def slots_are_never_exceeded_by_a_launch(given_: Input, plan: Plan) -> None:
    desired, observed, _, _ = given_
    for key in {change.host for change in plan.changes if change.action is Action.LAUNCH}:
        look = look_at(observed, key)
        active = sum(report.active for report in look.runs.values() if not report.bad) if look else 0
        launched = sum(change.action is Action.LAUNCH and change.host == key for change in plan.changes)
        assert active + launched <= desired.hosts[key].slots


def agents_work_within_their_limits(given_: Input, plan: Plan) -> None:
    desired, observed, memory, _ = given_
    live = {name: run.agent for name, run in memory.runs.items() if run.result is None}
    for key, look in observed.items():
        if isinstance(look, Seen) and key not in plan.unreachable:
            for name, report in look.runs.items():
                over = (report.result or report.void or report.done) and not report.bad
                live.pop(name, None)
                live |= {} if over else {name: report.agent}
    active = Counter(agent for agent in live.values() if agent)
    for launch in (change for change in plan.changes if change.action is Action.LAUNCH):
        task, work = desired.tasks[launch.task], launch.work
        assert bool(work) == bool(task.project)
        if work is None:
            continue
        active[work.agent.name] += 1
        agent = desired.agents[work.agent.name]
        assert task.project in desired.projects
        assert agent.max_concurrent is None or active[work.agent.name] <= agent.max_concurrent
        assert agent.budget_usd is None or (work.budget_usd or 0) > 0
        look = look_at(observed, launch.host)
        assert look
        assert look.facts.programs.get(work.agent.name) is not False
        assert work.mode is not TreeMode.FRESH or work.worktree == launch.run
        assert work.branch
        told = [run for run in memory.runs.values() if run.agent == agent.name and run.result]
        newest = max((run.ended_at or 0.0 for run in told), default=0.0)
        limited = [run for run in told if run.result and run.result.reason in ("RateLimited", "QuotaExceeded")]
        waits = {(run.cool_until or 0.0) > NOW for run in limited if (run.ended_at or 0.0) == newest}
        fails = {run.result.state for run in limited if run.result}
        assert waits != {True} or State.FAILED not in fails or any(str(run.name) in live for run in limited)


def worktrees_stay_while_they_are_used(given_: Input, plan: Plan) -> None:
    desired, observed, memory, _ = given_
    removed = [change for change in (*plan.changes, *plan.held) if change.worktree]
    for change in removed:
        assert change.action is Action.CLEANUP
        look = look_at(observed, change.host)
        assert look
        assert look.worktrees[change.run] == change.worktree
        task, name = desired.tasks.get(change.task), change.run
        for report in look.runs.values():
            mine = name in (report.worktree, str(report.name))
            assert not (mine and report.active and not report.bad), (change, report)
            kept = memory.runs.get(str(report.name))
            void = report.void or (report.result and report.result.state is State.VOID)
            read = void or (kept and kept.collected)
            assert not (mine and report.directory and not report.bad and not read), (change, report)
        for run in memory.runs.values():
            reported = any(str(run.name) in seen.runs for seen in observed.values() if isinstance(seen, Seen))
            assert reported or run.result or name not in (run.worktree, str(run.name)), (change, run)
        assert not any(one.work and one.work.worktree == name and one.host == change.host for one in plan.changes)
        if task and not task.closed and change.detail != "removed":
            assert task.suspend is Suspend.NO
            assert desired.fleet.suspend is Suspend.NO
            assert not any(r.directory and name in (r.worktree, str(r.name)) for r in look.runs.values())
        assert change.prune == (change.detail == "deleted")


def shuffled_input_gives_the_same_plan(given_: Input, plan: Plan) -> None:
    desired, observed, memory, options = given_
    chance = random.Random(0)

    def shuffled(mapping: object) -> dict[object, object]:
        items = list(dict(mapping).items())  # type: ignore[call-overload]
        chance.shuffle(items)
        return dict(items)

    other = {
        key: replace(look, runs=shuffled(look.runs), worktrees=shuffled(look.worktrees))
        if isinstance(look, Seen)
        else look
        for key, look in shuffled(observed).items()
    }
    again = decide(
        replace(
            desired,
            hosts=shuffled(desired.hosts),
            tasks=shuffled(desired.tasks),
            agents=shuffled(desired.agents),
        ),
        other,  # type: ignore[arg-type]
        replace(memory, hosts=shuffled(memory.hosts), runs=shuffled(memory.runs), tasks=shuffled(memory.tasks)),
        NOW,
        options,
    )
    assert again == plan


def pruning_needs_a_budget_or_a_person(given_: Input, plan: Plan) -> None:
    desired, _, _, options = given_
    pruned = {change.task for change in plan.changes if change.prune}
    assert all(task not in desired.tasks | desired.invalid | desired.frozen for task in pruned)
    assert desired.complete or not pruned
    assert not pruned or desired.tasks or desired.invalid or options.allow_prune
    assert not (pruned and options.rewritten and not options.allow_prune)
    if options.newer and not options.allow_prune:
        assert all(change.action is Action.COLLECT for change in plan.changes)
        assert not plan.takes


def takes_come_to_an_end(given_: Input, plan: Plan) -> None:
    """Taken as planned, with what the executor then remembers, nothing is left to be taken."""
    desired, observed, memory, options = given_
    looks = dict(observed)
    for rounds in range(4):
        if not plan.takes:
            break
        assert rounds < 3, plan.takes
        mark = LeaseMark(plan.number, memory.ledger)
        kept = dict(memory.hosts)
        former = former_places(desired, memory)
        for key in plan.takes:
            look = look_at(looks, key)
            assert look
            assert look.lease is None or look.lease.number < plan.number or look.lease == mark, (look.lease, mark)
            host = desired.hosts.get(key) or former[key]
            kept[key] = HostMemory(replace(host.place, workspace_id=look.workspace_id), taken=plan.number, seen_at=NOW)
            looks[key] = replace(look, lease=mark, taken=plan.number, host_name=host.name, asked_at=NOW)
        epoch = plan.number if plan.fresh else memory.epoch
        memory = replace(memory, number=plan.number, epoch=epoch, whole=memory.whole and not plan.fresh)
        plan = decide(desired, looks, memory, NOW, options)
    ours = {key for key in looks if (look := look_at(looks, key)) and look.lease == (plan.number, memory.ledger)}
    assert {change.host for change in plan.changes if change.host and change.action is not Action.COLLECT} <= ours


def a_wait_for_a_person_is_never_a_matter_of_time(given_: Input, plan: Plan) -> None:
    assert not [wait for wait in plan.waits if wait.person and wait.until is not None]


PROMISES = (
    effects_only_on_hosts_that_were_seen,
    every_run_has_one_verdict_and_every_open_task_one_fate,
    no_launch_beside_a_run_that_lives_or_may_live,
    no_launch_passes_a_closed_gate,
    slots_are_never_exceeded_by_a_launch,
    agents_work_within_their_limits,
    worktrees_stay_while_they_are_used,
    shuffled_input_gives_the_same_plan,
    pruning_needs_a_budget_or_a_person,
    takes_come_to_an_end,
    a_wait_for_a_person_is_never_a_matter_of_time,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(inputs() | days_of_work())
def test_promises(given_: Input) -> None:
    """Any well-typed input gives a plan, and the plan keeps every promise."""
    desired, observed, memory, options = given_
    plan = decide(desired, observed, memory, NOW, options)
    for promise in PROMISES:
        promise(given_, plan)
