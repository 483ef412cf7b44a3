"""pytest fixtures; they skip where machines cannot be made, and say why."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.machines.cluster import Cluster
from tests.machines.keys import make_key
from tests.machines.loopback import LoopbackHost, why_not_loopback
from tests.machines.machine import Machine
from tests.machines.network import why_not

_why_not = cache(why_not)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A network to which a test adds machines: `cluster.add(3)`."""
    if why := _why_not():
        pytest.skip(why)
    with Cluster() as made:
        yield made


@pytest.fixture
def machine(cluster: Cluster) -> Machine:
    """One machine, started."""
    return cluster.add()[0]


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Callable[[str], LoopbackHost]]:
    """Makes started LoopbackHosts by name."""
    if why := why_not_loopback():
        pytest.skip(why)
    made: list[LoopbackHost] = []
    key = tmp_path / "id_ed25519"
    make_key(key)

    def start(name: str) -> LoopbackHost:
        made.append(LoopbackHost(tmp_path / name, name, key))
        return made[-1].start()

    yield start
    for host in made:
        host.delete()
