"""What happened since a request began, and the exit code that it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.errors import Exit
from reconciler.model.change import Action, Answer, Change, Outcome, Plan
from reconciler.model.desired import Desired
from reconciler.model.fleet import Suspend
from reconciler.model.problem import Severity
from reconciler.model.report import Report
from reconciler.model.run import ENDED, State

NAMES = {
    Exit.OK: "ok",
    Exit.ERROR: "invalid",
    Exit.CHANGES: "changes",
    Exit.PARTIAL: "partial",
    Exit.HELD: "held",
    Exit.TASK_FAILED: "task-failed",
    Exit.TIMEOUT: "timeout",
}


@dataclass
class Tally:
    """Outcomes in the order in which they became known; the last word on a change counts."""

    waiting: bool = False
    selector: Mapping[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Note an outcome; a change that was tried again keeps only its last one."""
        key = _key(outcome.change)
        for index, earlier in enumerate(self.outcomes):
            if _key(earlier.change) == key:
                self.outcomes[index] = outcome
                return
        self.outcomes.append(outcome)

    def report(self, desired: Desired, plan: Plan, *, timed_out: bool = False) -> Report:
        """Everything so far as a Report."""
        code = self._exit(desired, plan, timed_out)
        return Report(
            revision=desired.revision,
            plan=plan,
            outcomes=tuple(self.outcomes),
            problems=desired.problems,
            exit_code=int(code),
            exit_name=NAMES[code],
            refused=desired.refused,
        )

    def _exit(self, desired: Desired, plan: Plan, timed_out: bool) -> Exit:
        """The first that applies, in the order of the contract."""
        if timed_out:
            return Exit.TIMEOUT
        if plan.held:
            return Exit.HELD
        if plan.unreachable or self._undone(plan):
            return Exit.PARTIAL
        if self.waiting and any(self._failed(name, desired, plan) for name in desired.tasks):
            return Exit.TASK_FAILED
        if desired.refused or any(problem.severity is Severity.ERROR for problem in desired.problems):
            return Exit.ERROR
        return Exit.OK

    def _undone(self, plan: Plan) -> bool:
        """Whether an action failed and was not made good, or nobody knows of it and it still seems to be needed."""
        wanted = {_aim(change) for change in plan.changes}
        answers = {_aim(outcome.change): outcome.answer for outcome in self.outcomes}
        unknown = {aim for aim, answer in answers.items() if answer is Answer.UNKNOWN}
        return Answer.FAILED in answers.values() or bool(unknown & wanted)

    def _failed(self, name: str, desired: Desired, plan: Plan) -> bool:
        """An open task, not suspended, that ended other than Succeeded or waits for a person."""
        task, status = desired.tasks[name], plan.statuses.get(name)
        if task.closed or task.suspend is not Suspend.NO or desired.fleet.suspend is not Suspend.NO:
            return False
        if not matches(task.labels, self.selector) or status is None:
            return False
        if any(wait.task == name and wait.person for wait in plan.waits):
            return True
        return status.state in ENDED and status.state is not State.SUCCEEDED


def _key(change: Change) -> tuple[Action, str, str]:
    return change.action, change.worktree or change.run, change.host


def _aim(change: Change) -> tuple[Action, str]:
    """What a change is for: a launch that failed is made good by the task's next one, wherever that is."""
    return change.action, change.task if change.action is Action.LAUNCH else change.worktree or change.run


def matches(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    """Whether every label of the selector is there with its value; an empty selector matches."""
    return all(labels.get(key) == value for key, value in selector.items())
