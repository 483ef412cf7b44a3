"""What a controller may send at all, judged when it sends it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.model.desired import Desired
from reconciler.model.fleet import Suspend
from reconciler.model.host import Host
from reconciler.model.run import RunName, State
from reconciler.observe.parse import run_name
from tests.simulation.machine import Workspace
from tests.simulation.truth import Step

if TYPE_CHECKING:
    from tests.simulation.controller import Controller

DOES = frozenset({"launch", "cancel", "cleanup", "worktree"})


def permitted(controller: "Controller", host: Host, verb: str, fields: Sequence[tuple[str, bytes | str]]) -> None:
    """Judge a call that changes something: what may not be sent breaks a promise whether it arrives or not."""
    machine = controller.world.addresses.get(host.address)
    space = machine.space(host.workspace_root) if machine else Workspace()
    desired = controller.world.origin.commits[str(dict(fields)["revision"])].desired
    for key, value in fields:
        if key in DOES and _behind(controller, space):
            _violates(controller, f"acts on {host.name} at an older commit than was acted on there")
        name = run_name(str(value).rpartition("/")[2]) if key in DOES else None
        if name and key == "launch":
            _launch(controller, desired, host, name)
        elif name and key == "cleanup":
            _cleanup(controller, desired, host, name, space, str(value))


def overtaken(controller: "Controller", space: Workspace, before: str) -> None:
    """A lease was taken where commit `before` was acted on: the taker may be behind."""
    assert controller.process
    space.overtaken = "" if before in controller.process.engine.world.ledger.own_revisions() else before


def _behind(controller: "Controller", space: Workspace) -> bool:
    assert controller.process
    ours = space.lease is not None and space.lease[1] == controller.process.engine.world.ledger.id
    here = controller.process.engine.desired.revision
    older = bool(space.overtaken) and not controller.world.origin.contains(space.overtaken, here)
    return ours and older and not controller.allow_prune


def _launch(controller: "Controller", desired: Desired, host: Host, name: RunName) -> None:
    task = desired.tasks.get(name.task)
    if task is None or task.closed or task.suspend != Suspend.NO or desired.fleet.suspend != Suspend.NO:
        _violates(controller, f"launches {name}, whose task is not open at its commit")
    if host.cordon or host.drain or host.gone or host.former:
        _violates(controller, f"launches {name} on {host.name}, which is closed at its commit")
    world, (known, succeeded) = controller.world, _evidence(controller, desired)
    if name not in known:
        world.truth.executions.pop(name, 0)
        if name in world.truth.sent:
            world.truth.namesakes.add(name)
        if any(
            run.name == name
            for one in world.addresses.values()
            for space in one.spaces.values()
            for run in space.runs.values()
        ):
            world.truth.unknowable.add(name)  # it lies where no document and no book of this controller leads
    lying = {
        run.name for one in world.addresses.values() for space in one.spaces.values() for run in space.runs.values()
    }
    if any(other.task == name.task and other not in known for other in lying):
        world.truth.overlaps_allowed |= {name.task}  # another attempt lies where nothing leads this controller
    if name[:2] not in succeeded:
        world.truth.succeeded.discard(name[:2])
    world.truth.sent.add(name)


def _evidence(controller: "Controller", desired: Desired) -> tuple[set[RunName], set[Step]]:
    """Runs that this controller could know of, and steps that could be known to have Succeeded: from its ledger, or
    from a host that is declared or on its books. Of what was wiped before anybody saw it nobody can know."""
    assert controller.process
    engine = controller.process.engine
    known, succeeded = set[RunName](), set[Step]()
    for run in engine.world.ledger.memory().runs.values():
        if run.accepted:
            known.add(run.name)
        if run.result and run.result.state is State.SUCCEEDED:
            succeeded.add(run.name[:2])
    for host in [host for host in {**desired.hosts, **engine.hosts.all()}.values() if not host.gone]:
        machine = controller.world.addresses.get(host.address)
        for space in [machine.space(host.workspace_root)] if machine else ():
            said = [(run.name, run.text.get("result", "")) for run in space.runs.values()]
            said += [(name, text) for done, (text, _) in space.done.items() if (name := run_name(done))]
            known |= {name for name, _ in said}
            succeeded |= {name[:2] for name, text in said if text.startswith("state=succeeded")}
    return known, succeeded


def _cleanup(
    controller: "Controller", desired: Desired, host: Host, name: RunName, space: Workspace, path: str
) -> None:
    if name.task in desired.tasks and not host.former:
        _violates(controller, f"removes {name}, whose task is in git")
    if not desired.complete:
        _violates(controller, f"removes {name} while it cannot read all names")
    run = space.runs.get(path)
    if run and "result" in run.records and not controller.state.shelf.has(str(name)):
        _violates(controller, f"removes {name}, whose result it does not have")


def _violates(controller: "Controller", what: str) -> None:
    controller.world.truth.violation(f"controller {controller.name} {what}")
