"""Processes that are nobody's work: they look like workers, have pids that workers had, and are never touched."""

from tests.chaos.truth import born, records
from tests.machines.machine import Machine

# What they are called, and what is in their environment. None is a run's mark: that is an exact line of its own.
LOOKS = {
    "sleep 7001": {},
    "bash ~/.reconciler/_/runs/t1-00000000-1/supervisor.sh": {},
    "RECONCILER_MARK=t1-00000000-1;0 worker": {"RECONCILER_RUN": "t1-00000000-1"},
    "codex exec -": {"NOTE": "RECONCILER_MARK=t1-00000000-1;0"},
}
SLEEP = ["sleep", "86400"]


class Strangers:
    """Those of all machines; they go with a reboot, and come again after it."""

    def __init__(self, machines: list[Machine]) -> None:
        self._machines = machines
        self._living: dict[str, dict[int, tuple[str, str]]] = {machine.name: {} for machine in machines}
        self._boots: dict[str, str] = {}
        self.reused = 0

    def arrive(self, machine: Machine) -> None:
        """Start them, as after a boot."""
        self._boots[machine.name] = machine.boot_id
        self._living[machine.name] = {}
        for name, variables in LOOKS.items():
            self._start(machine, name, variables)

    def take_pids(self, machine: Machine) -> None:
        """Start one with each pid that a run of a former boot recorded for its supervisor, where it is free."""
        pids = set()
        for text in records(machine.home / ".reconciler", "started").values():
            if text.startswith("p=") and not text.endswith(machine.boot_id.replace("-", "")[:12]):
                pids.add(int(text[2:].partition(";")[0]))
        for pid in sorted(pids)[:4]:
            self.reused += self._start(machine, "sleep", {}, pid) == pid

    def _start(self, machine: Machine, name: str, variables: dict[str, str], pid: int = 0) -> int:
        """Under that name; the pid that it has on the machine."""
        words = ["bash", "-c", 'exec -a "$0" sleep 86400', name]
        process = machine.spawn(*words, pid=pid, **variables)
        self._living[machine.name][process.outside] = (born(process.outside), f"{name} (pid {process.pid})")
        return process.pid

    def missing(self) -> list[str]:
        """Who was there and is no more, on machines that have not been rebooted since."""
        lost = []
        for machine in self._machines:
            if machine.boot_id == self._boots.get(machine.name):
                for pid, (since, name) in self._living[machine.name].items():
                    if born(pid) != since:
                        lost.append(f"{name} on {machine.name}")
        return lost
