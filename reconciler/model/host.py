"""A machine that runs workers, and the place on it where they live."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.problem import Source

GIB = 1 << 30


class Transport(StrEnum):
    """How a host is reached."""

    SSH = "ssh"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Drain:
    """Nothing new; what runs may finish for `deadline` seconds (None: for ever), then goes elsewhere."""

    deadline: int | None = 3600


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run was sent: enough to find it again when no Host names the place any more."""

    host: str
    transport: Transport
    address: str
    user: str
    port: int | None
    workspace_root: str
    workspace_id: str = ""  # random, made with the workspace; empty when it was never taken

    @property
    def door(self) -> tuple[str, str, str, int, str]:
        """What makes two places the same before anybody has looked inside."""
        return (self.transport, self.address, self.user, self.port or 22, self.workspace_root)


@dataclass(frozen=True, slots=True)
class Reach:
    """How a place is talked to, as the document said that last named it."""

    identity_file: str = ""
    host_keys: tuple[str, ...] = ()
    deadline: float = 15.0
    proxy_jump: str = ""
    ssh_options: Mapping[str, str] = field(default_factory=dict)
    shell_prelude: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """A Host document with the fleet's defaults filled in."""

    name: str
    transport: Transport = Transport.SSH
    address: str = ""
    user: str = ""
    port: int | None = None  # None: not written; 22, or what the user's own ssh configuration says
    identity_file: str = ""
    host_keys: tuple[str, ...] = ()
    deadline: float = 15.0  # seconds to answer
    min_free: int = 2 * GIB  # bytes free on the workspace's disk below which nothing new starts
    proxy_jump: str = ""
    ssh_options: Mapping[str, str] = field(default_factory=dict)
    workspace_root: str = "~/.reconciler"
    shell_prelude: str = 'PATH="$HOME/.local/bin:$HOME/bin:$PATH"'
    slots: int = 4
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cordon: bool = False
    drain: Drain | None = None
    gone: bool = False
    source: Source = Source("")
    former: bool = False  # a place on the books that no Host document names any more

    @property
    def place(self) -> Place:
        """The place this document names, before its workspace id is known."""
        return Place(self.name, self.transport, self.address, self.user, self.port, self.workspace_root)

    @property
    def reach(self) -> Reach:
        """What is kept of this document for when no document names its place any more."""
        return Reach(
            self.identity_file, self.host_keys, self.deadline, self.proxy_jump, self.ssh_options, self.shell_prelude
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a host said of itself; bytes and seconds; None where it could not tell."""

    boot_id: str = ""
    hostname: str = ""
    uptime: float | None = None
    load1: float | None = None
    memory_free: int | None = None
    swap_free: int | None = None
    disk_free: int | None = None
    inodes_free: int | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, bool] = field(
        default_factory=dict
    )  # agents' programs that were asked for: is it on the PATH?
