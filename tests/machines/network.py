"""A bridge with a subnet of its own per test process, and the removal of what killed processes left."""

import fcntl
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

PREFIX = "rxbr"
LOCK = Path("/tmp/reconciler-machines.lock")


def ip(*words: str, check: bool = True) -> str:
    """`ip …` in the root namespace."""
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def why_not() -> str:
    """Why there can be no machines here; empty when there can."""
    if os.geteuid() != 0:
        return "needs root and namespaces: not root"
    probe = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts", "true"]
    try:
        done = subprocess.run(probe, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return "needs root and namespaces: unshare is not installed"
    if done.returncode:
        return f"needs root and namespaces: {done.stderr.strip()}"
    if not Path("/usr/sbin/sshd").exists():
        return "needs sshd (apt install openssh-server)"
    name = f"rxp{os.getpid()}"  # of our own: another test process may be asking the same
    links = subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
    return "needs root and namespaces: no bridge can be made" if links.returncode else ""


class Network:
    """10.123.<number>.0/24 behind a bridge; the root namespace is .1."""

    def __init__(self) -> None:
        with LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            sweep()
            taken = {int(link["ifname"].removeprefix(PREFIX)) for link in _bridges()}
            self.number = random.choice([number for number in range(1, 250) if number not in taken])
            self.bridge = f"{PREFIX}{self.number}"
            card = f"02:ff:00:00:00:{self.number:02x}"  # fixed, or it would change with every link
            ip("link", "add", self.bridge, "address", card, "type", "bridge")
            ip("link", "set", self.bridge, "alias", _identity(os.getpid()))
        ip("addr", "add", f"10.123.{self.number}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        self._last = 9
        self._links = 0

    def address(self) -> str:
        """A new address."""
        self._last += 1
        return f"10.123.{self.number}.{self._last}"

    def plug(self, pid: int, address: str) -> str:
        """Give the network namespace of `pid` an `eth0` on the bridge; the name of our end."""
        self._links += 1
        here = f"rx{self.number}v{self._links}"
        # The same card after a reboot, or neighbours would look for the old one for seconds.
        card = "02:" + ":".join(f"{number:02x}" for number in (0, *map(int, address.split("."))))
        ip("link", "add", here, "type", "veth", "peer", "name", "eth0", "address", card, "netns", str(pid))
        ip("link", "set", here, "master", self.bridge, "up")
        return here

    def unplug(self, link: str) -> None:
        """Remove a link, if it is still there."""
        ip("link", "del", link, check=False)

    def close(self) -> None:
        """Remove the bridge; the links go with their machines."""
        ip("link", "del", self.bridge, check=False)


def sweep() -> None:
    """Remove the bridges of processes that are no more."""
    for link in _bridges():
        pid = link.get("ifalias", "").partition(":")[0]
        if not pid.isdigit() or _identity(int(pid)) != link["ifalias"]:
            ip("link", "del", link["ifname"], check=False)


def _bridges() -> list[dict[str, Any]]:
    links = json.loads(ip("-j", "link", "show", "type", "bridge") or "[]")
    return [link for link in links if link.get("ifname", "").startswith(PREFIX)]


def _identity(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{pid}:{fields[19]}"
