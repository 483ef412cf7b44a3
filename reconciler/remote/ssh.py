"""How a host is reached: a configuration file of our own for each, and the command line that goes with it.

The file says only what was written in the fleet; with `--ssh-config` the user's file adds the rest. All data is in
files: of the command line, a host's address alone is data, behind `--`.
"""

import hashlib
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.home import expanded
from reconciler.model.host import Host
from reconciler.remote.environment import for_ssh

REMOTE_COMMAND = "exec bash --noprofile --norc -p -s"
OLD = 86_400  # seconds for which a file stays that nobody has used

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_ADDRESS = re.compile(r"(?!-)[A-Za-z0-9._:-]{1,253}\Z")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}\Z")
_HOP = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._+-]*)@)?"
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?\Z"
)
_KEY = re.compile(r"[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+={0,3}\Z")
_VALUE = re.compile(r"[A-Za-z0-9@.,+^*:/_ -]{1,1024}\Z")

# What `sshOptions` may set: nothing that runs a command, forwards, or weakens the check of the host's key.
_ALLOWED = """
AddressFamily BindAddress Ciphers Compression ConnectionAttempts ConnectTimeout HostKeyAlgorithms IPQoS KexAlgorithms
MACs PubkeyAcceptedAlgorithms RekeyLimit ServerAliveCountMax ServerAliveInterval TCPKeepAlive
"""
OPTIONS = {name.lower(): name for name in _ALLOWED.split()}

_ALWAYS = """\
  IgnoreUnknown CheckHostIP,RemoteCommand
  BatchMode yes
  ConnectTimeout {timeout}
  ConnectionAttempts 1
  ServerAliveInterval 5
  ServerAliveCountMax 3
  StrictHostKeyChecking accept-new
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile /dev/null
  UpdateHostKeys no
  VerifyHostKeyDNS no
  CheckHostIP no
  HashKnownHosts no
  ForwardAgent no
  ForwardX11 no
  AddKeysToAgent no
  ClearAllForwardings yes
  Tunnel no
  PermitLocalCommand no
  RemoteCommand none
  LogLevel ERROR
"""


class Unreachable(ReconcilerError):
    """A host cannot even be tried, because of what is written about it or where its files would be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where our ssh files are, and what the command line says about all hosts."""

    state: Path
    ssh_config: Path | None = None
    identity_file: Path | None = None

    @property
    def folder(self) -> Path:
        """The configuration files and the fleet's known_hosts."""
        return self.state / "ssh"

    @property
    def known_hosts(self) -> Path:
        """Keys that were accepted at the first contact."""
        return self.folder / "known_hosts"


@dataclass(frozen=True, slots=True)
class Door:
    """The way to one host: `key` changes with anything written about it."""

    address: str
    config: Path
    key: str
    jump: str
    pinned: bool
    programs: bool = False  # the user's own configuration is read, which may name some

    @property
    def environment(self) -> Mapping[str, str]:
        """What an ssh that goes this way gets of ours."""
        return for_ssh(programs=self.programs)

    def argv(self, socket: Path | None, *options: str) -> list[str]:
        """`ssh` up to the address; through the master at `socket`, or a connection of its own."""
        shared = (
            ("-o", "ControlMaster=auto", "-o", f"ControlPath={socket}", "-o", "ControlPersist=60")
            if socket
            else ("-o", "ControlMaster=no", "-o", "ControlPath=none")
        )
        return ["ssh", "-F", str(self.config), "-a", "-x", *shared, *options, "--", self.address]


def door(host: Host, settings: Settings) -> Door:
    """Write the files of `host` unless they are there. Raises Unreachable."""
    _check(host)
    try:
        return _door(host, settings)
    except OSError as problem:
        raise Unreachable(f"cannot write to {settings.folder} ({problem.strerror}): see its owner and disk") from None


def _door(host: Host, settings: Settings) -> Door:
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pins = "".join(f"* {key}\n" for key in host.host_keys)
    keys = _written(settings.folder, host.name, "keys", pins) if pins else None
    proxy = ""
    hops = [] if host.proxy_jump in ("", "none") else host.proxy_jump.split(",")
    for number, hop in enumerate(hops, 1):
        proxy = _hop(hop, number, host, settings, proxy)
    target = [f"  User {host.user}"] if host.user else []
    target += [f"  Port {host.port}"] if host.port is not None else []
    target += [f"  ProxyCommand {proxy or 'none'}"] if host.proxy_jump else []
    if keys:
        target += ["  StrictHostKeyChecking yes", f"  UserKnownHostsFile {_quoted(keys)}"]
    text = _text(host.address, target, host, settings)
    config = _written(settings.folder, host.name, "conf", text)
    digest = hashlib.sha256(f"{text}{pins}".encode()).hexdigest()
    jump, own = host.proxy_jump if hops else "", settings.ssh_config is not None
    return Door(host.address, config, digest, jump, bool(pins), own)


