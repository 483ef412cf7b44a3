"""Hosts that refuse the login are asked less and less often: sshd locks out who keeps trying (PerSourcePenalties)."""

import random
from collections.abc import Collection, Mapping

from reconciler.model.host import Host
from reconciler.model.observed import Seen, Unseen

FIRST = 30.0  # seconds until a host that refused the login is asked again; doubled each time
MOST = 600.0


class Denials:
    """Remembers refusals; a changed document is tried at once."""

    def __init__(self) -> None:
        self._refused: dict[str, tuple[Host, int, float]] = {}  # how it was asked, how often in a row, not before

    def note(self, name: str, host: Host, sight: Seen | Unseen, now: float) -> None:
        """A host answered, or did not; `now` is monotonic."""
        if isinstance(sight, Unseen) and sight.denied:
            before = self._refused.get(name)
            times = before[1] + 1 if before else 1
            pause = min(MOST, FIRST * 2 ** (times - 1)) * random.uniform(0.9, 1.1)  # noqa: S311 (no secret)
            self._refused[name] = (host, times, now + pause)
        else:
            self._refused.pop(name, None)

    def patient(self, hosts: Mapping[str, Host], now: float) -> set[str]:
        """Those of `hosts` that are not to be asked yet."""
        return {
            name
            for name, (host, _, until) in self._refused.items()
            if name in hosts and hosts[name].reach == host.reach and hosts[name].place == host.place and now < until
        }

    def keep(self, names: Collection[str]) -> None:
        """Forget all but these."""
        self._refused = {name: refusal for name, refusal in self._refused.items() if name in names}

    def clear(self) -> None:
        """A person has asked: everybody may be tried again."""
        self._refused.clear()
