"""The host's side of docs/protocol.md, on a fake host: fields of one call in, the answer out."""

from collections.abc import Iterable, Sequence

from reconciler.observe.parse import run_name
from reconciler.remote.frames import Answer, Frame
from tests.simulation.machine import REAPER, SUPERVISOR, Machine, RunDirectory, Workspace

Fields = Sequence[tuple[str, bytes | str]]
OPERATIONS = frozenset({"settle", "cancel", "launch", "cleanup", "worktree"})


def answer(machine: Machine, verb: str, fields: Fields) -> Answer:
    """Carry out one call."""
    return Call(machine, fields).answer(verb)


def texts(fields: Fields) -> list[tuple[str, str]]:
    """Fields as text."""
    return [(key, value if isinstance(value, str) else value.decode()) for key, value in fields]


def operations(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str, dict[str, str]]]:
    """What an `act` asks for: each operation, the path it is for, and the fields that follow it."""
    found: list[tuple[str, str, dict[str, str]]] = []
    for key, value in fields:
        if key in OPERATIONS:
            found.append((key, value, {}))
        elif found:
            found[-1][2][key] = value
    return found


class Call:
    """One call on one host."""

    def __init__(self, machine: Machine, fields: Fields) -> None:
        self.machine = machine
        self.fields = texts(fields)
        self.field = dict(self.fields)
        self.space = machine.space(self.field["root"])
        self.frames: list[Frame] = []

    def answer(self, verb: str) -> Answer:
        """By the name of the verb."""
        return {"observe": self.observe, "take": self.take, "act": self.act, "collect": self.collect}[verb]()

    def observe(self) -> Answer:
        self.frames += report(self.machine, self.space, self.field.get("programs", ""))
        return self.finish(0)

    def take(self) -> Answer:
        space, lease = self.space, (int(self.field["number"]), self.field["ledger"])
        if refused := self._stranger(self.field["rename_from"]):
            return refused
        if space.lease and space.lease != lease and lease[0] <= space.lease[0]:
            return self._refused()
        if space.holder not in ("", self.field["ledger"]):
            if self.field["take_over"] != "1":
                self.frames.append(("holder", space.holder.encode()))
                return self._refused()
            space.holder = ""
        if self.machine.full == "inodes":
            self.frames.append(("error", b"cannot write to the workspace: see its disk"))
            return self.finish(5)
        if not space.id:
            self._end_strays()
            self.machine.made += 1
            space.id = f"{self.machine.name}w{self.machine.made}"
        space.fleet = f"{self.field['fleet_id']};{self.field['fleet_name']}"
        space.name, space.lease = self.field["host_name"], lease
        return self.observe()

    def _end_strays(self) -> None:
        for process in list(self.machine.processes.values()):
            if process.run and not process.run.exists and process.run.root == self.field["root"]:
                self.machine.kill(process.pid)

    def act(self) -> Answer:
        if refused := self._stranger(""):
            return refused
        if self.space.lease != (int(self.field["number"]), self.field["ledger"]):
            return self._refused()
        if self.space.id != self.field["workspace_id"]:
            return self._refused()
        self.space.revision = self.field["revision"]
        for operation, path, given in operations(self.fields):
            word = getattr(self, f"_{operation}")(path, given)
            self.frames.append((f"{operation}/{path.rpartition('/')[2]}", f"{word} because".encode()))
        return self.observe()

    def _launch(self, path: str, given: dict[str, str]) -> str:
        space, machine = self.space, self.machine
        name = run_name(path.rpartition("/")[2])
        assert name
        if machine.full == "inodes":
            return "failed"
        if path in space.runs:
            return "taken"
        if str(name) in space.done:
            return "done"
        others = [run.name for run in space.runs.values()] + [run_name(done) for done in space.done]
        if any(other and other[:2] == name[:2] and other.attempt >= name.attempt for other in others):
            return "stale"
        last = "last=1" in given["settings"].split("\n")
        asked = given["file.run.json"].encode()
        run = RunDirectory(self.field["root"], path, name, given["mark"], last, asked, machine.now)
        space.runs[path] = run
        owner = f"l={self.field['ledger']};n={self.field['number']};q={given['rerun_key']};m={given['mark']}"
        machine.record(run, "owner", owner)
        if worker := given.get("worker"):
            machine.record(run, "worker", worker)
            space.trees.add(f"{path.partition('/')[0]}/worktrees/{name.task}-{worker.partition('w=')[2]}")
        if machine.full:
            machine.record(run, "started", "void")
            return "failed"
        machine.record(run, "phase", "prepare")
        machine.spawn(SUPERVISOR, run)
        return "accepted"

    def _settle(self, path: str, given: dict[str, str]) -> str:
        return self._end(path, "lost", "SupervisorGone")

    def _cancel(self, path: str, given: dict[str, str]) -> str:
        run = self.space.runs.get(path)
        if run and not run.over:
            self.machine.record(run, "cancel", f"why={given['why']}")
            for supervisor in self.machine.of(run, SUPERVISOR):
                if "started" not in run.records and self.machine.record(run, "started", "void"):
                    return "void"
                supervisor.told = True
            if self.machine.locked(run):
                return "canceling"
        return self._end(path, "canceled", "")

    def _end(self, path: str, state: str, reason: str) -> str:
        run, machine = self.space.runs.get(path), self.machine
        if run is None:
            return "absent"
        if run.over:
            return "already"
        if machine.locked(run):
            return "alive"
        if "started" not in run.records:
            machine.record(run, "started", "void")
            return "void"
        if machine.survivors(run):
            run.reap = state, reason
            machine.spawn(REAPER, run)
            return "settling" if state == "lost" else "canceling"
        if state == "lost" and not run.text["started"].endswith(f"b={machine.boot_id}"):
            reason = "Rebooted"
        machine.finish(run, f"state={state}{f';r={reason}' if reason else ''};t={int(machine.now)}")
        return state

    def _cleanup(self, path: str, given: dict[str, str]) -> str:
        run = self.space.runs.get(path)
        if run is None:
            return "already"
        if not run.over or self.machine.locked(run):
            return "active"
        if self.machine.full == "inodes":
            return "failed"
        self.space.done.setdefault(str(run.name), (_mark(run, given, self.machine.now), self.machine.now))
        del self.space.runs[path]
        run.exists = False
        return "removed"

    def _worktree(self, path: str, given: dict[str, str]) -> str:
        tree = path.rpartition("/")[2]
        for run in self.space.runs.values():
            if not run.over and tree == f"{run.name.task}-{run.text.get('worker', '').partition('w=')[2]}":
                return "active"
        if path not in self.space.trees:
            return "already"
        self.space.trees.discard(path)
        return "removed"

    def collect(self) -> Answer:
        path = ""
        for key, value in self.fields:
            if key == "run":
                path = value
                run = self.space.runs.get(path)
                if run is None:
                    self.frames.append((f"gone/{path.rpartition('/')[2]}", b""))
                    continue
                self.frames.append((f"asked/{run.name}", run.asked))
                if run.answer:
                    self.frames.append((f"answer/{run.name}", run.answer))
            elif key == "stdout_from" and path in self.space.runs:
                run = self.space.runs[path]
                self.frames.append((f"stdout/{run.name}", run.log[int(value) :]))
        return self.finish(0)

    def finish(self, code: int) -> Answer:
        return Answer(tuple(self.frames), code)

    def _stranger(self, rename_from: str) -> Answer | None:
        space = self.space
        foreign = space.fleet and space.fleet.partition(";")[0] != self.field["fleet_id"]
        if foreign or space.name not in ("", self.field["host_name"], rename_from):
            self.frames.append(("workspace", f"fleet={space.fleet}\nname={space.name}\n".encode()))
            return self.finish(4)
        return None

    def _refused(self) -> Answer:
        lease = self.space.lease
        self.frames.append(("lease", f"{lease[0]};{lease[1]}".encode() if lease else b""))
        return self.finish(3)