def accepted(host: Host, settings: Settings) -> tuple[str, ...]:
    """Take a host without pins; return the keys that were accepted for it, each as `hostKeys` takes it."""
    names = {host.address, f"[{host.address}]:{host.port}"} if host.port else {host.address}
    try:
        lines = settings.known_hosts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    parts = [line.split() for line in lines]
    return tuple(f"{part[1]} {part[2]}" for part in parts if len(part) >= 3 and names & set(part[0].split(",")))


def _hop(hop: str, number: int, host: Host, settings: Settings, proxy: str) -> str:
    """The ProxyCommand that goes through `hop`: every part of it is a constant, a path or a checked name."""
    found = _HOP.match(hop)
    if not found:
        raise Unreachable(f"proxyJump: {hop!r} is not [user@]host[:port]")
    name = found["host"].strip("[]")
    lines = [f"  User {found['user']}"] if found["user"] else []
    lines += [f"  Port {found['port']}"] if found["port"] else []
    lines += [f"  ProxyCommand {proxy}"] if proxy else []
    config = _written(settings.folder, host.name, f"jump{number}", _text(name, lines, host, settings))
    path = shlex.quote(str(config)).replace("%", "%%")
    return f"ssh -F {path} -o ControlPath=none -W '[%h]:%p' -- {name}"


def _text(name: str, lines: list[str], host: Host, settings: Settings) -> str:
    """A configuration in which `lines` hold for `name` alone: a jump host of the user's own is another host."""
    parts = ["# Written by reconciler for each start of ssh.\n"]
    if lines:
        parts.append("\n".join([f"Host {name}", *lines, ""]))
    parts.append("Host *\n")
    parts += [f"  {key} {value}\n" for key, value in _options(host)]
    if identity := str(settings.identity_file or host.identity_file):
        path = expanded(identity)
        if not path.is_file():
            raise Unreachable(f"identity file {path} does not exist")
        parts.append(f"  IdentityFile {_quoted(path.absolute())}\n  IdentitiesOnly yes\n")
    timeout = max(1, min(10, int(host.deadline * 2 / 3)))
    parts.append(_ALWAYS.format(timeout=timeout, known_hosts=_quoted(settings.known_hosts)))
    if settings.ssh_config:
        parts.append(f"  Include {_quoted(expanded(settings.ssh_config).absolute(), tokens=False)}\n")
    return "".join(parts)


def _options(host: Host) -> Iterator[tuple[str, str]]:
    for key, value in sorted(host.ssh_options.items()):
        if key.lower() not in OPTIONS:
            raise Unreachable(f"sshOptions: {key} may not be set")
        if not _VALUE.match(str(value)):
            raise Unreachable(f"sshOptions: the value of {key} has characters that ssh does not take")
        yield OPTIONS[key.lower()], str(value)


def _check(host: Host) -> None:
    """Everything was validated when it was read; what reaches a program is checked again."""
    if not _NAME.match(host.name):
        raise Unreachable("the host's name is not a name")
    if not _ADDRESS.match(host.address):
        raise Unreachable("address is not a name or an IP address")
    if host.user and not _USER.match(host.user):
        raise Unreachable("user is not a login name")
    if not all(_KEY.match(key) for key in host.host_keys):
        raise Unreachable("hostKeys: each is `<type> <base64>`")


def _quoted(path: Path, *, tokens: bool = True) -> str:
    text = str(path)
    if re.search(r'["\\\x00-\x1f]|\$\{', text):
        raise Unreachable(f"the path {text!r} has characters that ssh does not take")
    return f'"{text.replace("%", "%%") if tokens else text}"'


def _written(folder: Path, name: str, kind: str, text: str) -> Path:
    """The file with exactly this text; several controllers with different options do not disturb each other."""
    path = folder / f"{name}.{hashlib.sha256(text.encode()).hexdigest()[:8]}.{kind}"
    try:
        os.utime(path)
    except FileNotFoundError:
        draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.rename(path)
        newest = path.stat().st_mtime
        for other in folder.glob("*.????????.*"):  # of Hosts as they were, of Hosts that left, of a crash
            with suppress(FileNotFoundError):
                if other.stat().st_mtime < newest - OLD:
                    other.unlink()
    return path
