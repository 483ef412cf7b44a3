"""How a command ends when it cannot do what was typed: one sentence, the documented exit code, never a traceback."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconciler.cli.failing import guarded

ONE_LINE = re.compile(r"error: [^\n]+\n")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet as `init` writes it."""
    folder = tmp_path_factory.mktemp("failing")
    ended = reconciler(folder, "init", "fleet")
    assert ended.returncode == 0, ended.stderr
    return folder / "fleet"


@pytest.fixture
def room(begun: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(begun, tmp_path / "fleet")
    return tmp_path / "fleet"


def reconciler(
    folder: Path, *words: str, path: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, with a HOME that has nothing."""
    (folder / ".home").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=folder,
        env={"PATH": path or os.environ["PATH"], "HOME": str(folder / ".home"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plna", "did you mean plan?"),
        ("zzz", "`reconciler --help`"),
        ("plan --detailed-exitcodes", "--detailed-exitcode"),
        ("plan --detailed-exitcodes", "`reconciler plan --help`"),
        ("get tsks", "did you mean tasks?"),
        ("wait x --timeout ten", "write it like 90s, 10m or 1h30m"),
        ("wait x --for ever", "'running', 'succeeded'"),
        ("logs", "`reconciler logs --help`"),
        ("host add", "`reconciler host add --help`"),
        ("host ad x", "Did you mean 'add'?"),
        ("reconcile --timeout 5s", "--wait"),
        ("get tasks -o jsn", "'json'"),
        ("-o json version", "`reconciler version --help`"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_64(room: Path, line: str, said: str) -> None:
    ended = reconciler(room, *line.split())
    assert (ended.returncode, ended.stdout) == (64, "")
    assert ONE_LINE.fullmatch(ended.stderr), ended.stderr
    assert said in ended.stderr


@pytest.mark.parametrize(
    "line",
    [
        "get tasks helo",
        "get runs helo",
        "get hosts helo",
        "describe task helo",
        "logs helo",
        "wait helo",
        "exec helo -- true",
        "events helo",
        "host check helo",
        "host cordon helo",
        "task close helo",
        "suspend helo",
    ],
)
def test_an_unknown_name_is_one_sentence_and_exit_1(room: Path, line: str) -> None:
    ended = reconciler(room, *line.split())
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "helo" in ended.stderr
    assert ONE_LINE.fullmatch(ended.stderr), ended.stderr


VERBS = (
    "plan",
    "reconcile --wait",
    "watch",
    "get tasks",
    "describe task hello",
    "events",
    "logs hello",
    "wait hello",
    "exec hello -- true",
    "host check --all",
    "cleanup",
)


@pytest.mark.parametrize("state", ["/etc/passwd/below", "/proc/nowhere"])
def test_a_state_folder_that_cannot_be_is_one_sentence_and_exit_1(room: Path, state: str) -> None:
    for verb in VERBS:
        ended = reconciler(room, *verb.split(), RECONCILER_STATE_DIR=state)
        assert (ended.returncode, ended.stdout) == (1, ""), (verb, ended.stderr)
        assert ONE_LINE.fullmatch(ended.stderr), ended.stderr
        assert state in ended.stderr


def test_without_git_it_says_so(room: Path, tmp_path: Path) -> None:
    for verb in ("validate", "init elsewhere", *VERBS):
        ended = reconciler(room, *verb.split(), path=str(tmp_path))
        assert (ended.returncode, ended.stdout) == (1, ""), (verb, ended.stderr)
        assert ended.stderr == "error: git is not installed: install it, or put it on PATH\n"


def test_a_damaged_ledger_is_one_sentence_and_exit_1(room: Path) -> None:
    assert reconciler(room, "reconcile", "--wait").returncode == 0
    [ledger] = (room / ".home").rglob("ledger.db")
    for garbage in (b"garbage" * 1000, ledger.read_bytes()[:5000]):
        ledger.write_bytes(garbage)
        for verb in ("plan", "reconcile --wait", "get tasks", "logs hello"):
            ended = reconciler(room, *verb.split())
            assert (ended.returncode, ended.stdout) == (1, ""), (verb, ended.stderr)
            assert "move it away" in ended.stderr
            assert ONE_LINE.fullmatch(ended.stderr), ended.stderr


def test_a_bug_leaves_a_report_in_which_no_value_is(room: Path, tmp_path: Path) -> None:
    ended = reconciler(
        room, "--log-level", "crash", "wait", "s3cret-name", TMPDIR=str(tmp_path), GH_TOKEN="s3cret-value"
    )
    assert (ended.returncode, ended.stdout) == (70, "")
    [report] = tmp_path.glob("reconciler-bug-*.txt")
    assert str(report) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "raised on purpose" in report.read_text()
    assert "s3cret" not in report.read_text() + ended.stderr


def test_a_bug_leaves_its_report_somewhere_even_without_a_place_for_files(room: Path) -> None:
    ended = reconciler(room, "plan", "--log-level=crash", path=os.environ["PATH"])
    assert ended.returncode == 70
    for report in re.findall(r"/\S+reconciler-bug-\S+\.txt", ended.stderr):
        Path(report).unlink()


def test_a_full_disk_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def write() -> None:
        with open("/dev/full", "w") as full:
            full.write("x")

    assert guarded(write, []) == 1
    assert capsys.readouterr().err.startswith("error: no space left on device: make room")


def test_a_terminal_that_lacks_characters_gets_something(room: Path) -> None:
    ended = reconciler(room, "doctor", PYTHONIOENCODING="latin-1")
    assert (ended.returncode, "? login" in ended.stdout) == (0, True), ended.stderr


@pytest.mark.parametrize("line", ["-o json get tasks", "get -o json tasks", "get tasks -ojson", "-ojson get tasks"])
def test_the_output_may_be_said_anywhere(room: Path, line: str) -> None:
    ended = reconciler(room, *line.split())
    assert (ended.returncode, ended.stdout[:1]) == (0, "{"), ended.stderr


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("REPO", "{room}", "get tasks -o json"),
        ("REF", "other", "-C {room} get tasks -o json"),
        ("STATE_DIR", "{room}/.state", "-C {room} get tasks -o json"),
        ("OUTPUT", "json", "-C {room} get tasks"),
    ],
)
def test_options_have_twins_in_the_environment(room: Path, tmp_path: Path, name: str, value: str, line: str) -> None:
    subprocess.run(["git", "branch", "other"], cwd=room, check=True)
    words = line.format(room=room).split()
    ended = reconciler(tmp_path, *words, **{f"RECONCILER_{name}": value.format(room=room)})
    assert (ended.returncode, ended.stdout[:1]) == (0, "{"), ended.stderr
    assert (room / ".state").exists() == (name == "STATE_DIR")
