"""What figures depend on: the machine, its load before the run, and the versions of everything that took part."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reconciler import __version__

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".cache/peers/bin"  # made by `make bench-tools`
PATH = os.pathsep.join([str(PEERS), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

# Program → the words that make it tell its version.
PROGRAMS = {
    "ssh": ("-V",),
    "git": ("--version",),
    "bash": ("--version",),
    "ansible": ("--version",),
    "pyinfra": ("--version",),
    "slurmctld": ("-V",),
}


@dataclass(frozen=True)
class About:
    """This machine at the begin of a run. `load`: the load average of the last minute."""

    cpu: str
    cores: int
    memory: str
    kernel: str
    load: float
    versions: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """As the table's head."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return [
            f"{self.cpu}, {self.cores} cores, {self.memory}; {self.kernel}; load before the run {self.load:.2f}",
            versions,
        ]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def about() -> About:
    """Look at this machine; programs that are not there are `not installed`."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    versions = {"reconciler": _revision(), "python": platform.python_version()}
    versions |= {program: _version(program, words) for program, words in PROGRAMS.items()}
    return About(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory=f"{memory / 2**30:.0f} GiB",
        kernel=f"{platform.system()} {platform.release()}",
        load=os.getloadavg()[0],
        versions=versions,
    )


def program(name: str) -> str | None:
    """The path of a peer's program, or None: it is not installed."""
    return shutil.which(name, path=PATH)


def _version(name: str, words: tuple[str, ...]) -> str:
    path = program(name)
    if not path:
        return "not installed"
    done = subprocess.run([path, *words], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+\w*", done.stdout + done.stderr)
    return found[0] if found else "?"


def _revision() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return f"{__version__} ({done.stdout.strip() or 'no git'})"


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    found = re.search(r"model name\s*: (.*)", text)
    return " ".join(found[1].split()) if found else platform.machine()
