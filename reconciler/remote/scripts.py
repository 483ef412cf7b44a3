"""The script of a verb, put together from the files in `scripts/`. No data ever goes into it."""

from functools import cache
from importlib.resources import files

# docs/protocol.md lists them; common.sh comes first in every one.
VERBS: dict[str, tuple[str, ...]] = {
    "observe": ("report.sh", "observe.sh"),
    "take": ("lease.sh", "process.sh", "report.sh", "take.sh"),
    "act": ("lease.sh", "process.sh", "orphan.sh", "report.sh", "act.sh"),
    "collect": ("collect.sh",),
    "bell": ("report.sh", "bell.sh"),
    "check": ("report.sh", "check.sh"),
    "reset": ("lease.sh", "process.sh", "orphan.sh", "git.sh", "reset.sh"),
    "gate": ("gate_call.sh",),
}
BEHIND_NO_GATE = frozenset({"gate"})  # it runs what is sent along
LOAD = '[[ ${gate_mode-} ]] || { IFS= read -r -N %d text; eval "$text"; unset -v text; }'
OPERATIONS = ("settle", "cancel", "launch", "cleanup", "worktree")
BEFORE = {"worktree": ("git.sh",)}  # what the file of an operation needs


@cache
def script(verb: str, operations: frozenset[str] = frozenset()) -> str:
    """What bash reads for `verb`; for `act`, with the files of these operations only. The payload follows it.

    A script on a pipe costs bash a system call for each byte, so the first line takes the next ones in large pieces; a
    gate, which has read everything already, goes past it. On one line with `main` stands `exit`: bash has then read it
    before main takes the payload from descriptor 3.
    """
    names = VERBS[verb]
    if verb == "act":
        chosen = [file for name in OPERATIONS if name in operations for file in (*BEFORE.get(name, ()), f"{name}.sh")]
        names = (*names[:-1], *chosen, names[-1])
    body = "".join(_file(name) for name in ("common.sh", *names))
    main = f"main() {{\n{body}}}\n"
    return f"{LOAD % len(main)}\n{main}main 3<&0 </dev/null; exit\n"


@cache
def supervisor() -> str:
    """What a launch sends along, to be started beside every run."""
    return "".join(map(_file, ("process.sh", "watch.sh", "stage.sh", "supervisor.sh")))


@cache
def project() -> str:
    """What a launch for a project sends along: the supervisor's stage sources it, and calls `project_prepare`."""
    own = ("project.sh", "project_checkout.sh", "project_fork.sh", "project_tree.sh")
    return "".join(map(_file, ("git.sh", *own, "stage_project.sh")))


@cache
def qa() -> str:
    """What a launch sends along whose work is checked: the stage `qa` sources it."""
    return _file("qa.sh")


@cache
def shell() -> str:
    """What `exec` runs on the host, see transport.py."""
    return _file("shell.sh")


def _file(name: str) -> str:
    """A script without its blank lines and comments: people read the file, hosts get the rest."""
    text = (files("reconciler.remote") / "scripts" / name).read_text(encoding="utf-8")
    kept = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return "".join(f"{line}\n" for line in kept)
