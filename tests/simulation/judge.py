"""What a controller may send at all, judged when it sends it."""

from typing import TYPE_CHECKING

from reconciler.model.desired import Desired
from reconciler.model.fleet import Suspend
from reconciler.model.host import Host
from reconciler.model.run import RunName, State
from reconciler.observe.parse import run_name
from tests.simulation.machine import Workspace
from tests.simulation.protocol import Fields, operations, texts
from tests.simulation.truth import Launch

if TYPE_CHECKING:
    from tests.simulation.controller import Controller

DOES = frozenset({"launch", "cancel", "cleanup", "worktree"})


def permitted(controller: "Controller", host: Host, verb: str, fields: Fields) -> None:
    """Judge a call that changes something: what may not be sent breaks a promise whether it arrives or not."""
    machine = controller.world.addresses.get(host.address)
    space = machine.space(host.workspace_root) if machine else Workspace()
    called = dict(texts(fields))
    desired = controller.world.origin.commits[called["revision"]].desired
    for operation, path, given in operations(texts(fields)):
        if operation in DOES and _behind(controller, space):
            _violates(controller, f"acts on {host.name} at an older commit than was acted on there")
        name = run_name(path.rpartition("/")[2])
        if name and operation == "launch":
            _launch(controller, desired, host, name)
            _sent(controller, desired, name, given["mark"], called["workspace_id"])
        elif name and operation == "cleanup":
            _cleanup(controller, desired, host, name, space, path)


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


def _sent(controller: "Controller", desired: Desired, name: RunName, mark: str, workspace: str) -> None:
    """Keep what its sender could know: its ledger, and every place that its commit or its books name."""
    assert controller.process
    engine, world = controller.process.engine, controller.world
    runs = engine.world.ledger.memory().runs.values()
    places = [host for host in {**desired.hosts, **engine.hosts.all()}.values() if not host.gone]
    machines = [(world.addresses.get(host.address), host.workspace_root) for host in places]
    world.truth.sent[mark] = Launch(
        len(world.truth.sent),
        name,
        workspace,
        frozenset(machine.space(root).id for machine, root in machines if machine),
        frozenset((run.name, run.place.workspace_id) for run in runs if run.accepted),
        frozenset(run.name[:2] for run in runs if run.result and run.result.state is State.SUCCEEDED),
        frozenset((run.name, run.place.workspace_id) for run in runs if run.result and run.result.reason == "HostGone"),
    )


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
