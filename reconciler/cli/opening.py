"""From the global options to an open repository, ledger and controller."""

import getpass
import hashlib
import json
import resource
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.context import Context
from reconciler.errors import LeaseLost, ReconcilerError
from reconciler.model.change import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.engine.desired import Wanted
    from reconciler.engine.engine import Engine
    from reconciler.engine.world import World
    from reconciler.model.rows import Event
    from reconciler.record.claim import Holder
    from reconciler.record.ledger import Ledger
    from reconciler.record.secrets import Secrets
    from reconciler.remote.transport import Remote
    from reconciler.show.paper import Paper

SECRET_DEADLINE = 30.0  # seconds for a command that prints a secret


@dataclass(frozen=True)
class Fleet:
    """An opened fleet repository and the folder of what this machine knows of the fleet."""

    wanted: "Wanted"
    folder: Path


def open_fleet(context: Context, *, worktree: bool = False) -> Fleet:
    """Open the repository, settle which branch is followed, find the fleet's state folder. Raises ReconcilerError."""
    from reconciler.cli.pins import pinned_signers
    from reconciler.engine.desired import Invalid, Wanted
    from reconciler.load.git import open_repository

    repository = open_repository(context.repo, context.state_root / "repositories")
    place = repository.location if repository.url else f"{repository.git_dir}:{repository.prefix}"
    memo = _Memo(context.state_root / "repositories", place)
    known = memo.read()
    ref = context.ref or known.get("ref")
    if ref is None and not repository.url:
        ref = repository.branch()
    if repository.url:
        repository.fetch()
        ref = ref or repository.branch()
    # A detached HEAD is that commit for as long as we run, and nothing is remembered of it.
    wanted = Wanted(repository, ref or repository.resolve(), worktree, pinned=pinned_signers(context))
    fleet = known.get("fleet")
    try:
        fleet = wanted.peek()
    except Invalid:
        if fleet is None:
            raise
    if known.get("fleet") and fleet != known["fleet"] and not worktree:
        fleet = _same_fleet(context, wanted, known["fleet"])
    if fleet is None:
        raise ReconcilerError("the fleet has no id: run `reconciler validate`")
    memo.write({"repo": repository.location, "ref": known.get("ref") or context.ref or ref, "fleet": fleet})
    return Fleet(wanted, context.state_root / "fleets" / fleet)


def _same_fleet(context: Context, wanted: "Wanted", known: str) -> str:
    """The fleet's id when the newest commit has another one than is known: a commit that is refused changes none.

    Else whoever can push could have the fleet met anew, with keys of their own."""
    from reconciler.record.ledger import Ledger

    with Ledger.open(context.state_root / "fleets" / known / "ledger.db", readonly=True) as ledger:
        return wanted.newest(ledger).fleet.id


def open_ledger(context: Context) -> "Ledger":
    """The fleet's ledger for reading; an empty one when nothing was ever recorded."""
    from reconciler.record.ledger import Ledger

    return Ledger.open(open_fleet(context).folder / "ledger.db", readonly=True)


@contextmanager
def controller(context: Context, fleet: Fleet, verb: str) -> "Iterator[World]":
    """Be the one controller of the fleet on this machine. Raises Occupied while another process is."""
    from reconciler.record.claim import Claim, Holder
    from reconciler.record.ledger import Ledger

    fleet.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    claim = Claim.acquire(fleet.folder / "controller.lock", verb, _now())
    if isinstance(claim, Holder):
        raise Occupied(claim)
    with claim, Ledger.open(fleet.folder / "ledger.db") as ledger:
        world = build_world(context, fleet, ledger)
        world.holds = claim.holds
        try:
            yield world
        finally:
            world.remote.close()


class Occupied(LeaseLost):
    """Another process on this machine is the fleet's controller."""

    def __init__(self, holder: "Holder") -> None:
        from reconciler.show.times import moment

        who = f"`reconciler {holder.verb}`, pid {holder.pid}, since {moment(holder.since)}" if holder.pid else "another"
        super().__init__(f"a controller is at work on this fleet here ({who}): end it first, or work through it")
        self.verb = holder.verb


def build_world(context: Context, fleet: Fleet, ledger: "Ledger") -> "World":
    """Everything that a controller works with, around an open ledger."""
    from reconciler.engine.world import World
    from reconciler.record.archive import Archive
    from reconciler.record.redactor import Redactor

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # secrets are in our memory, and in that of what we start
    redactor = Redactor()
    return World(
        ledger=ledger,
        archive=Archive(fleet.folder / "runs", redactor),
        redactor=redactor,
        remote=remote(context, fleet),
        secrets=load_secrets(),
        load_secrets=load_secrets,
        launcher=f"{_user()}@{socket.gethostname()}",
    )


def remote(context: Context, fleet: Fleet) -> "Remote":
    """The fleet's hosts as they are reached from here. Raises ReconcilerError."""
    from reconciler.remote.transport import Remote

    return Remote(fleet.folder, ssh_config=context.ssh_config, identity_file=context.identity_file)


