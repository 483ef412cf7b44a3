"""The gate of a host (scripts/gate.sh): what it lets in of this version, and the script that installs it there."""

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations

from reconciler import __version__
from reconciler.agents.registry import adapter, names
from reconciler.model.host import Host
from reconciler.remote.scripts import BEHIND_NO_GATE, OPERATIONS, VERBS, project, qa, script, supervisor

SAYS = "reconciler gate: "  # how what a gate says to people begins
LOOKS = frozenset({"observe", "collect", "check"})


@dataclass(frozen=True, slots=True)
class Gate:
    """How one key is bound. `key`: its public half as in a .pub file; empty: the gate is renewed, no key changes."""

    host: Host
    fleet_name: str
    fleet_id: str
    key: str = ""
    observe: bool = False
    only: bool = False  # scripts of no other version stay allowed

    @property
    def place(self) -> str:
        """The gate's folder, below the home of the login."""
        return f".reconciler-gate/{self.fleet_name}/{self.host.name}"

    @property
    def mode(self) -> str:
        """What the key may have done."""
        return "observe" if self.observe else "act"

    @property
    def command(self) -> str:
        """The forced command: login shells agree on every character of it."""
        return f"exec bash --noprofile --norc -p ~/{self.place}/gate {self.mode}"


@cache
def allowed() -> str:
    """The list of this version: a line `<kind> <bytes> <sha256>` for every script, and for every program's options."""
    lines = (f"{kind} {len(text)} {hashlib.sha256(text).hexdigest()}\n" for kind, text in _allowed())
    return "".join(dict.fromkeys(lines))


def missing(listed: str, mode: str) -> tuple[str, ...]:
    """The kinds of scripts that this version sends and a gate in this mode does not know, by its list."""
    known = set(listed.splitlines())
    wanted = (line for line in allowed().splitlines() if line not in known)
    kinds = dict.fromkeys(line.partition(" ")[0] for line in wanted)
    return tuple(kind for kind in kinds if mode == "act" or kind in LOOKS or kind == "program")


def installer(gate: Gate) -> str:
    """A bash script that installs the gate for the login that runs it, and binds the key to it."""
    values = {
        "host": gate.host.name,
        "version": __version__,
        "place": gate.place,
        "mode": gate.mode,
        "command": gate.command,
        "key": gate.key,
        "only": "1" if gate.only else "",
        "root": gate.host.workspace_root,
        "prelude": gate.host.shell_prelude,
        "fleet_id": gate.fleet_id,
        "allowed": allowed(),
        "gate": _file("gate.sh"),
    }
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return (
        "#!/usr/bin/env bash\n"
        f"# Installs the gate of reconciler {__version__} for the host {gate.host.name} of fleet {gate.fleet_name}.\n"
        f"# Run it there with bash, as the login that reconciler uses.\n{lines}\n{_file('gate_install.sh')}"
    )


def _allowed() -> Iterator[tuple[str, bytes]]:
    for verb in VERBS:
        if verb == "act":
            for count in range(len(OPERATIONS) + 1):
                yield from ((verb, script(verb, frozenset(some)).encode()) for some in combinations(OPERATIONS, count))
        elif verb not in BEHIND_NO_GATE:
            yield verb, script(verb).encode()
    for field, text in (("supervisor", supervisor()), ("project_script", project()), ("qa_script", qa())):
        yield field, text.encode()
    for tool in map(adapter, names()):
        if tool.program and tool.help:
            yield "program", "\n".join((tool.program, *tool.help)).encode()


def _file(name: str) -> str:
    return (files("reconciler.remote") / "scripts" / name).read_text(encoding="utf-8")
