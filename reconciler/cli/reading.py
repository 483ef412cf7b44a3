"""What the verbs that look have in common: the ledger, fresh enough; names and kinds as typed."""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.context import Context
from reconciler.cli.printing import note
from reconciler.errors import ReconcilerError, UsageError

if TYPE_CHECKING:
    from reconciler.engine.desired import Wanted
    from reconciler.record.ledger import Ledger

SINGULAR = ("task", "run", "host", "project", "agent")
KINDS = {word: kind for kind in SINGULAR for word in (kind, f"{kind}s")}


def refresh_option(command: Any) -> Any:
    """`--refresh`, wherever the ledger is looked into."""
    return click.option("--refresh", is_flag=True, help="Ask the hosts first.")(command)


class Reader:
    """The ledger of a fleet, kept fresh: a context manager that gives the ledger for reading."""

    def __init__(self, context: Context, refresh: bool = False) -> None:
        """Open the fleet repository; with `refresh` the hosts are asked in any case. Raises ReconcilerError."""
        from reconciler.cli.opening import open_fleet
        from reconciler.record.archive import Archive
        from reconciler.record.ledger import Ledger

        self._context = context
        self.fleet = open_fleet(context)
        self._ledger = Ledger.open(self.fleet.folder / "ledger.db", readonly=True)
        self.archive = Archive(self.fleet.folder / "runs")
        self._asked_at: float | None = None
        self.renew(refresh)

    def __enter__(self) -> "Ledger":
        from reconciler.show.escape import safe

        if refused := self._ledger.commit_refused():
            click.echo(f"note: {safe(refused)}", err=True)
        return self._ledger

    def __exit__(self, *_: object) -> None:
        self._ledger.close()

    def renew(self, refresh: bool = False) -> None:
        """Take in what was written since; ask the hosts first with `refresh`, or when no cycle ended within `interval`.

        Raises ReconcilerError; when a refresh that nobody asked for fails, that is only told.
        """
        from reconciler.cli.opening import refresh as ask_hosts
        from reconciler.clock import now

        self._ledger.renew()
        times = [time for time in (self._ledger.last_cycle_at(), self._asked_at) if time is not None]
        if not refresh and times and now() - max(times) <= self._interval:
            return
        self._asked_at = now()
        try:
            ask_hosts(self._context)
        except ReconcilerError as failure:
            if refresh:
                raise
            note(f"the hosts could not be asked, this is what was known: {failure}")
        self._ledger.renew()

    @cached_property
    def _interval(self) -> float:
        """Seconds between full looks, as the newest commit says that may be acted on."""
        try:
            return float(self.fleet.wanted.newest(self._ledger).fleet.interval)
        except ReconcilerError:
            return 30.0


def kind_and_names(words: Iterable[str]) -> tuple[str, list[str]]:
    """`task build`, `tasks`, `task/build` as the kind and the names. Raises UsageError."""
    first, *names = words
    word, slash, name = first.partition("/")
    kind = KINDS.get(word.lower())
    if kind is None:
        from reconciler.show.selector import did_you_mean

        hint = did_you_mean(word.lower(), KINDS) or " (there are tasks, runs, hosts, projects and agents)"
        raise UsageError(f"there is no kind '{word}'{hint}")
    return kind, [bare_name(given, kind) for given in ([name] if slash else []) + names]


def bare_name(typed: str, kind: str) -> str:
    """`build` or `task/build` as `build`. Raises UsageError when another kind is named."""
    word, slash, name = typed.rpartition("/")
    if slash and KINDS.get(word.lower()) != kind:
        raise UsageError(f"'{typed}' does not name a {kind}: write {name} or {kind}/{name}")
    return name


def committed(wanted: "Wanted", task: str, ledger: "Ledger") -> bool:
    """Whether the newest commit declares a task: it may be newer than what the ledger knows."""
    try:
        return task in wanted.tasks(ledger)
    except ReconcilerError:
        return False


def unknown(
    kind: str, name: str, known: Iterable[str], wanted: "Wanted | None" = None, ledger: "Ledger | None" = None
) -> ReconcilerError:
    """The one sentence about a name that is not there; `wanted`: where a task may be that no cycle has read."""
    from reconciler.show.escape import safe
    from reconciler.show.selector import did_you_mean

    if kind == "task" and wanted is not None and ledger is not None and committed(wanted, name, ledger):
        return ReconcilerError(f"no cycle has read the commit of task '{name}' yet: run `reconciler reconcile`")
    hint = did_you_mean(name, known) or f": `reconciler get {kind}s` lists them all"
    return ReconcilerError(f"there is no {kind} '{safe(name)}'{hint}")
