"""One open channel per host on which its supervisors ring; while it is open it also holds the fleet there.

A line only makes the loop look at that host; a lost, late or false one costs time, never truth.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread

from reconciler.model.host import Host
from reconciler.observe.look import question
from reconciler.remote.frames import Answer
from reconciler.remote.transport import Remote, Unknown

OPEN_FOR = 600  # seconds after which a channel is opened anew
REOPEN = 5.0  # seconds until a channel that broke is opened again, doubled up to the next line
REOPEN_MOST = 60.0
BURST = 100.0  # rings that count at once
RATE = 4.0  # and a second, from then on


@dataclass(slots=True)
class _Patience:
    """For a host that never stops to ring: what is not listened to is seen with the next ring, or the next round."""

    left: float = BURST
    at: float = 0.0

    def allows(self, now: float) -> bool:
        """Takes the time, which does not go back; returns whether this ring counts."""
        self.left = min(BURST, self.left + (now - self.at) * RATE)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Bells:
    """Keeps a channel to every host it is told of. `rang(host, open, held_by)` is called from threads."""

    def __init__(
        self, remote: Remote, ledger: str, rang: Callable[[str, bool, str], None], *, take_over: bool = False
    ) -> None:
        """`take_over`: the first channel to a host ends the one that another ledger has open there."""
        self._remote = remote
        self._ledger = ledger
        self._rang = rang
        self._take_over = take_over
        self._stops: dict[str, Event] = {}
        self._hosts: dict[str, Host] = {}
        self._ready: set[Event] = set()  # the stops of the channels that are open
        self._taken: set[str] = set()  # hosts where a channel of ours was open once

    @property
    def open(self) -> set[str]:
        """Hosts whose channel is open now."""
        return {name for name, stop in self._stops.items() if stop in self._ready}

    def keep(self, hosts: dict[str, Host]) -> None:
        """Open channels to `hosts`, close those to any other; a host that moved gets a new one."""
        for name in [name for name, host in self._hosts.items() if hosts.get(name) != host]:
            self._stops.pop(name).set()
            del self._hosts[name]
        for name, host in hosts.items():
            if name not in self._hosts:
                self._hosts[name] = host
                self._stops[name] = stop = Event()
                try:
                    Thread(target=self._listen, args=(name, host, stop), daemon=True, name=f"bell-{name}").start()
                except RuntimeError:  # no thread can be had: the next turn tries again
                    del self._hosts[name], self._stops[name]

    def close(self) -> None:
        """End all channels."""
        self.keep({})

    def _listen(self, name: str, host: Host, stop: Event) -> None:
        pause = REOPEN
        while not stop.is_set():
            began = time.monotonic()
            reply = self._channel(name, host, stop)
            opened = stop in self._ready
            self._ready.discard(stop)
            if stop.is_set():
                return
            if isinstance(reply, Answer) and reply.code == 3:
                self._rang(name, False, reply.sentence("lease") or "another controller")
            if opened:
                pause = REOPEN
                if time.monotonic() - began >= REOPEN:
                    continue  # it served its time, or broke: what rang in between is seen when it is open again
            stop.wait(pause)
            pause = min(2 * pause, REOPEN_MOST)

    def _channel(self, name: str, host: Host, stop: Event) -> Unknown | Answer:
        patience = _Patience()

        def heard(frame: str, data: bytes) -> None:
            if frame == "ready":
                self._ready.add(stop)
                self._taken.add(name)
                self._rang(name, True, "")
            elif frame == "bell" and data.strip() and patience.allows(time.monotonic()):
                self._rang(name, True, "")

        take_over = self._take_over and name not in self._taken
        fields = [("root", host.workspace_root), ("prelude", ""), ("ledger", self._ledger), ("seconds", str(OPEN_FOR))]
        fields.append(("take_over", "1" if take_over else "0"))
        return self._remote.channel(host, "bell", fields, heard, stop, answers=question(host))
