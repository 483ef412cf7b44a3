"""Fleets on the local machine and on several real hosts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import end
from tests.e2e.fleet import Fleet
from tests.machines.cluster import Cluster
from tests.machines.machine import Machine


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """An empty fleet repository; nothing that its workers started on this machine outlives the test."""
    yield Fleet(tmp_path)
    end(tmp_path)


@pytest.fixture
def on_machines(fleet: Fleet, cluster: Cluster) -> Callable[[int], tuple[Fleet, list[Machine]]]:
    """A fleet with that many machines as hosts, each with a home, processes and a boot id of its own."""

    def make(count: int, **spec: object) -> tuple[Fleet, list[Machine]]:
        machines = cluster.add(count)
        for machine in machines:
            fleet.write(f"hosts/{machine.name}.yaml", machine.host_yaml(minFree="1MiB", **spec))
        return fleet, machines

    return make
