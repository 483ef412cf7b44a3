"""Everything outside that a controller works with: ledger, archive, hosts, secrets, and who listens."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.errors import ReconcilerError
from reconciler.load.documents import Document
from reconciler.model.desired import Desired
from reconciler.model.host import Host
from reconciler.model.observed import Seen, Unseen
from reconciler.model.problem import Severity
from reconciler.model.rows import Event, EventType
from reconciler.record.archive import Archive
from reconciler.record.ledger import Ledger
from reconciler.record.redactor import Redactor
from reconciler.record.secrets import Secrets
from reconciler.remote.transport import Remote


@dataclass
class World:
    """The effects of a controller; `listen` gets every event as it is recorded, `trouble` what is for people only."""

    ledger: Ledger
    archive: Archive
    redactor: Redactor  # the archive's own: what it knows is never written
    remote: Remote
    secrets: Secrets
    launcher: str  # who launches: user@machine
    load_secrets: Callable[[], Secrets]
    listen: Callable[[Event], None] = lambda event: None
    trouble: Callable[[str], None] = lambda text: None
    holds: Callable[[], bool] = lambda: True  # whether the state folder is still the one that was claimed
    _invalid: tuple[str, ...] = ()
    _remembered: frozenset[Document] = frozenset()  # what the ledger has, so that a commit costs what it changes
    _learned: set[str] = field(default_factory=set)
    _troubles: dict[str, str] = field(default_factory=dict)  # what cannot be read -> why, as it was told

    def remember(self, desired: Desired, documents: Sequence[Document], now: float) -> None:
        """A commit was taken up: its good documents are what a later bad file falls back to."""
        fresh = (document for document in documents if document not in self._remembered)
        self.ledger.remember_documents({document.slot: json.dumps(document.to_json()) for document in fresh})
        self._remembered = frozenset(documents)
        self.ledger.tasks_seen(desired, now)
        self.ledger.drains([name for name, host in desired.hosts.items() if host.drain], now)
        invalid = tuple(f"{p.file}:{p.line}: {p.message}" for p in desired.problems if p.severity is Severity.ERROR)
        at = f"at {desired.revision[:12]}"
        if at not in (event.message for event in self.ledger.events(types={EventType.REVISION}, limit=1)):
            news = invalid if invalid != self._invalid else ()
            self.tell([Event(now, EventType.REVISION, message=at)])
            self.tell([Event(now, EventType.INVALID, message=text) for text in news])
        self._invalid = invalid
        refused = str(desired.refused or "")
        if self.ledger.refuse_commit(refused) and refused:
            self.tell([Event(now, EventType.INVALID, message=refused)])

    def saw(self, host: Host, sight: Seen | Unseen, now: float) -> None:
        """Record a look at a host."""
        if isinstance(sight, Seen):
            events = self.ledger.observe(host, sight, now)
        else:
            events = self.ledger.unseen(host, sight.why, now)
        for event in events:
            self.listen(event)

    def took(self, host: Host, sight: Seen, number: int, now: float) -> None:
        """Record that a host's lease is ours."""
        self.ledger.taken(host, sight.workspace_id, number, now)

    def tell(self, events: Sequence[Event]) -> None:
        """Record events and pass them on."""
        self.ledger.add_events(events)
        for event in events:
            self.listen(event)

    def knows(self, values: Mapping[str, str]) -> None:
        """These secrets were resolved: what they are is masked from now on."""
        self.redactor.add(values.values())
        self._learned |= values.keys()

    def hide(self, words: str) -> str:
        """What a host said, without secrets; it may have been cut off in the middle of one."""
        said = words.removesuffix("…")
        return self.redactor.scrub(said, cut=True) + words[len(said) :]

    def learn(self, names: Iterable[str]) -> str:
        """What a worker may have printed must be known before it is kept or shown, by a later controller too.

        Returns why one of `names` cannot be had, and so cannot be masked; empty when all can. Called from any thread.
        """
        trouble = ""
        for name in sorted(set(names) - self._learned):
            if self.secrets.gone(name):
                continue
            try:
                self.knows(self.secrets.resolve([name]))
            except ReconcilerError as problem:
                trouble = f"{problem} (where it was revoked for good: `{name}: {{gone: true}}` in secrets.yaml)"
        return trouble

    def learn_at_hand(self, desired: Desired) -> None:
        """Learn what documents give to workers, as far as no command has to be asked for it: a host may say it in an
        error, long after it was sent."""
        of_tasks = (secret for task in desired.tasks.values() for secret in task.secrets)
        of_projects = (secret for project in desired.projects.values() for secret in project.secrets)
        of_agents = (secret for agent in desired.agents.values() for secret in agent.secrets)
        names = {secret.origin for secret in (*of_tasks, *of_projects, *of_agents)}
        self.learn(name for name in names if not self.secrets.asks(name))

    def trouble_with(self, what: str, why: str) -> None:
        """Tell once why `what` cannot be read, and once (an empty `why`) that it can be again."""
        if why != self._troubles.get(what, ""):
            self._troubles[what] = why
            self.trouble(why or f"{what} can be read again")

    def reread(self) -> None:
        """Read the controller's own configuration again; what cannot be read stays as it was."""
        try:
            self.secrets = self.load_secrets()
        except ReconcilerError as problem:
            self.trouble_with("secrets.yaml", str(problem))
        else:
            self._learned = set()
            self.trouble_with("secrets.yaml", "")

    def check(self) -> None:
        """Raises ReconcilerError when the state folder was taken away from under us."""
        if not self.holds():
            raise ReconcilerError(f"{self.ledger.path.parent} was removed or replaced while in use: start again")
