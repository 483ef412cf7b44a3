"""What `host check` asks: each step of the way to a host, and what is on it."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.model.host import Host, Transport
from reconciler.observe import gate
from reconciler.observe.needs import Needs
from reconciler.observe.parse import parse_facts
from reconciler.remote.gate import SAYS
from reconciler.remote.transport import Remote, Unknown
from reconciler.remote.why import clean

PATIENCE = 30.0  # seconds beyond the host's deadline for agents' programs, which are slow to say who they are
MOST = 200  # lines of checks that a host may send
NOTHING = Needs()


@dataclass(frozen=True, slots=True)
class Check:
    """One step. `ok` False is a failure; `warning` is told and does not fail."""

    host: str
    name: str
    ok: bool
    why: str
    warning: bool = False


def check_host(
    remote: Remote,
    host: Host,
    *,
    fleet_id: str,
    only: bool,
    direct: bool,
    clock: Callable[[], float],
    needs: Needs = NOTHING,
) -> list[Check]:
    """All steps in order, up to the first that makes the next ones impossible.

    `needs`: what the work that may come to this host asks for.
    `direct`: addresses are names and ports of the network, no aliases of the user's ssh configuration.
    """
    checks: list[Check] = []
    if host.transport is Transport.SSH and not host.proxy_jump and direct:
        found = _name_and_port(host)
        checks += found
        if not all(check.ok for check in found):
            return checks
    began = clock()
    fields: list[tuple[str, bytes | str]] = [("root", host.workspace_root), ("prelude", host.shell_prelude)]
    fields += needs.fields
    deadline = host.deadline + (PATIENCE if needs.programs or needs.forges else 0)
    reply = remote.call(host, "check", fields, deadline=deadline, repeatable=True, only=only)
    ended = clock()
    if isinstance(reply, Unknown):
        return [*checks, Check(host.name, "gate" if reply.why.startswith(SAYS) else "login", False, reply.why)]
    checks.append(Check(host.name, "login", True, f"answered in {ended - began:.2f} s"))
    if host.transport is Transport.SSH:
        checks += [_key(host, remote), Check(host.name, "gate", *gate.verdict(remote, host, reply))]
    if reply.code != 0:
        return [*checks, Check(host.name, "workspace", False, reply.sentence("error"))]
    for line in reply.text("checks").split("\n")[:MOST]:
        verdict, _, rest = line.partition(" ")
        name, _, why = rest.partition(" ")
        if name:
            checks.append(Check(host.name, clean(name, 80), verdict != "fail", clean(why), warning=verdict == "warn"))
    checks += _workspace(host, reply.text("workspace"), fleet_id, began, ended)
    checks.append(_disk(host, reply.first("facts") or b""))
    return checks


def _key(host: Host, remote: Remote) -> Check:
    if host.host_keys:
        return Check(host.name, "key", True, "one of hostKeys")
    found = remote.accepted_keys(host)
    if not found:
        return Check(host.name, "key", True, "known to your own ssh configuration")
    return Check(host.name, "key", True, f"accepted at the first contact; to pin it: `hostKeys: [{found[0]}]`", True)


def _name_and_port(host: Host) -> list[Check]:
    try:
        addresses = socket.getaddrinfo(host.address, host.port or 22, type=socket.SOCK_STREAM)
    except OSError as problem:
        return [Check(host.name, "name", False, f"{host.address} does not resolve: {problem.strerror or problem}")]
    found = [Check(host.name, "name", True, f"{host.address} is {addresses[0][4][0]}")]
    try:
        with socket.create_connection((host.address, host.port or 22), timeout=host.deadline):
            pass
    except OSError as problem:
        why = f"port {host.port or 22} does not answer: {problem.strerror or problem}"
        return [*found, Check(host.name, "port", False, why)]
    return [*found, Check(host.name, "port", True, f"port {host.port or 22} answers")]


def _workspace(host: Host, text: str, fleet_id: str, began: float, ended: float) -> list[Check]:
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    fleet, _, name = pairs.get("fleet", "").partition(";")
    if fleet and fleet != fleet_id:
        ours = Check(host.name, "workspace", False, f"belongs to fleet {name}: set another workspaceRoot")
    elif fleet:
        ours = Check(host.name, "workspace", True, f"{host.workspace_root} is this fleet's, named {pairs.get('name')}")
    else:
        ours = Check(host.name, "workspace", True, f"{host.workspace_root} will be made with the first launch")
    checks = [ours]
    try:
        skew = float(pairs["now"]) - (began + ended) / 2
    except (KeyError, ValueError):
        return checks
    fine = abs(skew) < 60
    why = f"differs by {skew:+.0f} s" + ("" if fine else ": times shown for runs are this host's; set its clock")
    return [*checks, Check(host.name, "clock", True, why, warning=not fine)]


def _disk(host: Host, frame: bytes) -> Check:
    free = parse_facts(frame).disk_free
    if free is None:
        return Check(host.name, "disk", True, "the host could not tell how much is free", warning=True)
    enough = free >= host.min_free
    why = f"{free / (1 << 30):.1f} GiB free" + ("" if enough else ", less than minFree: nothing new starts there")
    return Check(host.name, "disk", enough, why)
