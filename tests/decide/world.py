"""A small world in which plans are carried out: hosts that obey the protocol, controllers that die, lost calls.

A controller's cycle is a generator that stops at every effect, so that anything may happen in between.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from reconciler.decide import decide, former_places
from reconciler.model.change import Action, Assignment, Change, Options, Plan, TreeMode
from reconciler.model.desired import Desired
from reconciler.model.host import Host, Place
from reconciler.model.memory import HostMemory, Memory, RunMemory, TaskMemory
from reconciler.model.observed import LeaseMark, Seen, Unseen
from reconciler.model.run import Result, RunName, RunReport, State

Step = tuple[str, str]  # task, digest


@dataclass
class SimRun:
    """One run directory and its process."""

    name: RunName
    lease: LeaseMark
    last: bool
    started: bool = True
    alive: bool = True
    cancel: str = ""
    result: Result | None = None
    void: bool = False
    directory: bool = True
    done: bool = False
    ended_at: float | None = None
    agent: str = ""
    worktree: str = ""
    said: Result | None = None  # how it ended by its own word, which is read when it is collected
    cool_until: float | None = None

    def end(self, result: Result, now: float, said: Result | None = None, cool: float | None = None) -> None:
        self.alive, self.ended_at = False, now
        self.result = replace(result, last=self.last and result.state in (State.FAILED, State.LOST))
        self.said = replace(said, last=self.result.last) if said else None
        self.cool_until = None if cool is None else now + cool

    def report(self) -> RunReport:
        over = self.result is not None or self.void
        return RunReport(
            self.name,
            directory=f"{'web' if self.agent else '_'}/runs/{self.name}" if self.directory else "",
            agent=self.agent if self.directory else "",
            worktree=self.worktree if self.directory else "",
            ledger=self.lease.ledger,
            lease=self.lease.number,
            started=self.started,
            void=self.void,
            phase="work",
            alive=None if over else self.alive,
            cancel=self.cancel,
            result=self.result,
            ended_at=self.ended_at,
            done=self.done,
        )


@dataclass
class Machine:
    """A host as it really is. Its address never changes here; the document that names it may."""

    address: str
    id: str = ""
    name: str = ""
    lease: LeaseMark | None = None
    runs: dict[RunName, SimRun] = field(default_factory=dict)
    worktrees: set[str] = field(default_factory=set)
    reachable: bool = True

    def report(self, taken: int = 0) -> Seen:
        runs = {str(run.name): run.report() for run in self.runs.values()}
        trees = {tree: f"web/worktrees/{tree}" for tree in self.worktrees}
        return Seen(self.id, self.name, self.lease, taken=taken, runs=runs, worktrees=trees)


@dataclass
class Message:
    """A call on its way: it may arrive late, or never."""

    address: str
    mark: LeaseMark
    change: Change


class World:
    """Machines, what travels, and what the rules promise."""

    def __init__(self, addresses: list[str], most: int = 1_000) -> None:
        self.now = 1_000.0
        self.most = most  # living runs of each agent
        self.machines = {address: Machine(address) for address in addresses}
        self.flying: list[Message] = []
        self.starts: Counter[RunName] = Counter()
        self.workspaces = 0
        self.violations: list[str] = []

    def everywhere(self) -> Iterator[tuple[Machine, SimRun]]:
        for machine in self.machines.values():
            for run in machine.runs.values():
                yield machine, run

    def take(self, address: str, host_name: str, mark: LeaseMark) -> bool:
        machine = self.machines[address]
        if machine.lease and machine.lease != mark and machine.lease.number >= mark.number:
            return False
        if not machine.id:
            self.workspaces += 1
            machine.id = f"w{self.workspaces}"
        machine.lease, machine.name = mark, host_name
        return True

    def deliver(self, message: Message) -> str:
        """What `act` answers: one word, `refused` when the lease is another."""
        machine, change = self.machines[message.address], message.change
        if machine.lease != message.mark:
            return "refused"
        if change.action is Action.LAUNCH:
            return self._launch(machine, message)
        if change.worktree:
            return self._remove(machine, change.worktree.rpartition("/")[2])
        run = next((run for run in machine.runs.values() if str(run.name) == change.run), None)
        if run is None or not run.directory:
            return "absent"
        if change.action is Action.SETTLE:
            if run.alive or run.result or run.void:
                return "already"
            if run.started:
                run.end(Result(State.LOST, "SupervisorGone"), self.now)
            else:
                run.void, run.ended_at = True, self.now
        elif change.action is Action.CANCEL:
            if run.result or run.void:
                return "already"
            run.cancel = run.cancel or change.detail
            if not run.alive:
                run.end(Result(State.CANCELED), self.now)
        elif change.action is Action.CLEANUP:
            if run.alive:
                self.violations.append(f"cleanup of the living {run.name}")
            run.done, run.directory = True, False
            run.result = change.end if run.result else None  # the mark says how it ended
        return "ok"

    def _remove(self, machine: Machine, tree: str) -> str:
        if any(run.alive and run.worktree == tree for run in machine.runs.values()):
            self.violations.append(f"worktree {tree} of {machine.address} goes while a run works in it")
        machine.worktrees.discard(tree)
        return "ok"

    def _launch(self, machine: Machine, message: Message) -> str:
        task, digest, attempt = message.change.run.rsplit("-", 2)
        name = RunName(task, digest, int(attempt))
        if name in machine.runs:
            return "done" if machine.runs[name].done else "taken"
        if any(run[:2] == name[:2] and run.attempt >= name.attempt for run in machine.runs):
            return "stale"
        for other, run in self.everywhere():
            if run.alive and run.name.task == name.task:
                self.violations.append(f"{name} on {machine.address} beside {run.name} on {other.address}")
            end = run.said or run.result
            if run.name[:2] == name[:2] and end and end.state is State.SUCCEEDED:
                self.violations.append(f"{name} started though {run.name} Succeeded on {other.address}")
        machine.runs[name] = SimRun(name, message.mark, message.change.last)
        if message.change.work:
            self._at_work(machine, machine.runs[name], message.change.work)
        self.starts[name] += 1
        if self.starts[name] > 1:
            self.violations.append(f"{name} was started twice")
        return "ok"

    def _at_work(self, machine: Machine, run: SimRun, work: Assignment) -> None:
        if (work.mode is TreeMode.FRESH) != (work.worktree == str(run.name)):
            self.violations.append(f"{run.name} is to {work.mode} in {work.worktree}")
        for _, other in self.everywhere():
            if other.alive and other.worktree == work.worktree:
                self.violations.append(f"{run.name} works in {work.worktree} beside {other.name}")
        run.agent, run.worktree = work.agent.name, work.worktree
        machine.worktrees.add(work.worktree)
        if sum(other.alive and other.agent == run.agent for _, other in self.everywhere()) > self.most:
            self.violations.append(f"{run.name} is one run too many of {run.agent}")

    # What happens by itself.

    def finish(self, run: SimRun, result: Result, said: Result | None = None, cool: float | None = None) -> None:
        if run.alive and run.cancel:
            run.end(Result(State.CANCELED), self.now)
        elif run.alive:
            run.end(result, self.now, said if run.agent else None, cool)

    def reboot(self, machine: Machine) -> None:
        for run in machine.runs.values():
            run.alive = False

    def wipe(self, machine: Machine) -> None:
        self.reboot(machine)
        machine.id, machine.name, machine.lease = "", "", None
        machine.runs.clear()
        machine.worktrees.clear()


class Controller:
    """One ledger and the executor around `decide`."""

    def __init__(self, ledger: str, world: World) -> None:
        self.world = world
        self.memory = Memory(ledger)
        self.plan = Plan()
        self.rounds = 0
        self.stopped = False  # the last cycle did not come to its end

    # How a call goes, asked of the world's fate: it arrives, it is lost, or its answer is.
    Weather = Callable[[], str]

    def cycle(self, desired: Desired, options: Options, weather: Weather) -> Iterator[str]:
        """One cycle; memory is durable at every yield."""
        self.stopped = True
        hosts = {**desired.hosts, **former_places(desired, self.memory)}
        looks: dict[str, Seen | Unseen] = {key: Unseen("no answer yet", asking=True) for key in hosts}
        for key, host in hosts.items():
            machine = self.world.machines.get(host.address)
            ok = machine is not None and machine.reachable and weather() == "fine"
            looks[key] = machine.report() if ok and machine else Unseen("timed out")
            yield f"look {key}"
        self._learn(desired, hosts, looks)
        plan = decide(desired, looks, self.memory, self.world.now, options)
        self.rounds = 0
        while plan.takes:
            self.rounds += 1
            if self.rounds > 4:
                self.world.violations.append(f"takes go on for ever: {plan.takes}")
                return
            mark = LeaseMark(plan.number, self.memory.ledger)
            epoch = plan.number if plan.fresh else self.memory.epoch
            whole = self.memory.whole and not plan.fresh
            self.memory = replace(self.memory, number=plan.number, epoch=epoch, whole=whole)
            for key in plan.takes:
                yield f"take {key}"
                if not self._take(hosts[key], key, mark, looks, weather()):
                    return  # the lease is lost: stop acting
            self._learn(desired, hosts, looks)
            plan = decide(desired, looks, self.memory, self.world.now, options)
        self.plan = plan
        self.stopped = True
        yield from self._act(hosts, plan, weather)

    def _take(self, host: Host, key: str, mark: LeaseMark, looks: dict[str, Seen | Unseen], fate: str) -> bool:
        machine = self.world.machines[host.address]
        if fate == "lost" or not machine.reachable:
            looks[key] = Unseen("timed out")
            return True
        if not self.world.take(host.address, host.name, mark):
            return False
        looks[key] = machine.report(mark.number) if fate == "fine" else Unseen("timed out")
        if fate == "fine":
            place = replace(host.place, workspace_id=machine.id)
            hosts = {**self.memory.hosts, key: HostMemory(place, taken=mark.number, seen_at=self.world.now)}
            self.memory = replace(self.memory, hosts=hosts)
        return True

    def _act(self, hosts: dict[str, Host], plan: Plan, weather: Weather) -> Iterator[str]:
        mark = LeaseMark(plan.number, self.memory.ledger)
        for change in plan.changes:
            if not change.host:
                self._settle(change)
                continue
            host = hosts[change.host]
            if change.action is Action.COLLECT:
                if self.world.machines[host.address].reachable:
                    self._read(self.world.machines[host.address], change.run)
                continue
            if change.action is Action.LAUNCH:
                self._intend(change, host, mark)
            yield f"{change.action} {change.run}"
            fate = weather()
            message = Message(host.address, mark, change)
            if fate == "lost" or not self.world.machines[host.address].reachable:
                self.world.flying.append(message)  # it may still arrive
                continue
            answer = self.world.deliver(message)
            if fate != "fine":
                continue
            if answer == "refused":
                if change.action is Action.LAUNCH:
                    self._remember(change.run, result=Result(State.VOID, "NeverArrived"))
                return
            self._answered(change, answer)
        for key in plan.forget:
            kept = {name: one for name, one in self.memory.hosts.items() if one.place.door != hosts[key].place.door}
            self.memory = replace(self.memory, hosts=kept)
            for name, run in list(self.memory.runs.items()):
                if run.place.door == hosts[key].place.door:
                    self._remember(name, cleaned=True)
        self.stopped = False

    def _answered(self, change: Change, answer: str) -> None:
        if change.action is Action.LAUNCH:
            if answer == "stale":
                self._remember(change.run, result=Result(State.VOID, "NeverArrived"))
            else:
                self._remember(change.run, accepted=True)
        elif change.action is Action.CLEANUP and not change.worktree:
            self._remember(change.run, cleaned=True)

    def _read(self, machine: Machine, name: str) -> None:
        """What record/ does with a result: the worker's own word refines the end that its host recorded."""
        run = next(run for run in machine.runs.values() if str(run.name) == name)
        refined = {"result": run.said} if run.said else {}
        self._remember(name, collected=True, cool_until=run.cool_until, **refined)

    def _intend(self, change: Change, host: Host, mark: LeaseMark) -> None:
        task, digest, attempt = change.run.rsplit("-", 2)
        kept = self.memory.hosts.get(change.host)
        place = replace(host.place, workspace_id=kept.place.workspace_id if kept else "")
        run = RunMemory(RunName(task, digest, int(attempt)), place, mark.number, sent_at=self.world.now)
        if work := change.work:
            run = replace(run, agent=work.agent.name, variant=work.agent.variant, worktree=work.worktree)
        self.memory = replace(self.memory, runs={**self.memory.runs, change.run: run})

    def _settle(self, change: Change) -> None:
        state = State.VOID if change.detail == "NeverArrived" else State.LOST
        result = Result(state, change.detail, last=change.last)
        self._remember(change.run, result=result, ended_at=self.world.now, cleaned=change.detail != "HostGone")

    def _remember(self, run: str, **what: object) -> None:
        if run in self.memory.runs:
            known = replace(self.memory.runs[run], **what)  # type: ignore[arg-type]
            self.memory = replace(self.memory, runs={**self.memory.runs, run: known})

    def _learn(self, desired: Desired, hosts: dict[str, Host], looks: dict[str, Seen | Unseen]) -> None:
        """What record/ does with reports: it keeps what it sees, and forgets nothing."""
        kept, runs = dict(self.memory.hosts), dict(self.memory.runs)
        for key, look in looks.items():
            if isinstance(look, Unseen):
                continue
            place = replace(hosts[key].place, workspace_id=look.workspace_id)
            mark = look.lease
            taken = mark.number if mark and mark.ledger == self.memory.ledger else 0
            since = kept[key].drain_since if key in kept else None
            since = (since if since is not None else self.world.now) if hosts[key].drain else None
            kept[key] = HostMemory(place, taken=taken, seen_at=self.world.now, drain_since=since)
            for name, report in look.runs.items():
                runs[name] = _learned(runs.get(name), report, place)
        whole = self.memory.whole or (
            bool(kept)
            and all(
                host.gone or (key in kept and kept[key].taken >= self.memory.epoch > 0)
                for key, host in desired.hosts.items()
            )
        )
        tasks = {name: TaskMemory(self.world.now) for name in desired.tasks} | dict(self.memory.tasks)
        self.memory = replace(self.memory, hosts=kept, runs=runs, tasks=tasks, whole=whole)


def _learned(known: RunMemory | None, report: RunReport, place: Place) -> RunMemory:
    base = known or RunMemory(report.name, place, report.lease)
    result = Result(State.VOID) if report.void else report.result
    if base.collected and base.result and result:
        result = base.result  # what was read stands
    return replace(
        base,
        agent=base.agent or report.agent,
        worktree=base.worktree or report.worktree,
        place=place,
        accepted=True,
        result=result,
        ended_at=report.ended_at,
        cleaned=report.done and not report.directory,
        collected=base.collected or (report.done and not report.directory),
    )
