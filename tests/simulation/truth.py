"""What really happens on all hosts together, and every promise that it breaks."""

from collections import Counter
from dataclasses import dataclass, field

from reconciler.model.run import RunName

Step = tuple[str, str]  # task, digest


@dataclass
class Truth:
    """Nobody in the simulation reads it but the judges. `violations` are sentences; empty is what is promised."""

    violations: list[str] = field(default_factory=list)
    executions: Counter[RunName] = field(default_factory=Counter)  # how often a worker of it began
    living: Counter[RunName] = field(default_factory=Counter)  # workers alive now
    succeeded: set[Step] = field(default_factory=set)
    sent: set[RunName] = field(default_factory=set)
    unknowable: set[RunName] = field(default_factory=set)  # started again by somebody who could not know of them
    namesakes: set[RunName] = field(default_factory=set)  # those of which two lay somewhere, one after the other
    results: dict[RunName, tuple[str, str]] = field(
        default_factory=dict
    )  # -> what its host recorded, in which workspace
    overlaps_allowed: frozenset[str] = frozenset()  # tasks whose `replaceAfter` asks for another attempt meanwhile
    faults: Counter[str] = field(default_factory=Counter)  # by kind
    boundaries: int = 0  # effects at which a controller could have been killed

    def violation(self, text: str) -> None:
        """A promise is broken."""
        self.violations.append(text)

    def begins(self, run: RunName, where: str) -> None:
        """A worker of `run` starts on `where`."""
        self.living[run] += 1
        if run in self.unknowable:
            return
        self.executions[run] += 1
        if self.executions[run] > 1:
            self.violation(f"{run} is executed a second time, on {where}")
        if run[:2] in self.succeeded:
            self.violation(f"{run} is executed on {where} although its step has Succeeded")
        for other, count in self.living.items():
            if other in self.unknowable:
                continue
            if count and other.task == run.task and other != run and run.task not in self.overlaps_allowed:
                self.violation(f"{run} is executed on {where} while {other} lives")

    def ends(self, run: RunName) -> None:
        """A worker of `run` is gone."""
        self.living[run] -= 1

    def recorded(self, run: RunName, text: str, workspace: str) -> None:
        """A host records how `run` ended."""
        before = self.results.get(run)
        if before and before[1] == workspace and before[0] != text:
            self.violation(f"the result of {run} was {before[0]} and becomes {text}")
        self.results[run] = text, workspace
        if text.startswith("state=succeeded"):
            self.succeeded.add(run[:2])

    def wiped(self, workspace: str) -> None:
        """All that a workspace said is gone: no result of it is to be found any more."""
        self.results = {run: said for run, said in self.results.items() if said[1] != workspace}
