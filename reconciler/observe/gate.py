"""What `host check` says of the key that the controller comes with: is it bound to a gate, and does that hold?"""

from reconciler.errors import ReconcilerError
from reconciler.model.host import Host
from reconciler.remote.frames import Answer
from reconciler.remote.gate import missing
from reconciler.remote.transport import Remote, Unknown


def verdict(remote: Remote, host: Host, reply: Answer) -> tuple[bool, str, bool]:
    """Takes the answer to `check`; returns whether it is as it should be, a sentence, and whether that is a warning.

    The frame `gate` is there when a gate let the call in: its mode, then its list. Then every way past it is tried.
    """
    if reply.first("gate") is None:
        why = f"this key opens a shell there: `reconciler host gate {host.name}` binds it to reconciler's scripts alone"
        return True, why, True
    mode, _, listed = reply.text("gate").partition("\n")
    if unknown := missing(listed, mode):
        why = f"it does not know this version's {', '.join(unknown)}: `reconciler host gate {host.name}` renews it"
        return False, why, False
    try:
        attempts = remote.attempts(host)
    except ReconcilerError as error:
        return False, f"what else this key opens could not be tried: {error}", False
    if opened := [attempt.what for attempt in attempts if attempt.opened]:
        return False, f"the gate is there, but this key also opens {', '.join(opened)}: {_remedy(opened)}", False
    if untried := [attempt for attempt in attempts if not attempt.refused]:
        return True, f"whether this key opens {untried[0].what} could not be tried: {untried[0].why}", True
    tried = f"tried: {', '.join(attempt.what for attempt in attempts)}"
    if mode == "observe":
        return True, f"this key looks and changes nothing: no work is launched with it ({tried})", True
    return True, f"this key runs reconciler's scripts alone ({tried})", False


def unproven(remote: Remote, host: Host, mode: str) -> str:
    """Log in to `host`, as its document says, with a key that was bound; return why that did not come through a gate of
    this mode, empty when it did."""
    fields = [("root", host.workspace_root), ("prelude", host.shell_prelude)]
    reply = remote.call(host, "check", fields, deadline=host.deadline, repeatable=True)
    if isinstance(reply, Unknown):
        return reply.why
    found = reply.text("gate").partition("\n")[0]
    if not found:
        return "it opens a shell"
    return "" if found == mode else f"the gate lets it {found}"


def _remedy(opened: list[str]) -> str:
    if "variables that run code" in opened:
        return "take BASH_ENV, LD_* and patterns that match them out of AcceptEnv in its sshd_config"
    return "its line in authorized_keys has to begin with restrict,command="
