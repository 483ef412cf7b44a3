"""What holds for any input of the right types, likely or not."""

import random
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from reconciler.decide import decide, former_places
from reconciler.model.change import Action, Options, Plan
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet, Prune, Retention, Suspend
from reconciler.model.host import Drain, Facts, Host, Place, Transport
from reconciler.model.memory import HostMemory, Memory, RunMemory, TaskMemory
from reconciler.model.observed import LeaseMark, Observed, Seen, Unseen
from reconciler.model.run import ENDED, Result, RunName, RunReport
from reconciler.model.task import Priority, Retries, Step, Task, UpdatePolicy

from .cases import NOW

Input = tuple[Desired, Observed, Memory, Options]

TASKS, HOSTS, IDS = ("a", "b", "c"), ("h1", "h2", "h3"), ("", "w1", "w2")
DIGESTS = ("00000001", "00000002")
LEDGERS = ("aaaaaaaa", "bbbbbbbb")
labels = st.dictionaries(st.sampled_from(["x"]), st.sampled_from(["1", "2"]), max_size=1)
times = st.none() | st.sampled_from([0.0, NOW - 100, NOW - 10, NOW, NOW + 10])
some_tasks = st.dictionaries(st.sampled_from(TASKS), st.just("why"), max_size=1)
results = st.builds(
    Result,
    st.sampled_from(sorted(ENDED)),
    st.sampled_from(["", "ExitCode", "RateLimited", "Vanished", "NeverArrived", "HostGone"]),
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


def tasks_of(name: str) -> st.SearchStrategy[Task]:
    return st.builds(
        Task,
        st.just(name),
        st.lists(st.sampled_from(DIGESTS), max_size=2, unique=True).map(lambda ds: tuple(Step(d) for d in ds)),
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
    frozen=some_tasks,
    invalid=some_tasks,
    complete=st.booleans(),
)
reports = st.builds(
    RunReport,
    run_names,
    directory=st.sampled_from(["", "_/runs/x"]),
    rerun_key=st.sampled_from(["-", "11111111"]),
    started=st.booleans(),
    void=st.sampled_from([False, False, True]),
    phase=st.sampled_from(["", "prepare", "work"]),
    alive=st.none() | st.booleans(),
    cancel=st.sampled_from(["", "", "closed"]),
    result=st.none() | results,
    started_at=times,
    ended_at=times,
    done=st.booleans(),
    bad=st.sampled_from(["", "", "", "no owner"]),
)
marks = st.none() | st.builds(LeaseMark, st.integers(1, 6), st.sampled_from(LEDGERS))
seens = st.builds(
    Seen,
    st.sampled_from(IDS),
    st.sampled_from(["", *HOSTS]),
    marks,
    taken=st.integers(0, 6),
    facts=st.builds(Facts, boot_id=st.sampled_from(["", "b1"]), disk_free=st.none() | st.sampled_from([50, 200])),
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
        ),
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
    assert len({(change.run, change.host) for change in changes}) == len(changes)
    launches = [change.task for change in changes if change.action is Action.LAUNCH]
    assert len(set(launches)) == len(launches)
    waits = [wait.task for wait in plan.waits]
    assert len(set(waits)) == len(waits)
    assert all(wait.why for wait in plan.waits)
    opened = {name for name, task in desired.tasks.items() if not task.closed}
    opened |= {name for name in desired.invalid if name not in desired.tasks}
    ending = {
        change.task for change in plan.changes if change.action in (Action.SETTLE, Action.CANCEL, Action.LAUNCH)
    } & opened
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


def shuffled_input_gives_the_same_plan(given_: Input, plan: Plan) -> None:
    desired, observed, memory, options = given_
    chance = random.Random(0)

    def shuffled(mapping: object) -> dict[object, object]:
        items = list(dict(mapping).items())  # type: ignore[call-overload]
        chance.shuffle(items)
        return dict(items)

    other = {
        key: replace(look, runs=shuffled(look.runs)) if isinstance(look, Seen) else look
        for key, look in shuffled(observed).items()
    }
    again = decide(
        replace(desired, hosts=shuffled(desired.hosts), tasks=shuffled(desired.tasks)),
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
    shuffled_input_gives_the_same_plan,
    pruning_needs_a_budget_or_a_person,
    takes_come_to_an_end,
    a_wait_for_a_person_is_never_a_matter_of_time,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(inputs())
def test_promises(given_: Input) -> None:
    """Any well-typed input gives a plan, and the plan keeps every promise."""
    desired, observed, memory, options = given_
    plan = decide(desired, observed, memory, NOW, options)
    for promise in PROMISES:
        promise(given_, plan)
