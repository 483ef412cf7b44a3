"""What people commit meanwhile, by kind; each is one commit."""

from collections.abc import Callable
from contextlib import suppress

from tests.chaos.work import SCRIPTS
from tests.chaos.world import World

EDITS: dict[str, Callable[[World], None]] = {}


def edit(work: Callable[[World], None]) -> Callable[[World], None]:
    """Register it under the words of its name."""
    EDITS[work.__name__.strip("_").replace("_", " ")] = work
    return work


def _any(world: World) -> str:
    return world.dice.choice(sorted(world.tasks))


def _change(world: World, name: str, **keys: object) -> None:
    """Set keys of a task; None takes one away."""
    spec = {**world.tasks[name], **keys}
    world.put(name, {key: value for key, value in spec.items() if value is not None})


@edit
def add_tasks(world: World) -> None:
    for _ in range(2):
        world.add(world.dice.choice(sorted(SCRIPTS)))


@edit
def edit_a_task(world: World) -> None:
    name = _any(world)
    _change(world, name, env={"NUMBER": str(world.dice.randrange(10**6))})


@edit
def edit_and_go_back(world: World) -> None:
    """What it was before is done, or still on its way."""
    name = _any(world)
    before = world.tasks[name]
    _change(world, name, env={"NUMBER": "1"})
    world.commit("edit")
    world.put(name, before)


@edit
def rerun_a_task(world: World) -> None:
    name = _any(world)
    _change(world, name, rerun=str(world.names))
    world.names += 1


@edit
def close_a_task(world: World) -> None:
    _change(world, _any(world), state="closed")


@edit
def reopen_all(world: World) -> None:
    for name, spec in list(world.tasks.items()):
        if spec.get("state") or spec.get("suspend"):
            _change(world, name, state=None, suspend=None)


@edit
def suspend_a_task(world: World) -> None:
    _change(world, _any(world), suspend=world.dice.choice([True, {"cancel": True}]))


@edit
def delete_a_task(world: World) -> None:
    needed = {name for spec in world.tasks.values() for name in spec.get("dependsOn", ())}
    names = sorted(set(world.tasks) - needed)
    if len(names) > 8:
        world.take_away(world.dice.choice(names))


@edit
def restore_a_task(world: World) -> None:
    if world.gone:
        name = world.dice.choice(sorted(world.gone))
        spec = world.gone.pop(name)
        world.put(name, {key: value for key, value in spec.items() if key != "dependsOn"})


@edit
def break_a_file(world: World) -> None:
    name = _any(world)
    world.fleet.write(f"tasks/{name}.yaml", world.dice.choice(["{", "apiVersion: reconciler/v1\nkind: Task\n", ""]))


def mend_all(world: World) -> None:
    """Every file says again what it shall say, and every task is open."""
    reopen_all(world)
    for name, spec in world.tasks.items():
        world.put(name, spec)
    world.commit("mend")


def edit_once(world: World) -> str:
    """One edit and its commit; its name."""
    with world.edits:
        name = world.dice.choice(sorted(EDITS))
        EDITS[name](world)
        world.commit(name)
    with suppress(OSError):
        world.note(f"edit: {name}")
    return name
