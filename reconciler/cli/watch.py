"""`reconciler watch`."""

import signal
from tempfile import TemporaryFile
from threading import Event
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import Duration
from reconciler.cli.context import Context
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.change import Options

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.cli.opening import Listener

LOOK = 5.0  # seconds between two looks whether a full disk has room again
ROOM = 1 << 18  # bytes that have to fit


@click.command()
@click.option("--interval", type=Duration(), help="Time between full looks at all hosts.  [the fleet's interval]")
@click.option("--take-over", is_flag=True, help="Take the fleet from a `watch` on another machine.")
@click.pass_obj
def watch(context: Context, interval: float | None, take_over: bool) -> int:
    """Converge for ever: a commit, a worker's end or a backoff's end wakes it at once.

    SIGTERM ends it within seconds and leaves workers running; SIGHUP makes it read everything again. Beside it,
    `reconciler reconcile` of the same state hands its request over.
    """
    from reconciler.cli.opening import printer

    if interval is not None and interval < 1:
        raise UsageError("--interval has to be at least 1s")
    listener = printer(context)
    try:
        _watch(context, listener, interval, take_over)
    except ReconcilerError as failure:
        return listener.failure(failure)
    return 0


def _watch(context: Context, listener: "Listener", interval: float | None, take_over: bool) -> None:
    from reconciler.cli.opening import controller, open_fleet, remote
    from reconciler.cli.printing import report_answer
    from reconciler.clock import now
    from reconciler.engine.engine import Engine
    from reconciler.engine.events import Reread, Stopped
    from reconciler.loop import watch as serve
    from reconciler.record.database import DiskFull
    from reconciler.wake.requests import Requests

    def begin() -> None:
        engine = Engine(world, fleet.wanted, Options(), now)
        engine.take_over, engine.interval = take_over, interval
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: engine.queue.put(Stopped()))
        signal.signal(signal.SIGHUP, lambda *_: engine.queue.put(Reread()))
        requests = Requests(fleet.folder, engine.queue.put, report_answer)
        requests.open()
        try:
            serve(engine, requests)
        finally:
            requests.close()

    fleet = open_fleet(context)
    with controller(context, fleet, "watch") as world:
        world.listen, world.trouble = listener.event, listener.trouble
        while True:
            try:
                return begin()
            except DiskFull as full:
                # From here on it is as if it had been killed: nothing goes on, and what was going on is looked at anew.
                world.remote.close()
                world.trouble(f"{full}; it goes on by itself when there is room")
            if not _room_comes(fleet.folder):
                return None
            world.trouble("there is room on the disk again")
            world.remote = remote(context, fleet)


def _room_comes(folder: "Path") -> bool:
    """Wait until something can be written there; False when a signal asks for the end before."""
    end = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    while not end.wait(LOOK):
        try:
            with TemporaryFile(dir=folder, buffering=0) as trial:
                for _ in range(ROOM >> 12):
                    trial.write(bytes(1 << 12))
            return True
        except OSError:
            continue
    return False
