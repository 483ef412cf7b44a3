"""Reports that are well formed and cannot be true: believed, they would stop the work of others or repeat it. Pure."""

from collections.abc import Mapping

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
    return borrowed(desired, memory, looks).get(name, "")


def borrowed(desired: Desired, memory: Memory, looks: Mapping[str, Seen | Unseen]) -> dict[str, str]:
    """Takes what is known; returns hosts that show another one's workspace, with the sentence for each.

    That one is declared where it was, and shows no other itself. What shows elsewhere is a copy, or a lie: to believe
    what it says of the work there would be to start that work again.
    """
    owners = {}
    for key, kept in memory.hosts.items():
        host, look, workspace = desired.hosts.get(key), looks.get(key), kept.place.workspace_id
        at_home = not isinstance(look, Seen) or look.workspace_id == workspace
        if workspace and host and not host.gone and host.place.door == kept.place.door and at_home:
            owners[workspace] = key
    return {
        key: shares(owners[look.workspace_id])
        for key, look in looks.items()
        if isinstance(look, Seen) and owners.get(look.workspace_id, key) != key
    }


def shares(key: str) -> str:
    """Takes the host that a workspace belongs to; returns what is said of another one that shows it."""
    return f"shares its workspace with {key}: set workspaceRoot to a local disk"
