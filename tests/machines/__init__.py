"""Several real hosts on one machine, for tests and for trying things by hand (`python -m tests.machines up 3`)."""
