"""Runs the host scripts with real bash, over a pipe, exactly as docs/protocol.md says; no ssh."""

import os
import secrets
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.remote import scripts
from tests.waiting import until

SCRIPTS = Path(__file__).parents[2] / "reconciler/remote/scripts"
BASH = ("bash", "--noprofile", "--norc", "-p", "-s")
Fields = Iterable[tuple[str, str | bytes]]


def encode(fields: Fields) -> bytes:
    """Fields as in a payload."""
    parts = []
    for key, value in fields:
        data = value if isinstance(value, bytes) else value.encode()
        parts.append(b"%s %d\n%s\n" % (key.encode(), len(data), data))
    return b"".join(parts)


@dataclass
class Answer:
    """What a call said: the code of its trailer (None: no trailer, nobody knows) and its frames."""

    code: int | None
    frames: list[tuple[str, bytes]]
    stderr: str = ""

    def __getitem__(self, name: str) -> str:
        return dict(self.frames)[name].decode()

    def __contains__(self, name: str) -> bool:
        return name in dict(self.frames)

    def pairs(self, name: str) -> dict[str, str]:
        """A frame of `key=value` lines."""
        return dict(line.split("=", 1) for line in self[name].splitlines() if line)

    def words(self) -> list[str]:
        """The first words of the answers to operations, in order."""
        return [text.decode().split()[0] for name, text in self.frames if "/" in name]

    def records(self) -> dict[str, str]:
        """Path below the root -> text, of all symlinks."""
        rows = [line.split("\t") for line in self["records"].splitlines()]
        return {row[1]: row[4] for row in rows if row[0] == "l"}

    def live(self) -> dict[str, tuple[str, str]]:
        """Run directory -> lock, survivors."""
        return {row[0]: (row[1], row[2]) for row in (line.split() for line in self["live"].splitlines())}


def parse(output: bytes, nonce: str, stderr: str = "") -> Answer:
    """Reads the frames; anything that does not fit is an error of the test."""
    start = output.find(f"\n{nonce} begin\n".encode())
    if start < 0:
        return Answer(None, [], stderr)
    rest = output[start + len(nonce) + 8 :]
    frames = []
    while rest:
        line, _, rest = rest.partition(b"\n")
        words = line.decode().split()
        if words[:2] == [nonce, "end"]:
            assert rest == b""
            return Answer(int(words[2]), frames, stderr)
        assert words[:2] == [nonce, "frame"], line
        size = int(words[3])
        assert rest[size : size + 1] == b"\n", (line, rest[:200])
        frames.append((words[2], rest[:size]))
        rest = rest[size + 1 :]
    return Answer(None, frames, stderr)


