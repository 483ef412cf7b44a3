"""`exec`: a command on the host, with the user's own streams; words arrive as they were typed."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.machines.machine import Machine

PROGRAM = """
import sys
from pathlib import Path
from reconciler.model.host import Host, Transport
from reconciler.remote.transport import Remote

state, address, key, terminal, directory, *command = sys.argv[1:]
way = {"address": address, "user": "root", "identity_file": key} if address else {"transport": Transport.LOCAL}
host = Host("box1", workspace_root="~/.reconciler", shell_prelude="export GREETING='hi you'", **way)
sys.exit(Remote(Path(state)).shell(host, directory, command, terminal=terminal == "yes", only=True))
"""

ODD = ["", "a b", "$(id)", "'", '"', "-x", "new\nline\n", "ü", "!x", "~", "*", "\\"]


def shell(
    state: Path,
    address: str,
    key: str,
    *command: str,
    terminal: bool = False,
    directory: str = "_/runs/x",
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    words: Sequence[str] = (
        sys.executable, "-c", PROGRAM, str(state), address, key, "yes" if terminal else "no", directory, *command,
    )  # fmt: skip
    if terminal:
        words = ("script", "-qec", shlex.join(words), "/dev/null")
    root = Path(__file__).parents[2]
    return subprocess.run(words, check=False, capture_output=True, text=True, input=stdin, cwd=root, timeout=30)


@pytest.fixture(params=["ssh", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str, str]:
    """State folder, address and key of a host whose workspace has the directory `_/runs/x`."""
    if request.param == "local":
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".reconciler/_/runs/x").mkdir(parents=True)
        return tmp_path, "", ""
    machine: Machine = request.getfixturevalue("machine")
    machine.run("mkdir", "-p", ".reconciler/_/runs/x")
    return tmp_path, machine.address, str(machine.login_key)


def test_words_arrive_as_typed_after_the_prelude_in_the_directory(place: tuple[Path, str, str]) -> None:
    done = shell(*place, "bash", "-c", 'printf "%s|" "$@"', "-", *ODD)
    assert done.stdout == "".join(f"{word}|" for word in ODD), done.stderr
    assert shell(*place, "pwd").stdout.endswith("/.reconciler/_/runs/x\n")
    assert shell(*place, "printenv", "GREETING").stdout == "hi you\n"


def test_streams_and_the_exit_code_are_the_commands_own(place: tuple[Path, str, str]) -> None:
    done = shell(*place, "bash", "-c", "cat; echo bad >&2; exit 42", stdin="typed\n")
    assert (done.stdout, done.stderr, done.returncode) == ("typed\n", "bad\n", 42)


def test_without_a_command_there_is_a_shell(place: tuple[Path, str, str]) -> None:
    assert shell(*place, stdin="echo $((6 * 7))\n").stdout == "42\n"


def test_a_terminal_is_passed_on(place: tuple[Path, str, str]) -> None:
    assert (
        "a terminal" in shell(*place, "bash", "-c", "test -t 0 && test -t 1 && echo a terminal", terminal=True).stdout
    )


def test_a_directory_that_is_gone(place: tuple[Path, str, str]) -> None:
    done = shell(*place, "true", directory="_/runs/y")
    assert done.returncode == 1
    assert done.stderr.endswith("/.reconciler/_/runs/y is not on this host (any more)\n")
