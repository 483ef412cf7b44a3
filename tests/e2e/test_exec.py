"""exec: the words arrive as they were typed, bytes pass both ways, and the exit code is the command's own."""

from collections.abc import Callable

import pytest

from tests.e2e.fleet import Fleet
from tests.machines.machine import Machine

pytestmark = [pytest.mark.machines]


@pytest.fixture
def fleet_of_two(on_machines: Callable[[int], tuple[Fleet, list[Machine]]]) -> Fleet:
    """A task that has ended on this machine, and one on a real host."""
    import socket

    fleet, [machine] = on_machines(1)
    fleet.local(address=socket.gethostname())
    fleet.task("near", host="here")
    fleet.task("far", host=machine.name)
    fleet.commit()
    fleet.reconcile()
    return fleet


def test_exec_passes_words_bytes_and_exit_codes(fleet_of_two: Fleet) -> None:
    words = ["a b", "it's", '"q"', "$HOME", "new\nline", "*", "", "back\\slash", "ü", "--", "-n"]
    for task in ("near", "far"):
        done = fleet_of_two.run("exec", task, "--", "printf", "<%s>", *words, check=0)
        assert done.stdout == "".join(f"<{word}>" for word in words)
        assert fleet_of_two.run("exec", f"task/{task}", "--run", "1", "--", "pwd", check=0).stdout.endswith("/work\n")
        assert fleet_of_two.run("exec", task, "--", "bash", "-c", "exit 7").returncode == 7
        assert fleet_of_two.run("exec", task, "--", "bash", "-c", "kill -TERM $$").returncode == 143
        missing = fleet_of_two.run("exec", task, "--", "no-such-program")
        assert missing.returncode == 127
        assert missing.stderr.startswith("reconciler: ")
        assert "no-such-program: not found" in missing.stderr
        assert fleet_of_two.run("exec", task, "--run", "9", "--", "true").returncode == 1


def test_host_check_prints_the_key_to_pin(on_machines: Callable[[int], tuple[Fleet, list[Machine]]]) -> None:
    fleet, [machine] = on_machines(1)
    fleet.commit()
    assert "one of hostKeys" in fleet.run("host", "check", machine.name, check=0).stdout
    pinned = machine.host_yaml(minFree="1MiB")
    bare = "".join(line for line in pinned.splitlines(keepends=True) if "hostKeys" not in line)
    fleet.write(f"hosts/{machine.name}.yaml", bare)
    fleet.commit()
    [line] = [line.strip() for line in pinned.splitlines() if "hostKeys" in line]
    assert line in fleet.run("host", "check", machine.name, check=0).stdout
