"""A host of its own: network, processes, mounts, name, home, boot id, sshd; it can be cut off, frozen, rebooted."""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.machines.keys import make_key, prepare, public
from tests.machines.network import Network

INIT = Path(__file__).with_name("init.sh")
NAMESPACES = ["--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts"]


@dataclass(frozen=True)
class Process:
    """A process on a machine: `pid` as seen there, `outside` as seen here."""

    pid: int
    outside: int
    command: str


class Machine:
    """One host. `disk`: the home is a file system of that many MiB (ext4), to be filled up."""

    user = "root"
    port = 22

    def __init__(self, network: Network, folder: Path, name: str, login_key: Path, *, disk: int = 0) -> None:
        self.name = name
        self.folder = folder
        self.network = network
        self.login_key = login_key
        self.address = network.address()
        folder.mkdir(parents=True)
        self._home = folder / ("home.img" if disk else "home")
        if disk:
            subprocess.run(["truncate", "-s", f"{disk}M", str(self._home)], check=True)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(self._home)], check=True)
        else:
            self._home.mkdir()
        prepare(folder, login_key, self.port)
        self._shell: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._link = ""
        self._weather: list[tuple[str, ...]] = []
        self.former = ""
        self.boots = 0

    @property
    def host_key(self) -> str:
        """`<type> <base64>`, for hostKeys."""
        return public(self.folder / "host_key")

    @property
    def running(self) -> bool:
        """It is started."""
        return self._shell is not None

    @property
    def home(self) -> Path:
        """Its home directory as seen from here."""
        return Path(f"/proc/{self._init}/root/root")

    @property
    def boot_id(self) -> str:
        """As its processes read it."""
        return (self.folder / "boot_id").read_text().strip()

    def start(self) -> "Machine":
        """Switch it on, and wait until sshd answers."""
        self.begin()
        return self.wait()

    def begin(self) -> None:
        """Switch it on."""
        self.boots += 1
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        words = [str(self.folder), self.address, self.name, str(self._home)]
        log = (self.folder / "init.log").open("ab")
        with log:
            self._shell = subprocess.Popen(
                ["unshare", *NAMESPACES, "bash", str(INIT), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        pid = self._shell.pid
        self._init = _first_child(pid)
        self._link = self.network.plug(pid, self.address)
        assert self._shell.stdin
        self._shell.stdin.write(b"go\n")
        self._shell.stdin.flush()

    def wait(self) -> "Machine":
        """Wait until sshd listens."""
        assert self._shell
        out: IO[bytes] | None = self._shell.stdout
        assert out
        if out.readline() != b"up\n":
            raise RuntimeError(f"{self.name} did not start: {(self.folder / 'init.log').read_text()}")
        for rule in self._weather:
            self._enter(["iptables", *rule], namespaces=["-n"])
        return self

    def stop(self) -> None:
        """Pull the plug: everything on it is gone at once."""
        if self._shell:
            first, self._init = self._init, 0  # the number may soon be another process's
            for pid in (first, self._shell.pid):
                kill(pid, signal.SIGKILL)
            self._shell.wait()
            self.network.unplug(self._link)
            for stream in (self._shell.stdin, self._shell.stdout):
                if stream:
                    stream.close()
            self._shell = None

    def reboot(self) -> None:
        """Off and on: the same home, another boot id, process ids from 1 again."""
        self.stop()
        self.start()

    def new_host_key(self) -> None:
        """As after a new installation; counts from the next start."""
        for path in self.folder.glob("host_key*"):
            path.unlink()
        make_key(self.folder / "host_key")

    def cut(self) -> None:
        """Cut the network: packets are dropped both ways, nobody is told."""
        self._forecast("-j", "DROP")

    def refuse(self) -> None:
        """Whoever sends something is told that nobody is here, in the middle of a connection too."""
        self._forecast("-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")

    def lose(self, share: float) -> None:
        """Lose that share of all packets, both ways."""
        self._forecast("-m", "statistic", "--mode", "random", "--probability", str(share), "-j", "DROP")

    def _forecast(self, *rule: str) -> None:
        """What is so now, and after a reboot too."""
        for chain, option in (("INPUT", "-i"), ("OUTPUT", "-o")):
            self._weather.append(("-I", chain, option, "eth0", *rule))
            if self.running:
                self._enter(["iptables", *self._weather[-1]], namespaces=["-n"])

    def heal(self) -> None:
        """Undo `cut`, `refuse` and `lose`."""
        self._weather.clear()
        for chain in ("INPUT", "OUTPUT") if self.running else ():
            self._enter(["iptables", "-F", chain], namespaces=["-n"])

    def fill(self) -> None:
        """Leave no byte free on its disk (one of its own: `disk`)."""
        with (self.home / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"0" * 65536)

    def empty(self) -> None:
        """Undo `fill`."""
        (self.home / "filler").unlink(missing_ok=True)

    def move(self) -> "Machine":
        """Give it another address, beside the present one until `leave`; the document names the new one from here."""
        self.former = self.address
        self.address = self.network.address()
        self.run("sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        return self

    def leave(self) -> None:
        """Nothing of it answers at its former address any more."""
        self.run("ip", "addr", "del", f"{self.former}/24", "dev", "eth0")

    def freeze(self) -> None:
        """Stop every sshd process: connections are taken by the kernel, and nobody answers."""
        self._signal_sshd(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._signal_sshd(signal.SIGCONT)

    def _signal_sshd(self, number: signal.Signals) -> None:
        for process in self.processes():
            if process.command.startswith(("sshd:", "/usr/sbin/sshd")):
                kill(process.outside, number)

    def run(self, *command: str, check: bool = True, stdin: str = "") -> str:
        """Run a command on it, as root in its home, without ssh; its output."""
        script = ["bash", "-c", 'cd; exec "$@"', "-", *command]
        return self._enter(script, namespaces=["-a"], check=check, stdin=stdin)

    def spawn(self, *command: str, pid: int = 0, **environment: str) -> Process:
        """Start something that stays, with nothing but that environment. `pid`: the one it shall have, if it is free."""
        wish = f"echo {pid - 1} >/proc/sys/kernel/ns_last_pid;" if pid else ""
        variables = [f"{key}={value}" for key, value in environment.items()]
        script = f'{wish} exec -a "$0" env -i "$@" </dev/null >/dev/null 2>&1 & echo $!'
        inside = int(self.run("bash", "-c", script, "env", *variables, *command))
        while True:  # in the middle of an exec it has no command line
            for process in self.processes():
                if process.pid == inside:
                    return process

    def _enter(self, command: Sequence[str], *, namespaces: Sequence[str], check: bool = True, stdin: str = "") -> str:
        words = ["nsenter", "-t", str(self._init), *namespaces, "--", *command]
        environment = {**os.environ, "HOME": "/root", "USER": "root"}
        done = subprocess.run(words, check=False, capture_output=True, text=True, input=stdin, env=environment)
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def processes(self) -> list[Process]:
        """Everything that runs on it but its first process and zombies."""
        own = Path(f"/proc/{self._init}/ns/pid").readlink()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if int(entry.name) == self._init or (entry / "ns/pid").readlink() != own:
                    continue
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                status = (entry / "status").read_text()
            except OSError:
                continue
            if command:
                inside = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1]
                found.append(Process(int(inside), int(entry.name), command))
        return sorted(found, key=lambda process: process.pid)

    def host_yaml(self, **spec: object) -> str:
        """Its Host document; `spec` adds or replaces keys."""
        keys: dict[str, object] = {
            "address": self.address,
            "user": self.user,
            "identityFile": self.login_key,
            "hostKeys": f"[{self.host_key}]",
            **spec,
        }
        lines = "".join(f"  {key}: {value}\n" for key, value in keys.items())
        return f"apiVersion: reconciler/v1\nkind: Host\nmetadata: {{name: {self.name}}}\nspec:\n{lines}"

    def delete(self) -> None:
        """Stop it and remove its disk."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def reachable(address: str, port: int, seconds: float = 5.0) -> bool:
    """Whether somebody listens there within that time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with socket.create_connection((address, port), timeout=1):
                return True
        except OSError:
            time.sleep(0.01)
    return False


def _first_child(pid: int) -> int:
    """The process with pid 1 of the namespace that `unshare` made, once it has made it."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.002)
    raise RuntimeError("unshare did not start")


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process of a machine, as seen from here, if it is there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