@dataclass
class HostUnderTest:
    """A workspace of its own and a controller that holds its lease."""

    root: Path
    ledger: str = "0a1b2c3d"
    number: int = 1
    fleet_id: str = "fleet-0001"
    fleet_name: str = "demo"
    host_name: str = "h1"
    revision: str = "c0ffee"
    prelude: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    marks: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)  # run -> its project, where it has one

    def stdin(self, verb: str, fields: Fields = (), nonce: str = "n0nce") -> bytes:
        """All that bash gets on its standard input."""
        fields = list(fields)
        payload = encode([*self.common(verb), *fields])
        operations = frozenset(key for key, _ in fields) & frozenset(scripts.OPERATIONS)
        return scripts.script(verb, operations).encode() + f"{nonce} {len(payload)}\n".encode() + payload

    def common(self, verb: str) -> list[tuple[str, str]]:
        """The fields that every call of this controller carries."""
        fields = [("root", str(self.root)), ("prelude", self.prelude)]
        if verb in ("take", "act", "reset"):
            fields += [
                ("fleet_id", self.fleet_id),
                ("fleet_name", self.fleet_name),
                ("host_name", self.host_name),
                ("ledger", self.ledger),
                ("number", str(self.number)),
                ("revision", self.revision),
            ]
        if verb == "act":
            fields.append(("workspace_id", self.workspace_id))
            fields.append(("supervisor", scripts.supervisor()))
            fields += [("project_script", scripts.project()), ("qa_script", scripts.qa())]
        return fields

    @property
    def workspace_id(self) -> str:
        """The workspace that is there, `none` when there is none."""
        mark = Path(self.root) / "_" / "id"
        return os.readlink(mark) if mark.is_symlink() else "none"

    def call(self, verb: str, fields: Fields = ()) -> Answer:
        """One call, to its end."""
        nonce = secrets.token_hex(8)
        done = subprocess.run(
            BASH, input=self.stdin(verb, fields, nonce), capture_output=True, env=dict(self.env), timeout=60
        )
        assert "syntax error" not in done.stderr.decode(), done.stderr
        return parse(done.stdout, nonce, done.stderr.decode())

    def take(self, **fields: str) -> Answer:
        return self.call("take", fields.items())

    def observe(self) -> Answer:
        return self.call("observe")

    def launch_fields(
        self, run: str, worker: str | Sequence[tuple[str, str]], **given: str | Mapping[str, str]
    ) -> list[tuple[str, str | bytes]]:
        """The operation `launch`. `worker`: a script, or the words of a command line with the kind of each.

        `settings`, `environment`, `secrets`, `files` (by name) and `checks` (script by step) are mappings. `project`
        names the one that the run belongs to; its worktree is called after the run unless `worktree` says otherwise.
        """
        mark = self.marks.setdefault(run, secrets.token_hex(8))
        task = run.rsplit("-", 2)[0]
        settings = {"timeout": "60", "idle_timeout": "", "last": "0", "mark": mark, "task": task, "run": run}
        settings |= {"fleet": self.fleet_name, "grace": "1"}
        more: list[tuple[str, str | bytes]] = []
        if project := given.get("project", ""):
            self.projects[run] = str(project)
            tree = str(given.get("worktree", run))
            settings |= {"project": str(project), "worktree": tree, "branch": f"reconciler/{tree}", "fork": "never"}
            settings["tree_mode"] = "fresh" if tree == run else "resume"
            more.append(("worker", f"a=claude;w={tree.removeprefix(f'{task}-')}"))
        if checks := dict(given.get("checks", {})):
            settings["qa"] = "steps"
            more.append(("file.qa", encode(checks.items())))
        settings |= dict(given.get("settings", {}))
        return [
            ("launch", self.path(run)),
            ("attempt", run.rsplit("-", 1)[1]),
            ("rerun_key", "-"),
            ("mark", mark),
            ("settings", "".join(f"{key}={value}\n" for key, value in settings.items())),
            ("environment", encode(dict(given.get("environment", {})).items())),
            ("secrets", encode(dict(given.get("secrets", {})).items())),
            ("file.run.json", "{}"),
            ("file.worker.sh", worker) if isinstance(worker, str) else ("file.command", encode(worker)),
            *((f"file.{name}", text) for name, text in dict(given.get("files", {})).items()),
            *more,
        ]

    def launch(self, run: str, worker: str | Sequence[tuple[str, str]], **given: str | Mapping[str, str]) -> str:
        """Launches one run and returns the word of the answer."""
        answer = self.call("act", self.launch_fields(run, worker, **given))
        assert answer.code == 0, answer
        return answer.words()[0]

    def operate(self, operation: str, run: str, **fields: str) -> str:
        """One operation on one run; the whole answer to it."""
        answer = self.call("act", [(operation, self.path(run)), *fields.items()])
        assert answer.code == 0, answer
        return answer[f"{operation}/{run}"]

    def path(self, run: str) -> str:
        """Its run directory below the root."""
        return f"{self.projects.get(run, '_')}/runs/{run}"

    def directory(self, run: str) -> Path:
        return self.root / self.path(run)

    def record(self, run: str, name: str) -> str:
        """A record's text; empty when there is none."""
        try:
            return os.readlink(self.directory(run) / name)
        except FileNotFoundError:
            return ""

    def result(self, run: str) -> dict[str, str]:
        """Waits for the result of a run."""
        text = until(lambda: self.record(run, "result"), 20)
        return dict(part.split("=", 1) for part in text.split(";"))

    def run(
        self, run: str, worker: str | Sequence[tuple[str, str]], **given: str | Mapping[str, str]
    ) -> dict[str, str]:
        """Launches a run and waits for its result."""
        assert self.launch(run, worker, **given) == "accepted"
        return self.result(run)

    def log(self, run: str, stream: str = "stdout") -> str:
        return (self.directory(run) / f"{stream}.log").read_text()

    def marked(self, run: str) -> list[int]:
        """The processes that carry a run's mark."""
        return marked(f"RECONCILER_MARK={run};{self.marks[run]}".encode())


def marked(entry: bytes) -> list[int]:
    """The processes with this entry in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if entry in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