def report(machine: Machine, space: Workspace, programs: str) -> list[Frame]:
    """The frames of observe."""
    records, live = [], []
    for name, (text, at) in space.done.items():
        records.append(f"l\t_/done/{name}\t0\t{at:.3f}\t{text}")
    for path in space.trees:
        records.append(f"d\t{path}\t0\t0\t")
    for path, run in space.runs.items():
        records.append(f"d\t{path}\t0\t{run.made_at:.3f}\t")
        records += [f"l\t{path}/{name}\t0\t{at:.3f}\t{text}" for name, (text, at) in run.records.items()]
        if not run.over:
            locked = machine.locked(run)
            count = 0 if locked or "started" not in run.records else len(machine.survivors(run))
            live.append(f"{path} {'held' if locked else 'free'} {count}")
    lease = f"{space.lease[0]};{space.lease[1]}" if space.lease else ""
    workspace = (
        f"fleet={space.fleet}\nid={space.id}\nname={space.name}\nlease={lease}\nrevision={space.revision}\n"
        f"holder={space.holder}\nnow={machine.now:.3f}\n"
    )
    free = 0 if machine.full else 1 << 40
    facts = f"boot_id={machine.boot_id}\nhostname={machine.name}\nuptime=1\ndisk_free={free}\ninodes_free={free}\n"
    facts += "".join(f"program.{name}=1\n" for name in programs.split())
    return [
        ("workspace", workspace.encode()),
        ("records", "".join(f"{line}\n" for line in records).encode()),
        ("trash", b"0\n"),
        ("live", "".join(f"{line}\n" for line in live).encode()),
        ("facts", facts.encode()),
    ]


def _mark(run: RunDirectory, given: dict[str, str], now: float) -> str:
    """The completion mark, as lease.sh makes it."""
    said = dict(part.partition("=")[::2] for part in run.text.get("result", f"state=void;t={int(now)}").split(";"))
    if given.get("state") in ("blocked", "failed") and said["state"] in ("succeeded", "failed"):
        said |= {"state": given["state"], "r": given.get("reason", "")}
    owner = dict(part.partition("=")[::2] for part in run.text["owner"].split(";"))
    parts = {
        "state": said["state"],
        "r": said.get("r", ""),
        "q": owner["q"],
        "t": said["t"],
        "last": said.get("last", ""),
    }
    return ";".join(f"{key}={value}" for key, value in parts.items() if value)
