"""What all tests share."""

from hypothesis import HealthCheck, settings

from tests.machines.fixtures import cluster, loopback, machine

__all__ = ["cluster", "loopback", "machine"]

# Dozens of hosts share the machine with these tests: nothing is judged by the clock.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
