"""What really happens on all hosts together, and every promise that it breaks."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from reconciler.model.run import RunName

Step = tuple[str, str]  # task, digest


@dataclass(frozen=True)
class Launch:
    """A launch, and what its sender could know when it was sent: that is what it is judged by."""

    order: int  # the later of two is to blame
    run: RunName
    workspace: str  # where it is to start
    workspaces: frozenset[str]  # where its sender could look: what its commit or its books name
    accepted: frozenset[tuple[RunName, str]]  # on its ledger, and where
    succeeded: frozenset[Step]  # on its ledger
    given_up: frozenset[tuple[RunName, str]]  # on its ledger: a person declared their host gone

    def could_see(self, other: "Launch") -> bool:
        """Whether its sender could look where the other one is: a wiped workspace is nowhere."""
        return other.workspace in self.workspaces and (other.run, other.workspace) not in self.given_up

    def could_know(self, other: "Launch") -> bool:
        """Whether its sender could see the other one, or had it on its ledger."""
        return self.could_see(other) or (other.run, other.workspace) in self.accepted


@dataclass(eq=False)
class Execution:
    """A worker that began."""

    launch: Launch
    lives: bool = True
    succeeded: bool = False


@dataclass
class Truth:
    """Nobody in the simulation reads it but the judges. `violations` are sentences; empty is what is promised."""

    violations: list[str] = field(default_factory=list)
    sent: dict[str, Launch] = field(default_factory=dict)  # by mark
    executions: dict[str, list[Execution]] = field(default_factory=lambda: defaultdict(list))  # by task
    results: dict[RunName, tuple[str, str]] = field(default_factory=dict)  # what its host recorded, in which workspace
    overlaps_allowed: frozenset[str] = frozenset()  # tasks whose `replaceAfter` asks for another attempt meanwhile
    faults: Counter[str] = field(default_factory=Counter)  # by kind
    boundaries: int = 0  # effects at which a controller could have been killed

    def violation(self, text: str) -> None:
        """A promise is broken."""
        self.violations.append(text)

    @property
    def living(self) -> list[Execution]:
        """Workers alive now."""
        return [one for task in self.executions.values() for one in task if one.lives]

    def begins(self, mark: str, where: str) -> None:
        """The worker of a launch starts on `where`."""
        launch = self.sent[mark]
        for other in self.executions[launch.run.task]:
            if broken := self._broken(launch, other):
                self.violation(f"{launch.run} is executed on {where} {broken}")
        self.executions[launch.run.task].append(Execution(launch))

    def _broken(self, launch: Launch, other: Execution) -> str:
        first, last = sorted((launch, other.launch), key=lambda one: one.order)
        run = other.launch.run
        if other.succeeded and run[:2] == launch.run[:2] and (last.could_see(first) or run[:2] in last.succeeded):
            return f"although its step has Succeeded as {run}"
        if not last.could_know(first):
            return ""
        if run == launch.run:
            return "a second time"
        if other.lives and run.task not in self.overlaps_allowed:
            return f"while {run} lives"
        return ""

    def ends(self, mark: str) -> None:
        """A worker of that launch is gone."""
        next(one for one in self.living if one.launch is self.sent[mark]).lives = False

    def twins(self) -> set[RunName]:
        """Names that were given twice, the second time by somebody who could not know: a ledger tells of one."""
        launches = sorted(self.sent.values(), key=lambda one: one.order)
        return {
            launch.run
            for at, launch in enumerate(launches)
            for other in launches[:at]
            if other.run == launch.run and not launch.could_know(other)
        }

    def recorded(self, mark: str, text: str, workspace: str) -> None:
        """A host records how a run ended."""
        run = self.sent[mark].run
        before = self.results.get(run)
        if before and before[1] == workspace and before[0] != text:
            self.violation(f"the result of {run} was {before[0]} and becomes {text}")
        self.results[run] = text, workspace
        if text.startswith("state=succeeded"):
            for one in self.executions[run.task]:
                one.succeeded |= one.launch is self.sent[mark]

    def wiped(self, workspace: str) -> None:
        """All that a workspace said is gone: no result of it is to be found any more."""
        self.results = {run: said for run, said in self.results.items() if said[1] != workspace}
