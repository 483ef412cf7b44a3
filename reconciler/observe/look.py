"""Ask one host for its report: one round trip, nothing written there."""

from collections.abc import Callable, Collection

from reconciler.model.host import Host
from reconciler.model.observed import Seen, Unseen
from reconciler.observe.parse import parse_report
from reconciler.remote.frames import Fields
from reconciler.remote.transport import Remote, Unknown


def question(host: Host, programs: Collection[str] = ()) -> tuple[str, Fields]:
    """The verb and the fields that a host is asked with."""
    fields = [("root", host.workspace_root), ("prelude", host.shell_prelude if programs else "")]
    return "observe", (*fields, *([("programs", " ".join(programs))] if programs else ()))


def look(
    remote: Remote,
    host: Host,
    *,
    fleet_id: str,
    only: bool,
    clock: Callable[[], float],
    programs: Collection[str] = (),
) -> Seen | Unseen:
    """The host's report, or why there is none. `only`: it is the fleet's only host (a local one needs to know).

    `programs` are looked for on the PATH that workers get.
    """
    asked_at = clock()
    verb, fields = question(host, programs)
    reply = remote.call(host, verb, fields, deadline=host.deadline, repeatable=True, only=only)
    if isinstance(reply, Unknown):
        return Unseen(reply.why, denied=reply.denied)
    if reply.code != 0:
        return Unseen(reply.sentence("error") or f"refused with code {reply.code}")
    return parse_report(dict(reply.frames), fleet_id=fleet_id, now=clock(), asked_at=asked_at)
