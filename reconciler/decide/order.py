"""In which order tasks are looked at: priority, then age, then name."""

from reconciler.decide.scene import Scene
from reconciler.model.task import Priority, Task


def in_order(scene: Scene) -> list[Task]:
    """Takes a scene; returns its open tasks, the one that may start first in front."""
    urgency = borrowed(scene)

    def rank(task: Task) -> tuple[int, float, str]:
        known = scene.memory.tasks.get(task.name)
        return (-urgency[task.name], known.first_seen_at if known else scene.now, task.name)

    return sorted((task for task in scene.desired.tasks.values() if not task.closed), key=rank)


def borrowed(scene: Scene) -> dict[str, Priority]:
    """Takes a scene; returns each task's priority, a dependency having the highest of its open dependents."""
    tasks = scene.desired.tasks
    given: dict[str, Priority] = {}
    for task in sorted(tasks.values(), key=lambda task: (-task.priority, task.name)):
        lenders = [task.name]
        while lenders:  # highest first, so whoever has one already has enough
            name = lenders.pop()
            if name in given or name not in tasks:
                continue
            given[name] = task.priority
            if not tasks[name].closed:
                lenders.extend(tasks[name].depends_on)
    return given
