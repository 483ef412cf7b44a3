"""What all tests share."""

from tests.machines.fixtures import cluster, loopback, machine

__all__ = ["cluster", "loopback", "machine"]
