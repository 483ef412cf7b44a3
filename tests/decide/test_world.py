"""Two controllers, three machines, and everything that goes wrong: no run starts twice, and after it all is calm."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.model.agent import Agent
from reconciler.model.change import Options, Wait
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet, Suspend
from reconciler.model.host import Drain, Host
from reconciler.model.project import Project
from reconciler.model.run import Result, State
from reconciler.model.task import AgentRef, Retries, Step, Task

from .cases import digest
from .world import Controller, World

TASKS = ("a", "b", "c", "d", "e")
ADDRESSES = ["m1", "m2", "m3"]
LEDGERS = ("aaaaaaaa", "bbbbbbbb")
WEATHER = st.sampled_from(["fine", "fine", "fine", "lost", "answer lost"])
ENDS = st.sampled_from([Result(State.SUCCEEDED), Result(State.FAILED, "ExitCode"), Result(State.BLOCKED)])
SAID = st.none() | st.sampled_from(
    [
        Result(State.SUCCEEDED),
        Result(State.BLOCKED),
        *(Result(State.FAILED, reason) for reason in ("InvalidResult", "RateLimited", "QuotaExceeded", "AuthFailed")),
    ]
)
ALLOWED = Options(allow_prune=True)


def fleet(retries: int) -> Desired:
    tasks = {
        "a": Task("a", (Step(digest("a")),), retries=Retries(retries, 5, 20)),
        "b": Task("b", (Step(digest("b")), Step(digest("more"))), retries=Retries(retries, 5, 20)),
        "c": Task("c", (Step(digest("c")),), depends_on=("a",)),
        "d": Task("d", (Step(digest("d")), Step(digest("most"), "more")), retries=Retries(retries, 5, 20)),
        "e": Task("e", (Step(digest("e")),), retries=Retries(retries, 5, 20)),
    }
    tasks |= {name: replace(tasks[name], project="web", agent=AgentRef("claude")) for name in ("d", "e")}
    agents = {
        "claude": Agent("claude", "claude", max_concurrent=1, fallback=("codex",)),
        "codex": Agent("codex", "codex", max_concurrent=1),
    }
    hosts = {f"h{n}": Host(f"h{n}", address=f"m{n}", slots=n) for n in (1, 2)}
    projects = {"web": Project("web", "git@example:web")}
    return Desired("c0ffee", Fleet("test", "test-fleet"), hosts, tasks, projects, agents)


class Trouble(RuleBasedStateMachine):
    """Rules are what may happen; the invariant is what must not."""

    @initialize(retries=st.integers(0, 2))
    def begin(self, retries: int) -> None:
        self.world = World(ADDRESSES, most=1)
        self.desired = fleet(retries)
        self.original = self.desired.tasks
        self.controllers = {ledger: Controller(ledger, self.world) for ledger in LEDGERS}
        self.cycles: dict[str, object] = {}
        self.generation = 0
        self.born = 0

    # Controllers.

    @rule(ledger=st.sampled_from(LEDGERS), weather=st.lists(WEATHER, max_size=12), steps=st.integers(1, 30))
    def go_on(self, ledger: str, weather: list[str], steps: int) -> None:
        """A controller goes on with its cycle, or begins one; the other may be anywhere in its own."""
        fates = iter(weather)
        cycle = self.cycles.pop(ledger, None)
        if cycle is None:
            cycle = self.controllers[ledger].cycle(self.desired, ALLOWED, lambda: next(self.fates[ledger], "fine"))
        self.fates = {**getattr(self, "fates", {}), ledger: fates}
        for _ in range(steps):
            if next(cycle, None) is None:  # type: ignore[call-overload]
                return
        self.cycles[ledger] = cycle

    @rule(ledger=st.sampled_from(LEDGERS))
    def two_whole_cycles(self, ledger: str) -> None:
        """What one cycle has done, the next does not do again."""
        self.cycles.pop(ledger, None)
        done = []
        for _ in range(2):
            for _ in self.controllers[ledger].cycle(self.desired, ALLOWED, lambda: "fine"):
                pass
            if self.controllers[ledger].stopped:
                return
            done.append(
                {(one.action, one.run, one.host, one.worktree) for one in self.controllers[ledger].plan.changes}
            )
        assert not done[0] & done[1], done

    @precondition(lambda self: self.cycles)
    @rule(data=st.data())
    def kill_controller(self, data: st.DataObject) -> None:
        del self.cycles[data.draw(st.sampled_from(sorted(self.cycles)))]

    @rule(ledger=st.sampled_from(LEDGERS))
    def lose_state(self, ledger: str) -> None:
        self.cycles.pop(ledger, None)
        self.born += 1
        self.controllers[ledger] = Controller(f"{self.born:08x}", self.world)

    # The network.

    @precondition(lambda self: self.world.flying)
    @rule(data=st.data(), arrives=st.booleans())
    def late(self, data: st.DataObject, arrives: bool) -> None:
        message = self.world.flying.pop(data.draw(st.integers(0, len(self.world.flying) - 1)))
        if arrives:
            self.world.deliver(message)

    @rule(address=st.sampled_from(ADDRESSES), up=st.booleans())
    def cut(self, address: str, up: bool) -> None:
        self.world.machines[address].reachable = up

    # The machines.

    @precondition(lambda self: any(run.alive for _, run in self.world.everywhere()))
    @rule(data=st.data(), end=ENDS, said=SAID, cool=st.sampled_from([None, 1.0, 100.0]))
    def run_ends(self, data: st.DataObject, end: Result, said: Result | None, cool: float | None) -> None:
        run = data.draw(st.sampled_from([run for _, run in self.world.everywhere() if run.alive]))
        self.world.finish(run, end, said, cool)

    @rule(address=st.sampled_from(ADDRESSES))
    def reboot(self, address: str) -> None:
        self.world.reboot(self.world.machines[address])

    @rule(data=st.data(), started=st.booleans())
    def supervisor_dies(self, data: st.DataObject, started: bool) -> None:
        alive = [run for _, run in self.world.everywhere() if run.alive]
        if alive:
            run = data.draw(st.sampled_from(alive))
            run.alive, run.started = False, started

    @rule(seconds=st.integers(1, 60))
    def time_goes_by(self, seconds: int) -> None:
        self.world.now += seconds

    # Git.

    def edit(self, task: str, **fields: object) -> None:
        tasks = dict(self.desired.tasks)
        tasks[task] = replace(tasks.get(task, self.original[task]), **fields)  # type: ignore[arg-type]
        self.desired = replace(self.desired, tasks=tasks)

    @rule(task=st.sampled_from(TASKS), closed=st.booleans(), suspend=st.sampled_from(list(Suspend)))
    def close_or_suspend(self, task: str, closed: bool, suspend: Suspend) -> None:
        self.edit(task, closed=closed, suspend=suspend)

    @rule(task=st.sampled_from(TASKS))
    def change_script(self, task: str) -> None:
        self.generation += 1
        self.edit(task, steps=(Step(digest(f"{task}{self.generation}")),))

    @rule(task=st.sampled_from(TASKS), remove=st.booleans())
    def follow_up(self, task: str, remove: bool) -> None:
        """One more at the end, or the last one taken away again."""
        steps = self.desired.tasks.get(task, self.original[task]).steps
        self.generation += 1
        more = Step(digest(f"{task}{self.generation}"), "more")
        self.edit(task, steps=(steps[:-1] or steps) if remove else (*steps, more))

    @rule(task=st.sampled_from(TASKS))
    def delete(self, task: str) -> None:
        self.desired = replace(self.desired, tasks={k: v for k, v in self.desired.tasks.items() if k != task})

    def edit_host(self, name: str, **fields: object) -> None:
        if name in self.desired.hosts:
            host = replace(self.desired.hosts[name], **fields)  # type: ignore[arg-type]
            self.desired = replace(self.desired, hosts={**self.desired.hosts, name: host})

    @rule(name=st.sampled_from(["h1", "h2"]), cordon=st.booleans(), drain=st.sampled_from([None, Drain(0), Drain(30)]))
    def cordon_or_drain(self, name: str, cordon: bool, drain: Drain | None) -> None:
        self.edit_host(name, cordon=cordon, drain=drain)

    @rule(new=st.sampled_from(["h1", "renamed"]))
    def rename(self, new: str) -> None:
        """One machine under another name: the name is free, and nobody is in the middle of a cycle."""
        old = "renamed" if new == "h1" else "h1"
        if not self.cycles and old in self.desired.hosts and self.world.machines["m1"].name in ("", old):
            hosts = {k: v for k, v in self.desired.hosts.items() if k != old}
            hosts[new] = replace(self.desired.hosts[old], name=new)
            self.desired = replace(self.desired, hosts=hosts)

    @rule()
    def add_a_host(self) -> None:
        if self.world.machines["m3"].reachable:  # what was never taken and cannot be seen is the user's promise
            self.desired = replace(self.desired, hosts={**self.desired.hosts, "h3": Host("h3", address="m3")})

    @invariant()
    def promises_hold(self) -> None:
        assert not getattr(self, "world", None) or not self.world.violations, self.world.violations

    def teardown(self) -> None:
        """Faults over: finitely many cycles of one controller, with runs that end, and nothing is left to do."""
        if not hasattr(self, "world"):
            return
        world, boss = self.world, self.controllers[LEDGERS[0]]
        self.cycles.clear()
        for machine in world.machines.values():
            machine.reachable = True
        calm = 0
        for _ in range(150):
            world.now += 60
            if world.flying:  # what is still on its way arrives now, or never
                late = world.flying.pop()
                if int(world.now) % 2:
                    world.deliver(late)
            for _ in boss.cycle(self.desired, ALLOWED, lambda: "fine"):
                pass
            self.promises_hold()
            assert not boss.plan.unreachable
            alive = [run for _, run in world.everywhere() if run.alive]
            later = any(wait.until is not None for wait in boss.plan.waits)
            calm = 0 if boss.plan.changes or alive or world.flying or later else calm + 1
            if calm == 2:
                break
            for run in alive:
                world.finish(run, Result(State.SUCCEEDED))
        assert calm == 2, boss.plan
        self.all_is_said(boss.plan.waits)

    def all_is_said(self, waits: tuple[Wait, ...]) -> None:
        """What is left waits for a person, or for a host that the documents keep closed."""
        held = any(host.cordon or host.drain for host in self.desired.hosts.values())
        assert held or all(wait.person for wait in waits), waits
        for machine, run in self.world.everywhere():
            task = self.desired.tasks.get(run.name.task)
            assert task or not run.directory, f"{run.name} was not cleaned"
            # What is left of an open task's worktrees has its run directory, or is what comes next goes on in.
            unwanted = task is None or task.closed
            assert not unwanted or run.worktree not in machine.worktrees, f"{run.worktree} was not removed"


TestTrouble = Trouble.TestCase
TestTrouble.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