def load_secrets() -> "Secrets":
    """Where secret values come from: `secrets.yaml` in the configuration folder. Raises ReconcilerError."""
    from platformdirs import user_config_path

    from reconciler.load.yaml import read
    from reconciler.record.secrets import Secrets

    path = user_config_path("reconciler") / "secrets.yaml"
    try:
        reading = read(path.read_bytes())
    except FileNotFoundError:
        return Secrets({}, folder=path.parent)
    except OSError as problem:
        raise ReconcilerError(f"{path} cannot be read: {problem.strerror}") from problem
    if reading.faults:
        fault = reading.faults[0]
        hint = f": {fault.hint}" if fault.hint else ""
        raise ReconcilerError(f"{path}:{fault.mark.line}:{fault.mark.column}: {fault.message}{hint}")
    if len(reading.contents) > 1:
        raise ReconcilerError(f"{path}:{reading.contents[1].mark.line}: a second document is not read: join them")
    sources = reading.contents[0].value if reading.contents else {}
    if not isinstance(sources, dict):
        raise ReconcilerError(f"{path}: name each secret with where it comes from, such as `GH_TOKEN: {{env: GH}}`")
    return Secrets(sources, folder=path.parent, run=_run_command)


@contextmanager
def looking(context: Context, fleet: Fleet, options: Options, *, recording: bool = False) -> "Iterator[Engine]":
    """An engine that changes nothing on hosts; with `recording` (and nobody else at work) it fills the ledger."""
    from reconciler.clock import now
    from reconciler.engine.engine import Engine
    from reconciler.record.ledger import Ledger

    if recording:
        with controller(context, fleet, "get") as world:
            yield Engine(world, fleet.wanted, options, now, acting=False, recording=True)
        return
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        world = build_world(context, fleet, ledger)
        try:
            yield Engine(world, fleet.wanted, options, now, acting=False)
        finally:
            world.remote.close()


def refresh(context: Context) -> bool:
    """Ask all hosts and record what they say; False when a controller is at work (its ledger is fresh anyway)."""
    from reconciler.loop import cycle

    fleet = open_fleet(context)
    try:
        with looking(context, fleet, Options(), recording=True) as engine:
            cycle(engine)
    except Occupied:
        return False
    return True


def printer(context: Context) -> "Listener":
    """Prints events and trouble to standard error in the log format asked for."""
    from reconciler.cli.printing import journal

    return Listener(context.log_format, context.log_level, journal(context))


class Listener:
    """Log lines for people and machines."""

    def __init__(self, log_format: str, level: str, paper: "Paper") -> None:
        """`paper`: what standard error is."""
        self._json = log_format == "json"
        self._quiet = level in ("warning", "error")
        self._paper = paper

    def event(self, event: "Event") -> None:
        """One line for an event."""

        from reconciler.show.lines import event_json, event_line

        if not self._quiet:
            _log(event_json(event) if self._json else event_line(event, self._paper))

    def trouble(self, text: str, kind: str = "warning") -> None:
        """One line for what is no event: the same keys, `type` says how bad it is."""

        from reconciler.clock import now
        from reconciler.show.lines import trouble_json, trouble_line

        said = trouble_json(text, kind, now()) if self._json else trouble_line(text, kind, now(), self._paper)
        _log(said)

    def failure(self, failure: ReconcilerError) -> int:
        """What ended the command, as the last line; gives the exit code. Raises it again when people read along."""
        if not self._json:
            raise failure
        self.trouble(str(failure), "error")
        return int(failure.exit)


def _log(line: str) -> None:
    """One line on standard error; a log that is full or closed stops no work."""
    import click

    with suppress(OSError):
        click.echo(line, err=True, color=True)


class _Memo:
    """What is remembered of a repository: the branch followed, the fleet's id."""

    def __init__(self, folder: Path, location: str) -> None:
        self._path = folder / (hashlib.sha256(location.encode()).hexdigest()[:16] + ".json")

    def read(self) -> dict[str, str]:
        try:
            content = json.loads(self._path.read_text())
        except (OSError, ValueError, RecursionError):
            return {}
        known = content if isinstance(content, dict) else {}
        return {key: value for key, value in known.items() if value and isinstance(value, str)}

    def write(self, content: Mapping[str, str | None]) -> None:
        if self.read() == {key: value for key, value in content.items() if value}:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(content))
        fresh.replace(self._path)


def _run_command(words: "Sequence[str]") -> bytes:
    """A secret's command and what it printed. Raises ReconcilerError when it fails."""
    from reconciler.remote.process import run

    ended = run(words, deadline=SECRET_DEADLINE, cap=1 << 20)
    if ended.cut:
        raise ReconcilerError(f"its command {words[0]} printed more than 1 MiB")
    if ended.code != 0:
        raise ReconcilerError(f"its command {words[0]} exited {ended.code}")
    return ended.output


def _now() -> float:
    from reconciler.clock import now

    return now()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
