"""Reports that are well formed and cannot be true: believed, they would stop the work of others or repeat it. Pure."""

from collections.abc import Iterable, Mapping

from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Seen, Unseen

LEAP = 10**9  # lease numbers grow by one for each controller that takes the fleet


def doubt(desired: Desired, memory: Memory, looks: Mapping[str, Seen | Unseen], name: str) -> str:
    """Takes what is known, and the reports, of which that of `name` is new; returns why that one cannot be believed.

    Empty: it can. A number that no controller can have reached would leave none for anybody else.
    """
    look = looks[name]
    if isinstance(look, Seen) and look.lease and look.lease.number > memory.number + LEAP:
        return (
            f"its lease number is {look.lease.number}, which no controller can have reached "
            f"(the last one known here is {memory.number}): see who wrote _/lease in its workspace, and remove it"
        )
    return borrowed(desired, memory, looks, [name]).get(name, "")


def borrowed(
    desired: Desired, memory: Memory, looks: Mapping[str, Seen | Unseen], among: Iterable[str] | None = None
) -> dict[str, str]:
    """Takes what is known; returns hosts (of `among`, when given) that show another one's workspace, and the sentences.

    That one is declared where it was, and shows no other itself. What shows elsewhere is a copy, or a lie: to believe
    what it says of the work there would be to start that work again.
    """
    sights = ((key, looks[key]) for key in (looks if among is None else among))
    shown = {key: look.workspace_id for key, look in sights if isinstance(look, Seen)}
    asked, owners = set(shown.values()), {}
    for key, kept in memory.hosts.items():
        workspace = kept.place.workspace_id
        if not workspace or workspace not in asked:
            continue
        host, look = desired.hosts.get(key), looks.get(key)
        at_home = not isinstance(look, Seen) or look.workspace_id == workspace
        if host and not host.gone and host.place.door == kept.place.door and at_home:
            owners[workspace] = key
    return {key: shares(owners[workspace]) for key, workspace in shown.items() if owners.get(workspace, key) != key}


def shares(key: str) -> str:
    """Takes the host that a workspace belongs to; returns what is said of another one that shows it."""
    return f"shares its workspace with {key}: set workspaceRoot to a local disk"
