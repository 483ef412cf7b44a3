"""How to start something on a host: through a door for ssh, or on this very machine."""

import socket
from dataclasses import dataclass

from reconciler.model.host import Host, Transport
from reconciler.remote.ssh import Door, Settings, Unreachable, door


@dataclass(frozen=True, slots=True)
class Way:
    """`door` None: the host is this machine."""

    host: Host
    door: Door | None

    @property
    def key(self) -> str:
        """Changes with anything written about the way; empty for this machine."""
        return self.door.key if self.door else ""


class Ways:
    """The ways to all hosts, as seen from here."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._alone: dict[str, bool] = {}

    def to(self, host: Host, only: bool | None) -> Way:
        """The way to `host`. `only`: there is no other one (None: as said before).

        Raises Unreachable for a local host that is not this machine, and for what ssh must not see.
        """
        if host.transport is not Transport.LOCAL:
            return Way(host, door(host, self._settings))
        if only is not None:
            self._alone[host.name] = only
        here = socket.gethostname()
        if host.address in (here, here.partition(".")[0]) or (not host.address and self._alone.get(host.name)):
            return Way(host, None)
        if host.address:
            raise Unreachable(f"transport is local and address is {host.address}, but this machine is {here}")
        raise Unreachable(
            f"transport is local and there are other hosts: set address to {here} if this machine is meant"
        )
