"""Workers that put traps where the supervisor writes: nothing is followed or waited for, and what is to be kept is kept."""

from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest

RUN = "build-0123abcd-1"
TRAPS = {
    "links": "ln -sfn ~/precious",
    "hard links": "ln -fT ~/precious",
    "pipes": "mkfifo",
    "folders": "mkdir",
}


@pytest.fixture
def precious(host: HostUnderTest, tmp_path: Path) -> Path:
    """A file of the host's user that no run has anything to do with."""
    host.env = {**host.env, "HOME": str(tmp_path)}
    file = tmp_path / "precious"
    file.write_text("precious")
    return file


def traps(kind: str, *names: str) -> str:
    """A script that makes them in the run directory."""
    lines = [f'rm -rf "$RECONCILER_RUN_DIR/{name}"; {TRAPS[kind]} "$RECONCILER_RUN_DIR/{name}"' for name in names]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", TRAPS)
def test_an_answer_and_its_checks(host: HostUnderTest, precious: Path, kind: str):
    names = ["answer.json", "qa.log", "qa.tsv", "qa.step"] + ["supervisor.log"] * (kind != "hard links")
    worker = traps(kind, *names) + 'echo "{}" >"$RECONCILER_RESULT_FILE"\n'
    assert host.run(RUN, worker, checks={"test": "echo checked"})["state"] == "succeeded"
    directory = host.directory(RUN)
    assert (directory / "answer.json").read_text() == "{}\n"
    assert (directory / "qa.log").read_text() == "[reconciler: test]\nchecked\n"
    assert (directory / "qa.tsv").read_text().startswith("test\t0\t")
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("kind", TRAPS)
def test_a_question(host: HostUnderTest, precious: Path, kind: str):
    assert host.run(RUN, traps(kind, "blocked.md") + "echo 'and now?' >BLOCKED.md\n")["state"] == "blocked"
    assert (host.directory(RUN) / "blocked.md").read_text() == "and now?\n"
    assert precious.read_text() == "precious"


def test_rows_that_a_worker_writes_are_no_checks(host: HostUnderTest):
    worker = 'printf "made up\\t0\\t1\\n" >"$RECONCILER_RUN_DIR/qa.tsv"'
    assert host.run(RUN, worker, checks={"test": "true"})["state"] == "succeeded"
    assert "made up" not in (host.directory(RUN) / "qa.tsv").read_text()


@pytest.mark.parametrize("text", ["state=banana", "nonsense", "state=succeeded\nrc=0"])
def test_a_result_that_cannot_be_read_is_no_result(host: HostUnderTest, text: str):
    assert host.launch(RUN, f"ln -s '{text}' \"$RECONCILER_RUN_DIR/result\"; exit 3") == "accepted"
    while host.marked(RUN) or not host.record(RUN, "result").startswith("state=failed"):
        assert host.observe().code == 0
    assert host.result(RUN)["rc"] == "3"
