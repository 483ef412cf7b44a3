"""The part of the ledger that knows runs: intents before the first byte, then what became of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from reconciler.model.memory import RunMemory
from reconciler.model.rows import Event
from reconciler.model.run import Result, State
from reconciler.record import columns
from reconciler.record.merge import END_EVENT, untold, why_ended
from reconciler.record.outcome import Told
from reconciler.record.records import Intent, RunRecord
from reconciler.record.room import Room


class RunBook(Room):
    """Runs and their ends. A run that nobody knows is passed over: its host will tell of it."""

    def intend(self, intents: Sequence[Intent], now: float) -> None:
        """Launches that are about to be sent, all of them durable when this returns. Raises LedgerError."""
        if not intents:
            return
        with self._looking() as held, self._writing(durable=True) as connection:
            for intent in intents:
                memory = _sent(intent, now)
                labels = columns.labels_to_json(intent.labels)
                held.put_run(connection, RunRecord(memory, "", intent.revision, intent.author, labels))

    def accepted(self, run: str, now: float) -> None:
        """Its host has claimed it. Raises LedgerError."""
        self._change(run, now, lambda old: replace(old, memory=replace(old.memory, accepted=True)))

    def refused(self, run: str, now: float, why: str = "") -> None:
        """Its launch was answered failed, stale or done; what its host reports later stands. Raises LedgerError."""
        self._change(run, now, lambda old: _ended(old, Result(State.VOID, why), now))

    def settle(self, run: str, result: Result, now: float, why: str = "") -> list[Event]:
        """Record a verdict that no host gave; gives what is news of it. Raises LedgerError."""
        void = result.state is State.VOID  # it never arrived, so nothing of it can be left

        def settled(old: RunRecord) -> RunRecord:
            fresh = _ended(old, result, now)
            return replace(fresh, memory=replace(fresh.memory, cleaned=void or fresh.memory.cleaned))

        return self._change(run, now, settled, why)

    def cancel_sent(self, run: str, why: str, now: float) -> None:
        """Its cancel has reached the host; the first reason stays. Raises LedgerError."""
        self._change(run, now, lambda old: replace(old, memory=replace(old.memory, cancel=old.memory.cancel or why)))

    def cleaned(self, run: str, now: float) -> None:
        """Nothing of it is left on its host but the completion mark. Raises LedgerError."""
        self._change(run, now, lambda old: replace(old, memory=replace(old.memory, cleaned=True)))

    def collected(self, run: str, now: float, told: Told) -> list[Event]:
        """Result and logs are here, and this is what the worker said of itself. Raises LedgerError."""

        def brought_home(old: RunRecord) -> RunRecord:
            end = told.result or old.memory.result
            memory = replace(
                old.memory,
                collected=True,
                result=end,
                state=end.state if end else old.memory.state,
                agent=old.memory.agent or told.agent,
                variant=old.memory.variant or told.variant,
                branch=told.branch or old.memory.branch,
                pull_request_url=told.pull_request_url or old.memory.pull_request_url,
                cost_usd=told.cost_usd,
                cool_until=told.cool_until,
            )
            return replace(
                old,
                memory=memory,
                summary=told.summary,
                guess=old.guess and told.result is None,
                notes=told.notes,
                session_id=told.session_id,
                tokens=told.tokens,
                qa=json.dumps(told.qa) if told.qa else "",
            )

        return self._change(run, now, brought_home, told.summary, durable=True)

    def _change(
        self,
        run: str,
        now: float,
        change: Callable[[RunRecord], RunRecord],
        why: str = "",
        *,
        durable: bool = False,
    ) -> list[Event]:
        with self._looking() as held:
            old = held.run(run)
            new = change(old) if old is not None else None
            if old is None or new is None or new == old:
                return []
            with self._writing(durable=durable) as connection:
                held.put_run(connection, new)
                return self._note(connection, _end_event(old.memory, new.memory, now, why))


def _sent(intent: Intent, now: float) -> RunMemory:
    memory = RunMemory(
        intent.name, intent.place, intent.lease, rerun_key=intent.rerun_key, sent_at=now, project=intent.project
    )
    work = intent.work
    if work is None:
        return memory
    return replace(
        memory,
        agent=work.agent.name,
        variant=work.agent.variant,
        worktree=work.worktree,
        branch=work.branch,
        pull_request_url=work.pull_request_url,
    )


def _ended(old: RunRecord, result: Result, now: float) -> RunRecord:
    """Our own verdict; it never overrules what a host said."""
    if old.memory.result is not None and not old.guess:
        return old
    memory = replace(old.memory, result=result, state=result.state, ended_at=now)
    return replace(old, memory=memory, guess=True, observed_at=now)


def _end_event(old: RunMemory, new: RunMemory, now: float, why: str) -> list[Event]:
    if new.result is None or new.state not in END_EVENT or (new.state is old.state and not untold(old)):
        return []
    name, host = new.name, new.place.host
    return [Event(now, END_EVENT[new.state], name.task, str(name), host, why_ended(new), why)]
