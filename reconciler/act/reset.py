"""Empty a host's workspace, under the lease: one call."""

from reconciler.act.apply import GRACE, NUMBER, refusal
from reconciler.act.payload import head
from reconciler.errors import HeldBack, LeaseLost, ReconcilerError
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.observed import Seen
from reconciler.remote.transport import Remote, Unknown


def number_for(sight: Seen, ledger: str, number: int) -> tuple[int, bool]:
    """The number to hold a host with that showed `sight`, and whether it begins a new epoch; `number`: the present."""
    mark = sight.lease
    foreign = mark is not None and (mark.ledger != ledger or mark.number > number)
    if not foreign and number:
        return number, False
    return max(number, mark.number if mark else 0) + 1, True


def reset_host(
    remote: Remote, host: Host, fleet: Fleet, ledger: str, number: int, revision: str, *, only: bool
) -> dict[str, int]:
    """What was removed, counted. Raises HeldBack while a run is active, LeaseLost, ReconcilerError."""
    fields = head(host, fleet, ledger, number, revision)
    reply = remote.call(host, "reset", fields, deadline=host.deadline + GRACE, only=only)
    if isinstance(reply, Unknown):
        raise ReconcilerError(f"{host.name}: {reply.why}; run it again, a second reset does no harm")
    if reply.code == 3:
        raise LeaseLost(f"{host.name}: {refusal(reply)}; run `reconciler reconcile` first to take the fleet")
    if reply.code == 5:
        raise HeldBack(f"{host.name}: {reply.sentence('error')}")
    if reply.code != 0:
        raise ReconcilerError(f"{host.name}: {refusal(reply)}")
    pairs = (line.split("=", 1) for line in reply.text("removed").splitlines() if "=" in line)
    return {key: int(value) for key, value in pairs if NUMBER.match(value)}
