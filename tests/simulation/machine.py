"""A fake host: processes, a disk, workspaces, and supervisors that go on when the scheduler lets them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from reconciler.model.run import RunName
from tests.simulation.truth import Truth

SUPERVISOR, REAPER, WORKER, STRANGER = "supervisor", "reaper", "worker", "stranger"
Move = tuple[str, Callable[[], None]]


@dataclass
class RunDirectory:
    """A run directory: records are (text, time of the host)."""

    root: str
    path: str
    name: RunName
    mark: str
    last: bool
    asked: bytes
    made_at: float
    records: dict[str, tuple[str, float]] = field(default_factory=dict)
    log: bytes = b""
    answer: bytes = b""
    exists: bool = True
    exit: int | None = None  # the worker has ended with it, and its supervisor is about to say so
    reap: tuple[str, str] = ("", "")  # what a reaper will record: state, reason

    @property
    def text(self) -> dict[str, str]:
        """The records' texts."""
        return {name: text for name, (text, _) in self.records.items()}

    @property
    def over(self) -> bool:
        """It has a result, or can never start."""
        return "result" in self.records or self.text.get("started") == "void"


@dataclass
class Workspace:
    """What lies below `<root>/_` and in the projects."""

    id: str = ""
    fleet: str = ""
    name: str = ""
    lease: tuple[int, str] | None = None
    revision: str = ""
    overtaken: str = ""  # the commit acted on here when somebody at another one took the lease
    holder: str = ""  # the ledger whose doorbell is open
    runs: dict[str, RunDirectory] = field(default_factory=dict)  # by path
    done: dict[str, tuple[str, float]] = field(default_factory=dict)
    trees: set[str] = field(default_factory=set)


@dataclass
class Process:
    """One process; pid and start make it out."""

    pid: int
    start: int
    role: str
    run: RunDirectory | None = None
    told: bool = False  # it got TERM


