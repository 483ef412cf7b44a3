"""One call per host: its changes → what became of each, and the host's report from under the same lock."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.act.payload import Launch, head, operations
from reconciler.act.worker import checks
from reconciler.model.change import Action, Answer, Change, Outcome
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.observed import LeaseMark
from reconciler.model.task import Qa
from reconciler.remote import scripts
from reconciler.remote.frames import Answer as Reply
from reconciler.remote.transport import Remote, Unknown

NUMBER = re.compile(r"[0-9]{1,15}\Z")  # of a lease
GRACE = 15.0  # seconds beyond the host's deadline for calls that write: a slow disk is no lost connection

# The words of docs/protocol.md that mean the change is as good as done.
DONE = {
    Action.SETTLE: {"void", "lost", "settling", "alive", "already", "absent"},
    Action.CANCEL: {"canceling", "canceled", "void", "already", "absent"},
    Action.LAUNCH: {"accepted"},
    Action.CLEANUP: {"removed", "already"},
}
TREE_DONE = {"removed", "removing", "already"}  # of a worktree that is cleaned up
SUPERVISED = {Action.LAUNCH, Action.SETTLE, Action.CANCEL}  # what may start a supervisor, or a reaper
GOING = "going"  # an earlier call's removal of it is under way: that call has told of it, or nobody knows yet


@dataclass(frozen=True, slots=True)
class Warrant:
    """What a changing call is done under: the lease and the commit."""

    fleet: Fleet
    ledger: str
    number: int
    revision: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcomes; the frames of a fresh report (None when unknown or refused); who holds the lease if not we."""

    outcomes: tuple[Outcome, ...] = ()
    frames: Mapping[str, bytes] | None = None
    holder: LeaseMark | None = None
    why: str = ""  # why there is no report
    doorbell: bool = False  # refused because the other controller's doorbell channel is open: it is alive

    def worded(self, hide: Callable[[str], str]) -> "Applied":
        """Takes what hides secrets; returns the same without those that a host gave back in its words."""
        outcomes = (o if o.answer is Answer.OK else replace(o, note=hide(o.note)) for o in self.outcomes)
        return replace(self, outcomes=tuple(outcomes), why=hide(self.why))


def apply(
    remote: Remote,
    host: Host,
    workspace_id: str,
    changes: Sequence[Change],
    warrant: Warrant,
    directories: Mapping[str, str],
    launches: Mapping[str, Launch],
) -> Applied:
    """Do `changes` on `host` in one call. An answer that did not arrive makes every outcome unknown.

    `workspace_id`: of the workspace that they were decided on; another one refuses.
    """
    fields = head(host, warrant.fleet, warrant.ledger, warrant.number, warrant.revision)
    fields.append(("workspace_id", workspace_id))
    if any(change.action in SUPERVISED for change in changes):
        fields.append(("supervisor", scripts.supervisor()))
    workers = [(launch.task, launch.worker) for launch in launches.values() if launch.worker]
    if workers:
        fields.append(("project_script", scripts.project()))
    if any(checks(task, worker.project) != Qa() for task, worker in workers):
        fields.append(("qa_script", scripts.qa()))
    fields += operations(changes, directories, launches, host, warrant.fleet, warrant.revision)
    verbs = frozenset("worktree" if change.worktree else change.action.value for change in changes)
    reply = remote.call(host, "act", fields, deadline=host.deadline + GRACE, operations=verbs)
    if isinstance(reply, Unknown):
        return Applied(tuple(Outcome(change, Answer.UNKNOWN, reply.why) for change in changes), why=reply.why)
    refused = refusal(reply)
    if refused:
        holder = lease_of(reply)
        return Applied(tuple(Outcome(change, Answer.FAILED, refused) for change in changes), holder=holder, why=refused)
    outcomes = (_outcome(change, reply) for change in changes)
    return Applied(tuple(outcome for outcome in outcomes if outcome), dict(reply.frames))


def take(remote: Remote, host: Host, warrant: Warrant, *, rename_from: str = "", take_over: bool = False) -> Applied:
    """Take the lease on `host` with the warrant's number; the report is in `frames` when it was granted."""
    fields = head(host, warrant.fleet, warrant.ledger, warrant.number, warrant.revision)
    fields += [("rename_from", rename_from), ("take_over", "1" if take_over else "0")]
    reply = remote.call(host, "take", fields, deadline=host.deadline)
    if isinstance(reply, Unknown):
        return Applied(why=reply.why)
    refused = refusal(reply)
    if refused:
        return Applied(holder=lease_of(reply), why=refused, doorbell="holder" in dict(reply.frames))
    return Applied(frames=dict(reply.frames))


def refusal(reply: Reply) -> str:
    """Why a host refused the whole call; empty when it did not."""
    if reply.code == 0:
        return ""
    said = reply.sentence("error") or reply.sentence("workspace") or reply.sentence("lease")
    reasons = {3: "the lease is held by another controller", 4: "the workspace belongs to somebody else"}
    return f"{reasons.get(reply.code, f'refused with code {reply.code}')}{': ' + said if said else ''}"


def lease_of(reply: Reply) -> LeaseMark | None:
    """Who holds the lease, from the answer to a call that was refused by it; number 0 of nobody when none is there."""
    if reply.code != 3:
        return None
    number, _, ledger = reply.sentence("lease").partition(";")
    return LeaseMark(int(number), ledger) if NUMBER.match(number) and ledger else LeaseMark(0, "")


def _outcome(change: Change, reply: Reply) -> Outcome | None:
    name = change.worktree.rpartition("/")[2]
    frame = f"worktree/{name}" if name else f"{change.action.value}/{change.run}"
    word, _, sentence = reply.sentence(frame).partition(" ")
    if not word:
        return Outcome(change, Answer.UNKNOWN, "the host did not say what became of it")
    if name and word == GOING:
        return None
    if word in (TREE_DONE if name else DONE[change.action]):
        return Outcome(change, Answer.OK, word)
    if word == "failed" and sentence:
        return Outcome(change, Answer.FAILED, sentence)
    return Outcome(change, Answer.FAILED, f"{word}: {sentence}" if sentence else word)
