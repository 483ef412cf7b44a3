"""One cycle, and when to run the next.

    git ──load──▶ Desired ──┐
    hosts ─observe─▶ Observed ─┼─decide─▶ Plan ──act──▶ Outcomes ──record──▶ Ledger, events
    Ledger, now ────────────┘

A cycle reads everything and decides from scratch; a commit, a doorbell or a time only wakes it.
"""

import time
from collections.abc import Callable

from reconciler.clock import now
from reconciler.engine.engine import Engine
from reconciler.engine.events import BellRang, CommitSeen
from reconciler.engine.goals import next_time, settled
from reconciler.engine.tally import Tally
from reconciler.model.report import Report
from reconciler.wake.bells import Bells
from reconciler.wake.commits import CommitWatch
from reconciler.wake.requests import Requests

BLIND = 5.0  # seconds between looks at hosts with active runs whose doorbell is not open
PARTING = 2.0  # seconds for which calls under way may still answer when a signal asks for the end
HURRY = 3600.0  # seconds; the longest sleep


def cycle(engine: Engine) -> Report:
    """One cycle: look at every host, decide, act, look again where something was done. Raises ReconcilerError."""
    tally = Tally(selector=engine.options.selector)
    engine.tallies.append(tally)
    engine.single = True
    engine.round()
    while True:
        engine.step(0.2)
        if engine.resting():
            engine.save()
            return tally.report(engine.desired, engine.plan)


def converge(engine: Engine, timeout: float | None) -> Report:
    """Cycles until nothing is active and every wait left needs a commit or a person, or `timeout` seconds are over."""
    tally = Tally(waiting=True, selector=engine.options.selector)
    engine.tallies.append(tally)
    began = time.monotonic()

    def done() -> bool:
        return settled(engine, engine.options.selector) or (timeout is not None and time.monotonic() - began >= timeout)

    _run(engine, done, deadline=None if timeout is None else began + timeout)
    return tally.report(engine.desired, engine.plan, timed_out=not settled(engine, engine.options.selector))


def watch(engine: Engine, requests: Requests) -> None:
    """Converge until a signal asks for the end."""
    _run(engine, lambda: engine.stopped, deadline=None, requests=requests)


def _run(engine: Engine, done: Callable[[], bool], *, deadline: float | None, requests: Requests | None = None) -> None:
    """Rounds, woken by commits, doorbells and times, until `done`."""
    engine.round()
    commits = CommitWatch(
        engine.wanted.head,
        engine.wanted.watched(),
        lambda trouble: engine.queue.put(CommitSeen(trouble)),
        engine.desired.revision,
    )
    bells = Bells(
        engine.world.remote,
        engine.world.ledger.id,
        lambda host, is_open, held_by: engine.queue.put(BellRang(host, is_open, held_by)),
        take_over=engine.take_over,
    )
    worked: set[str] = set()  # hosts on which something ran since we began
    commits.start()
    round_due = engine.round_at + engine.next_round()
    blind_due = engine.round_at + BLIND
    try:
        while True:
            moment = time.monotonic()
            wakes = [round_due, blind_due, moment + next_time(engine, now()), moment + HURRY]
            wakes += [] if deadline is None else [deadline]
            wakes += requests.deadlines() if requests else []
            engine.step(min(wakes) - moment)
            if engine.stopped and deadline is None:
                deadline = time.monotonic() + PARTING
            if requests:
                requests.serve(engine)
            worked |= engine.hosts.sights.with_active_runs()
            bells.keep(engine.hosts.reachable(None if requests else worked))
            engine.save()
            if engine.resting():
                if done():
                    return
            elif deadline is not None and time.monotonic() >= deadline:
                return
            moment = time.monotonic()
            if next_time(engine, now()) <= 0:
                engine.awaken()
            if moment >= round_due:
                engine.round(busy_too=False)
                commits.look()
                round_due = moment + engine.next_round()
            if moment >= blind_due:
                engine.hosts.ask(engine.hosts.sights.with_active_runs() - bells.open - engine.operations.busy.keys())
                blind_due = moment + BLIND
    finally:
        commits.stop()
        bells.close()


__all__ = ["converge", "cycle", "watch"]
