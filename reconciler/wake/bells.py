"""One open channel per host on which its supervisors ring; while it is open it also holds the fleet there.

A line only makes the loop look at that host; a lost, late or false one costs time, never truth.
"""

from collections.abc import Callable
from threading import Event, Thread

from reconciler.model.host import Host
from reconciler.remote.frames import Answer
from reconciler.remote.transport import Remote, Unknown

OPEN_FOR = 600  # seconds after which a channel is opened anew
REOPEN = 5.0  # seconds until a channel that broke is opened again, doubled up to the next line
REOPEN_MOST = 60.0


class Bells:
    """Keeps a channel to every host it is told of. `rang(host, open, held_by)` is called from threads."""

    def __init__(self, remote: Remote, ledger: str, rang: Callable[[str, bool, str], None]) -> None:
        self._remote = remote
        self._ledger = ledger
        self._rang = rang
        self._stops: dict[str, Event] = {}
        self._hosts: dict[str, Host] = {}
        self.open: set[str] = set()

    def keep(self, hosts: dict[str, Host]) -> None:
        """Open channels to `hosts`, close those to any other; a host that moved gets a new one."""
        for name in [name for name, host in self._hosts.items() if hosts.get(name) != host]:
            self._stops.pop(name).set()
            del self._hosts[name]
        for name, host in hosts.items():
            if name not in self._hosts:
                self._hosts[name] = host
                self._stops[name] = stop = Event()
                Thread(target=self._listen, args=(host, stop), daemon=True, name=f"bell-{name}").start()

    def close(self) -> None:
        """End all channels."""
        self.keep({})

    def _listen(self, host: Host, stop: Event) -> None:
        pause = REOPEN
        while not stop.is_set():
            reply = self._channel(host, stop)
            self.open.discard(host.name)
            if stop.is_set():
                return
            if isinstance(reply, Unknown):
                stop.wait(pause)
                pause = min(2 * pause, REOPEN_MOST)
            else:
                pause = REOPEN
                if reply.code == 3:
                    self._rang(host.name, False, reply.text("lease").strip() or "another controller")
                    stop.wait(REOPEN_MOST)
                elif reply.code != 0:
                    stop.wait(REOPEN_MOST)

    def _channel(self, host: Host, stop: Event) -> Unknown | Answer:
        def heard(name: str, data: bytes) -> None:
            if name == "ready":
                self.open.add(host.name)
                self._rang(host.name, True, "")
            elif name == "bell" and data.strip():
                self._rang(host.name, True, "")

        fields = [("root", host.workspace_root), ("prelude", ""), ("ledger", self._ledger), ("seconds", str(OPEN_FOR))]
        return self._remote.channel(host, "bell", fields, heard, stop)
