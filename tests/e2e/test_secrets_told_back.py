"""A host says a secret in its errors, to whoever asks it: a command that never sent it one knows it all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import end, runs
from tests.e2e.fleet import Fleet
from tests.machines.keys import make_key, public
from tests.machines.loopback import LoopbackHost, why_not_loopback
from tests.waiting import until

pytestmark = [pytest.mark.ssh, pytest.mark.skipif(bool(why_not_loopback()), reason=why_not_loopback())]

VALUE = "siskin-that/nobody+may=see"
ASKS = (
    ("logs", "tells"),
    ("host", "check", "h1"),
    ("plan",),
    ("get", "hosts", "--refresh", "-o", "yaml"),
    ("reconcile", "-o", "json"),
    ("describe", "host", "h1"),
    ("host", "reset", "h1", "--yes"),
)


@pytest.fixture
def complaining(tmp_path: Path) -> Iterator[Fleet]:
    """A run with a secret is on its host, which from then on answers with it as an error."""
    make_key(tmp_path / "id")
    fleet = Fleet(tmp_path, environment={"TOKEN": VALUE})
    host = LoopbackHost(tmp_path / "box", "h1", tmp_path / "id").start()
    try:
        fleet.write("hosts/h1.yaml", host.host_yaml(minFree="1MiB"))
        fleet.task("tells", "sleep 600", secrets=["TOKEN"])
        fleet.commit()
        until(
            lambda: fleet.run("reconcile") and [run["phase"] for run in runs(fleet).values()] == ["Running"], timeout=60
        )
        complaint = f"cat >/dev/null & echo 'bash: line 7: {VALUE}: command not found' >&2; exit 1"
        line = f'restrict,command="{complaint}" {public(tmp_path / "id")}\n'
        (host.folder / "authorized_keys").write_text(line)
        yield fleet
    finally:
        end(tmp_path)
        host.delete()


def test_a_host_that_says_a_secret_is_masked(complaining: Fleet) -> None:
    fleet = complaining
    for words in ASKS:
        done = fleet.run(*words)
        assert VALUE not in done.stdout + done.stderr, words
        assert "bash: line 7: ***" in done.stdout + done.stderr, words
    kept = [path for path in fleet.state.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]
    assert kept == []
