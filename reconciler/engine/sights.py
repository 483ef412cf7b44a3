"""What is known of each host right now, and which leases this process holds."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from reconciler.model.host import Host
from reconciler.model.observed import Seen, Unseen


class Sights:
    """The newest report of every host. A busy host is `asking`: what it will answer is not known yet."""

    def __init__(self, ledger: str) -> None:
        self._ledger = ledger
        self._last: dict[str, Seen | Unseen] = {}
        self._programs: dict[str, tuple[str, dict[str, bool]]] = {}  # host -> boot id, program -> is it there
        self.held: dict[str, int] = {}  # host -> lease number taken by this process

    def observed(self, hosts: Mapping[str, Host], busy: Mapping[str, str]) -> dict[str, Seen | Unseen]:
        """One value per host, for deciding."""
        return {name: self._one(name, busy) for name in hosts}

    def _one(self, name: str, busy: Mapping[str, str]) -> Seen | Unseen:
        last = self._last.get(name)
        if name in busy:
            # A host that did not answer last time stays unseen for that reason until it does.
            return last if isinstance(last, Unseen) and busy[name] == "look" else Unseen("still asking", asking=True)
        return last or Unseen("not asked yet", asking=True)

    def note(self, name: str, sight: Seen | Unseen) -> str:
        """Keep a report. Gives who took the lease away, when somebody did while we held it; else an empty text."""
        self._last[name] = self._with_programs(name, sight)
        if isinstance(sight, Seen) and sight.lease and name in self.held:
            number, ledger = sight.lease
            if ledger != self._ledger and number > self.held[name]:
                return f"controller {ledger} took {name} (lease {number}, ours was {self.held[name]})"
        return ""

    def _with_programs(self, name: str, sight: Seen | Unseen) -> Seen | Unseen:
        """Programs are not looked for each time: what is known of them stays until the machine starts anew."""
        if not isinstance(sight, Seen):
            return sight
        boot, known = self._programs.get(name, ("", {}))
        if boot != sight.facts.boot_id:
            known = {}
        known = {**known, **sight.facts.programs}
        self._programs[name] = sight.facts.boot_id, known
        return replace(sight, facts=replace(sight.facts, programs=known))

    def lacking(self, name: str, programs: Collection[str]) -> list[str]:
        """Those of `programs` that this host is not known to have."""
        known = self._programs.get(name, ("", {}))[1]
        return sorted(program for program in programs if not known.get(program))

    def unasked(self, name: str, programs: Collection[str]) -> bool:
        """Whether a host that was seen has not been asked about all of `programs`: nobody knows what starts there."""
        known = self._programs.get(name, ("", {}))[1]
        return self.get(name) is not None and any(program not in known for program in programs)

    def forget_programs(self, name: str) -> None:
        """Its PATH has changed."""
        self._programs.pop(name, None)

    def get(self, name: str) -> Seen | None:
        """The last report of a host that was seen."""
        sight = self._last.get(name)
        return sight if isinstance(sight, Seen) else None

    def with_workspace(self) -> set[str]:
        """Hosts that were seen and have a workspace."""
        return {name for name, sight in self._last.items() if isinstance(sight, Seen) and sight.workspace_id}

    def with_active_runs(self) -> set[str]:
        """Hosts that were seen with a run that had not ended."""
        seen = ((name, self.get(name)) for name in self._last)
        return {name for name, sight in seen if sight and any(run.active for run in sight.runs.values())}

    def named(self, name: str) -> str:
        """The Host name that a host's workspace goes by, when that is another one."""
        sight = self.get(name)
        return sight.host_name if sight and sight.host_name != name else ""

    def directory(self, host: str, run: str) -> str:
        """Where a run lies below the workspace root; empty when the report does not show it."""
        sight = self.get(host)
        report = sight.runs.get(run) if sight else None
        return report.directory if report else ""

    def keep(self, names: Collection[str]) -> None:
        """Forget all but these: they are in git or on the books no more. What is held stays held."""
        for known in (self._last, self._programs):
            for name in known.keys() - set(names):
                del known[name]

    def forget(self, name: str) -> None:
        """Nothing more is known or held there."""
        self._last.pop(name, None)
        self._programs.pop(name, None)
        self.held.pop(name, None)