class Machine:
    """One host as it really is."""

    def __init__(self, name: str, truth: Truth, clock: Callable[[], float]) -> None:
        self.name = name
        self.truth = truth
        self._clock = clock
        self.skew = 0.0  # seconds that its clock is off
        self.boots = 1
        self.own_key = self.key = f"ssh-ed25519 {name}"
        self.reachable = True
        self.full = ""  # `space` or `inodes`: what its disk has none of
        self.spaces: dict[str, Workspace] = {}
        self.made = 0  # workspaces, ever
        self.processes: dict[int, Process] = {}
        self._pid = 100
        self._ticks = 1
        self.spawn(STRANGER)

    @property
    def now(self) -> float:
        """What its own clock says."""
        return self._clock() + self.skew

    @property
    def boot_id(self) -> str:
        """As its scripts read it."""
        return f"{self.name}{self.boots:08x}".ljust(12, "0")

    def space(self, root: str) -> Workspace:
        """The workspace at `root`, nothing in it when there is none."""
        return self.spaces.setdefault(root, Workspace())

    # --- processes ---

    def spawn(self, role: str, run: RunDirectory | None = None) -> Process:
        """Start a process. Pids are given again after a reboot, starts never within one."""
        self._pid += 1
        self._ticks += 1
        process = Process(self._pid, self._ticks, role, run)
        self.processes[process.pid] = process
        if role == WORKER and run:
            self.truth.begins(run.mark, self.name)
        return process

    def end(self, process: Process) -> None:
        """It is no more."""
        del self.processes[process.pid]
        if process.role == WORKER and process.run:
            self.truth.ends(process.run.mark)

    def kill(self, pid: int) -> None:
        """What the scripts send KILL to."""
        process = self.processes[pid]
        if process.role == STRANGER:
            self.truth.violation(f"a stranger is killed on {self.name}")
        self.end(process)

    def of(self, run: RunDirectory, *roles: str) -> list[Process]:
        """The living processes of a run."""
        return [one for one in self.processes.values() if one.run is run and one.role in roles]

    def locked(self, run: RunDirectory) -> bool:
        """Whether its lock is held."""
        return bool(self.of(run, SUPERVISOR, REAPER))

    def survivors(self, run: RunDirectory) -> list[Process]:
        """What carries its mark."""
        return self.of(run, WORKER)

    # --- what happens by itself ---

    def moves(self) -> Iterator[Move]:
        """What may happen next here."""
        for process in list(self.processes.values()):
            run = process.run
            if run is None:
                continue
            if process.role == REAPER:
                yield "reap", lambda process=process, run=run: self._reap(process, run)
            elif process.role == SUPERVISOR:
                yield self._supervise(process, run)

    def _supervise(self, process: Process, run: RunDirectory) -> Move:
        if "started" not in run.records or (run.text["started"] == "void" and not process.told):
            return "begin", lambda: self._begin(process, run)
        if process.told or "cancel" in run.records:
            return "cancel", lambda: self._canceled(process, run)
        if run.exit is not None:
            return "result", lambda: self._result(process, run)
        if self.survivors(run):
            return "exit", lambda: self.exits(run, 0)
        return "work", lambda: self._work(run)

    def _begin(self, process: Process, run: RunDirectory) -> None:
        if "started" in run.records or not run.exists:  # void was faster, or there is no place to record it
            self.end(process)
            return
        self.record(run, "started", f"p={process.pid};s={process.start};b={self.boot_id}")

    def _work(self, run: RunDirectory) -> None:
        run.records["phase"] = "work", self.now
        self.spawn(WORKER, run)

    def exits(self, run: RunDirectory, code: int) -> None:
        """The worker ends; its supervisor has not said so yet."""
        for process in self.survivors(run):
            self.end(process)
        run.exit = code
        run.log += f"{run.name} exits {code}\n".encode()

    def _result(self, process: Process, run: RunDirectory) -> None:
        code = run.exit or 0
        said = f"failed;rc={code};r=ExitCode" if code else "succeeded;rc=0"
        self.finish(run, f"state={said};t={int(self.now)}")
        self.end(process)

    def _canceled(self, process: Process, run: RunDirectory) -> None:
        for other in self.survivors(run):
            self.kill(other.pid)
        state = "canceled" if "cancel" in run.records else "lost;r=SupervisorGone"
        self.finish(run, f"state={state};t={int(self.now)}")
        self.end(process)

    def _reap(self, process: Process, run: RunDirectory) -> None:
        for other in self.survivors(run):
            self.kill(other.pid)
        state, reason = run.reap
        self.finish(run, f"state={state}{f';r={reason}' if reason else ''};t={int(self.now)}")
        self.end(process)

    def record(self, run: RunDirectory, name: str, text: str) -> bool:
        """Make a record; the first one stands. What lies in a directory that is gone is nowhere."""
        if not run.exists or name in run.records:
            return False
        run.records[name] = text, self.now
        return True

    def finish(self, run: RunDirectory, text: str) -> None:
        """Write the result."""
        if run.last and not text.startswith("state=canceled"):
            text += ";last=1"
        if self.record(run, "result", text):
            self.truth.recorded(run.mark, text, self.workspace_of(run))

    def workspace_of(self, run: RunDirectory) -> str:
        """The id of the workspace that a run directory lies in."""
        return next((space.id for space in self.spaces.values() if space.runs.get(run.path) is run), "")

    # --- what is done to it ---

    def reboot(self) -> None:
        """All processes end at once; pids begin anew."""
        for process in list(self.processes.values()):
            self.end(process)
        self.boots += 1
        self._pid, self._ticks = 100, 1
        for space in self.spaces.values():
            space.holder = ""
        for _ in range(3):
            self.spawn(STRANGER)  # they have the pids of those who died

    def wipe(self) -> None:
        """`rm -rf` of every workspace: the processes live on."""
        for space in self.spaces.values():
            for run in space.runs.values():
                run.exists = False
            self.truth.wiped(space.id)
        self.spaces.clear()
