"""The host scripts with a fault point before every command of a line that writes. See point.sh."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reconciler.remote import scripts
from tests.remote.harness import SCRIPTS

POINT = Path(__file__).with_name("point.sh")
PROGRAMS = "mkdir|ln|mv|rm|rmdir|touch|cp|chmod|flock|setsid|kill|detach|drain|ulimit|exit|trap|-delete"
GIT = "run_git|in_checkout|tree_git|project_fetch|project_gh|tree_ask commit-tree|become_git"
# A command that changes something, a redirection into a file, a descriptor of the shell's own, or the end of a process.
WRITES = re.compile(
    rf"(^|[\s({{!;&|])({PROGRAMS}|{GIT}|exec (?!find|grep|stat|.*-pc)\S+)(\s|[;&]|$)"
    r"|(^|[^&<>-])>>?\s*[\"$\w/.]|\d>>\w|<>|>&6"
)
HARMLESS = re.compile(r"\d?>\s*/dev/null|\(\(.*?\)\)|\[\[.*?\]\]|'[^']*'|^(need|reply|WHY=|hash) .*")
QUOTED = re.compile(r'"([^"]*)"')


@cache
def writing(file: str) -> dict[int, str]:
    """The lines of a script that write, by number: all that there is to cover in it."""
    found = {}
    whole, first = "", 0
    for number, line in enumerate((SCRIPTS / file).read_text().splitlines(), 1):
        first = first if whole else number
        whole += line.strip().removesuffix("\\")
        if line.endswith("\\"):
            continue  # bash counts a command where it begins
        # What is said to people is no command.
        code = HARMLESS.sub("", QUOTED.sub(lambda quoted: '"-"' if " " in quoted[1] else quoted[0], whole))
        if not whole.startswith("#") and WRITES.search(code):
            found[first] = whole
        whole = ""
    return found


@dataclass(frozen=True)
class Text:
    """A script as it is sent: the files it is made of, and how its processes learn their role and their run."""

    name: str
    body: str
    files: tuple[str, ...]
    role: str
    offset: int = 0

    def origins(self) -> Iterator[tuple[int, str, int]]:
        """Where the lines of the text come from: number there, file, number in it."""
        at = self.offset
        for file in self.files:
            for number, line in enumerate((SCRIPTS / file).read_text().splitlines(), 1):
                if line.strip() and not line.lstrip().startswith("#"):
                    at += 1
                    yield at, file, number

    def points(self) -> dict[int, tuple[str, int]]:
        """The lines with fault points: number in the text → file and number."""
        lines = {file: writing(file) for file in self.files}
        return {at: (file, number) for at, file, number in self.origins() if number in lines[file]}

    def instrumented(self) -> str:
        """The same lines, with the fault points."""
        first, rest = self.body.split("\n", 1)
        source = f'. "$FAULTS/point.sh" {self.name} {self.role}'
        body = f"{first} {source}\n{rest}" if first == "main() {" else f"{source}; {first}\n{rest}"
        # The stage drops such traps of a prelude; ours is to stay.
        body = body.replace("trap - EXIT DEBUG ERR RETURN", "trap - EXIT ERR RETURN")
        # What removes worktrees gets its functions by their names: from a file they keep their lines.
        return re.sub(r'detach -c "\$\(declare -p NL; .*\)"\'', 'detach -c \'. "$FAULTS/worktree.sh"', body)


def verb(name: str, *operations: str) -> Text:
    """What is sent for a verb."""
    files = scripts.VERBS[name]
    if name == "act":
        chosen = [
            one
            for key in scripts.OPERATIONS
            if key in operations
            for one in (*scripts.BEFORE.get(key, ()), f"{key}.sh")
        ]
        files = (*files[:-1], *chosen, files[-1])
    # Without the line that loads the others by their length, which changes here; they are counted from behind it anyway.
    _, text = scripts.script(name, frozenset(operations)).split("\n", 1)
    return Text("-".join((name, *sorted(operations))), text, ("common.sh", *files), name, 1)


def supervisor() -> Text:
    files = ("process.sh", "watch.sh", "stage.sh", "supervisor.sh")
    return Text("supervisor", scripts.supervisor(), files, '"${1-}" "${2-}"')


def project() -> Text:
    files = ("git.sh", "project.sh", "project_checkout.sh", "project_fork.sh", "project_tree.sh", "stage_project.sh")
    return Text("project", scripts.project(), files, '"$reconciler_stage" "$RECONCILER_RUN_DIR"')


def checks() -> Text:
    return Text("checks", scripts.qa(), ("qa.sh",), '"$reconciler_stage" "$RECONCILER_RUN_DIR"')


def worktree() -> Text:
    """What a process of its own removes a worktree with."""
    files = ("git.sh", "worktree.sh")
    return Text("worktree", "NL=$'\\n'\n" + "".join(map(scripts._file, files)), files, "remove", 1)


def install(folder: Path) -> None:
    """Makes the folder of an experiment, which processes know as $FAULTS."""
    for name in ("at", "fired"):
        (folder / name).mkdir(parents=True)
    shutil.copy(POINT, folder)
    (folder / "worktree.sh").write_text(worktree().instrumented())
    for text in (supervisor(), project(), checks(), worktree()):
        note(folder, text)


def note(folder: Path, text: Text) -> None:
    """Writes down which lines of a text have fault points."""
    (folder / f"{text.name}.lines").write_text(" ".join(map(str, text.points())))


def text(name: str) -> Text:
    """A text by its name."""
    parts = {"supervisor": supervisor, "project": project, "checks": checks, "worktree": worktree}
    return parts[name]() if name in parts else verb(*name.split("-"))


def everything() -> set[tuple[str, int]]:
    """All lines that write, of all scripts that change something on a host: file and number."""
    texts = ("take", "reset", "act-" + "-".join(scripts.OPERATIONS), "supervisor", "project", "checks")
    return {(file, number) for name in texts for file in text(name).files for number in writing(file)}
