"""The part of the ledger that lets go of what is old."""

from reconciler.model.fleet import DAY, Retention
from reconciler.record.archive import Archive
from reconciler.record.held import Held
from reconciler.record.room import Room

EVENTS_AGE = 30 * DAY  # the least for which events are kept
EVENTS = 100_000  # the most that are kept, however young they are
REVISIONS = 10_000  # commits that are remembered as acted on
DOUBT = DAY  # for which nothing goes after the clock has leapt


class ExpiryBook(Room):
    """Old data."""

    _expired_at: float | None = None

    def expire(self, retention: Retention, now: float) -> str:
        """Let go of what is past its age; cheap when called often. Raises LedgerError.

        Returns why nothing went, where the clock is not to be believed yet: it says that more time has passed since
        this was last called than anything is kept for. Somebody may have set it wrongly, and sets it back within a day.
        A run's row stays as long as its task is in git or its host may still show its mark: finished work
        must not look new. Its archive goes when it is past its age and its host has let go of it too.
        """
        if self._expired_at is not None and 0 <= now - self._expired_at < min(3600, retention.age / 10):
            return ""
        with self._looking() as held:
            self._expired_at = now
            if doubt := self._doubt(held, retention, now):
                return doubt
            old = {
                name
                for name, record in held.runs.items()
                if record.memory.cleaned
                and record.memory.result is not None
                and (record.memory.ended_at or record.memory.sent_at) < now - retention.age
            }
            runs = {name for name in old if _nobody_knows(held, name)}
            before = now - max(retention.age, EVENTS_AGE)
            left = {record.memory.name.task for name, record in held.runs.items() if name not in runs}
            tasks = [
                name
                for name, record in held.tasks.items()
                if record.left_at is not None and record.left_at < before and name not in left
            ]
            with self._database.reading() as connection:
                events = connection.execute(
                    "SELECT 1 FROM events WHERE time < ? OR number <= (SELECT max(number) FROM events) - ? LIMIT 1",
                    (before, EVENTS + EVENTS // 100),
                ).fetchone()
            if self._database.lasts:
                self._expire_archive(held, old, now - retention.age)
            if not (runs or tasks or events or len(held.revisions) > REVISIONS + 100):
                return ""
            with self._writing() as connection:
                for name in runs:
                    held.remove_run(connection, name)
                for name in tasks:
                    held.remove_task(connection, name)
                connection.execute(
                    "DELETE FROM events WHERE time < ? OR number <= (SELECT max(number) FROM events) - ?",
                    (before, EVENTS),
                )
                connection.execute(
                    "DELETE FROM revisions WHERE revision NOT IN "
                    "(SELECT revision FROM revisions ORDER BY acted_at DESC LIMIT ?)",
                    (REVISIONS,),
                )
            held.drop_revisions()
            return ""

    def _doubt(self, held: Held, retention: Retention, now: float) -> str:
        """Why the clock is not believed; what it said, and since when it is doubted, outlives this process."""
        last, since = (float(held.meta.get(key, now)) for key in ("expired_at", "doubted_since"))
        leapt = "expired_at" in held.meta and now - last > max(DOUBT, retention.age)
        doubted = "doubted_since" in held.meta
        over = doubted and not 0 <= now - since < DOUBT
        with self._writing() as connection:
            held.put_meta(connection, "expired_at", repr(now))
            if over:
                held.remove_meta(connection, "doubted_since")
            elif leapt and not doubted:
                held.put_meta(connection, "doubted_since", repr(now))
        if over or not (leapt or doubted):
            return ""
        return "the clock has leapt ahead since the last cycle: for a day from then on nothing is removed for its age"

    def _expire_archive(self, held: Held, old: set[str], before: float) -> None:
        archive = Archive(self._database.path.parent / "runs")
        for name in archive.runs():
            if name in old or (name not in held.runs and archive.changed_at(name) < before):
                archive.remove(name)


def _nobody_knows(held: Held, name: str) -> bool:
    """Its task left git, and no host on the books can show its mark."""
    record = held.runs[name]
    task = held.tasks.get(record.memory.name.task)
    if task is not None and task.left_at is None:
        return False
    workspace = record.memory.place.workspace_id
    marked = any(host.memory.place.workspace_id == workspace for host in held.hosts.values())
    return not marked or record.guess
