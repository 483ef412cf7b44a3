"""What the looking verbs print, after one real convergence on this machine."""

import io
import json
import signal
import sys
from pathlib import Path

import pytest

from reconciler.cli.log_printer import Printer
from reconciler.cli.reading import bare_name, kind_and_names
from reconciler.clock import now
from reconciler.errors import UsageError
from reconciler.model.run import RunName
from reconciler.record.ledger import Intent, Ledger
from tests.e2e.fleet import Fleet
from tests.waiting import until


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Two tasks that ended, one that waits for a person's commit."""
    made = Fleet(tmp_path_factory.mktemp("output"))
    made.fleet(interval="1h")
    made.local()
    made.task("build", "echo one; echo two; printf 'red \\033[31m'; echo oops >&2", labels={"team": "web"})
    made.task("broken", "exit 7", labels={"team": "api"})
    made.task("after", "true", dependsOn=["broken"])
    made.commit()
    made.reconcile(check=5)
    return made


def run_of(fleet: Fleet, task: str) -> str:
    return str(next(item["run"] for item in fleet.json("get", "tasks")["items"] if item["name"] == task))


def test_tasks_as_a_table(fleet: Fleet) -> None:
    shown = fleet.run("get", "tasks", check=0)
    heading, *rows = shown.stdout.splitlines()
    assert heading.split() == ["NAME", "PHASE", "HOST", "ATTEMPT", "TOOK", "AGE", "WHY"]
    assert [row.split()[:2] for row in rows] == [["after", "Pending"], ["broken", "Failed"], ["build", "Succeeded"]]
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("get", "task", "build"),
        ("get", "tasks", "task/build"),
        ("get", "task/build"),
        ("get", "tasks", "-l", "team=web"),
    ],
)
def test_one_task_by_name_or_label(fleet: Fleet, words: tuple[str, ...]) -> None:
    assert [item["name"] for item in fleet.json(*words)["items"]] == ["build"]


@pytest.mark.parametrize(("selector", "names"), [("team!=web", ["after", "broken"]), ("team", ["broken", "build"])])
def test_selectors(fleet: Fleet, selector: str, names: list[str]) -> None:
    assert [item["name"] for item in fleet.json("get", "tasks", "-l", selector)["items"]] == names


def test_an_empty_list_says_so_on_stderr(fleet: Fleet) -> None:
    shown = fleet.run("get", "tasks", "-l", "team=nobody", check=0)
    assert (shown.stdout, shown.stderr) == ("", "there are no tasks with these labels\n")
    assert fleet.json("get", "tasks", "-l", "team=nobody")["items"] == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("get", "task", "biuld"), 1, "error: there is no task 'biuld' (did you mean build?)\n"),
        (("describe", "host", "x"), 1, "error: there is no host 'x': `reconciler get hosts` lists them all\n"),
        (("logs", "biuld"), 1, "error: there is no task 'biuld' (did you mean build?)\n"),
        (("events", "biuld"), 1, "error: there is no task 'biuld' (did you mean build?)\n"),
        (("get", "taks"), 64, "error: there is no kind 'taks' (did you mean tasks?)\n"),
        (("get", "tasks", "host/build"), 64, "error: 'host/build' does not name a task: write build or task/build\n"),
        (("events", "--type", "lanched"), 64, "error: there is no type of event 'lanched' (did you mean launched?)"),
    ],
)
def test_what_is_not_there_is_one_sentence(fleet: Fleet, words: tuple[str, ...], code: int, sentence: str) -> None:
    shown = fleet.run(*words, check=code)
    assert shown.stdout == ""
    assert shown.stderr.startswith(sentence)


def test_documents_of_get_have_the_envelope(fleet: Fleet) -> None:
    head = fleet.git("rev-parse", "HEAD")
    for kind in ("tasks", "runs", "hosts"):
        document = fleet.json("get", kind)
        assert list(document)[:4] == ["formatVersion", "exit", "revision", "items"]
        assert (document["exit"], document["revision"]) == ({"code": 0, "name": "ok"}, head)
    run = next(item for item in fleet.json("get", "runs")["items"] if item["task"] == "broken")
    assert (run["phase"], run["reason"], run["exitCode"], run["state"]) == ("Failed", "ExitCode", 7, "open")
    (host,) = fleet.json("get", "hosts")["items"]
    assert (host["name"], host["reachable"], host["active"]) == ("here", True, 0)
    assert host["facts"]["bootId"]


def test_yaml_says_the_same(fleet: Fleet) -> None:
    from ruamel.yaml import YAML

    shown = fleet.run("get", "tasks", "-o", "yaml", check=0).stdout
    assert YAML(typ="safe", pure=True).load(io.StringIO(shown)) == fleet.json("get", "tasks")


def test_describe_goes_from_commit_to_result(fleet: Fleet) -> None:
    head, run = fleet.git("rev-parse", "HEAD"), run_of(fleet, "broken")
    shown = fleet.run("describe", "task/broken", check=0).stdout
    fields = dict(line.split(":", 1) for line in shown.split("\n\n")[0].splitlines())
    told = {name: value.strip() for name, value in fields.items()}
    assert told["Declared"] == f"tasks/broken.yaml:1 at {head[:12]} by Ada"
    assert told["Run"] == f"{run} (attempt 1)"
    assert told["Path"].endswith(f"/workspace-here/_/runs/{run}/work")
    assert (told["Phase"], told["Reason"], told["Exit code"]) == ("Failed", "ExitCode", "7")
    assert f"launched {run} on here: new task" in shown
    assert "Waits for:" in fleet.run("describe", "task", "after", check=0).stdout
    assert run in fleet.run("describe", "run", run, check=0).stdout
    assert "Status:" in fleet.run("describe", "host", "here", check=0).stdout
    assert list(fleet.json("describe", "task", "broken"))[3:] == ["item", "runs", "events"]


def test_events_are_lines_and_json_lines(fleet: Fleet) -> None:
    run = run_of(fleet, "build")
    lines = fleet.run("events", "build", "--type", "launched,ended", check=0).stdout.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [f"launched {run} on here: new task", f"ended {run} on here"]
    parsed = [json.loads(line) for line in fleet.run("events", "task/build", "-o", "json", check=0).stdout.splitlines()]
    assert {tuple(event) for event in parsed} == {("time", "type", "task", "run", "host", "why", "message")}
    assert {event["task"] for event in parsed} == {"build"}
    assert len(fleet.run("events", "--tail", "1", check=0).stdout.splitlines()) == 1
    assert fleet.run("events", "--type", "lease,held", "after", check=0).stderr == "there are no such events\n"


def test_logs_come_as_they_were_written(fleet: Fleet) -> None:
    shown = fleet.run("logs", "build", check=0)
    assert (shown.stdout, shown.stderr) == ("one\ntwo\nred \x1b[31m", "oops\n")
    assert fleet.run("logs", "task/build", "--stream", "stderr", check=0).stdout == "oops\n"
    assert fleet.run("logs", "build", "--tail", "2", "--stream", "stdout", check=0).stdout == "two\nred \x1b[31m"
    assert fleet.run("logs", "build", "--run", "1", "-f", check=0).stdout == shown.stdout
    assert "launched" in fleet.run("logs", "build", "--stream", "events", check=0).stdout
    run = run_of(fleet, "broken")
    assert fleet.run("logs", "broken", check=0).stderr == f"{run} wrote nothing (Failed: ExitCode)\n"
    assert fleet.run("logs", "build", "--run", "9", check=1).stderr.startswith("error: build has no run '9'; it has ")
    assert fleet.run("logs", "after", check=0).stderr.startswith("nothing of after has started yet: ")


def test_a_task_that_no_cycle_has_read_is_no_unknown_one(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.fleet(interval="1h")
    fleet.local()
    fleet.task("build", "true")
    fleet.commit()
    fleet.reconcile()
    fleet.task("new", "echo here I am")
    fleet.commit()
    for words in (("describe", "task", "new"), ("get", "task", "new"), ("exec", "new")):
        assert fleet.run(*words, check=1).stderr == (
            "error: no cycle has read the commit of task 'new' yet: run `reconciler reconcile`\n"
        )
    assert fleet.run("logs", "new", check=0).stderr == (
        "nothing of new has started yet: no cycle has read its commit yet\n"
    )
    following = fleet.start("logs", "-f", "new")
    fleet.reconcile()
    assert following.communicate(timeout=30)[0] == "here I am\n"


def test_a_run_that_is_on_its_way_to_its_host_has_not_started(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.fleet(interval="1h")
    fleet.local()
    fleet.task("build", "true")
    fleet.commit()
    fleet.reconcile()
    (file,) = fleet.state.glob("fleets/*/ledger.db")
    with Ledger.open(file) as ledger:
        place = next(iter(ledger.memory().hosts.values())).place
        ledger.intend([Intent(RunName("build", "1a2b3c4d", 1), place, 1)], now())
    said = fleet.run("logs", "build", check=0)
    assert (said.stdout, said.stderr.strip()) == ("", "nothing of build has started yet")


def test_watching_prints_rows_as_they_change(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.fleet(interval="1s")
    fleet.local()
    fleet.task("build", "true")
    fleet.commit()
    fleet.run("get", "tasks", check=0)
    watching = fleet.start("get", "tasks", "-w")
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline().split()[:2] == ["NAME", "PHASE"]
        assert watching.stdout.readline().split()[:2] == ["build", "Pending"]
        fleet.reconcile()
        while (line := watching.stdout.readline()).split()[1] != "Succeeded":
            assert line.split()[0] == "build"
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130, watching.stderr.read() if watching.stderr else ""


def test_logs_are_followed_to_the_end_with_no_controller_at_work(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.fleet(interval="1h")
    workspace = fleet.local()
    fleet.task("slow", 'echo begun; until [[ -e "$RECONCILER_RUN_DIR/../go" ]]; do sleep 0.1; done; printf ended')
    fleet.commit()
    fleet.run("reconcile", check=0)
    following = fleet.start("logs", "-f", "slow")
    assert following.stdout is not None
    assert following.stdout.readline() == "begun\n"
    (workspace / "_/runs/go").touch()
    assert until(lambda: following.poll() is not None, 30)
    assert following.stdout.read() == "ended"
    assert following.returncode == 0


def test_a_host_that_is_cut_off_says_so(fleet: Fleet) -> None:
    broken = Fleet(fleet.room, "cut")
    broken.fleet(interval="1h")
    broken.host("far", address="127.0.0.1", port=9, deadline="2s")
    broken.task("build", "true")
    broken.commit()
    shown = broken.run("get", "hosts", "--refresh", check=0)
    assert shown.stdout.splitlines()[1].split()[:2] == ["far", "Unreachable"]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["task", "a"], ("task", ["a"])),
        (["Tasks"], ("task", [])),
        (["hosts/a", "b"], ("host", ["a", "b"])),
        (["run", "run/a"], ("run", ["a"])),
    ],
)
def test_kinds_and_names(words: list[str], meant: tuple[str, list[str]]) -> None:
    assert kind_and_names(words) == meant


def test_a_name_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="does not name a task"):
        bare_name("host/a", "task")


class Terminal(io.TextIOWrapper):
    """A terminal as far as Printer can tell."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("portions", "tail", "shown"),
    [
        ([b"a\nb", b"c\n"], None, b"a\nbc\n"),
        ([b"a\nb\nc\n", b"d\n"], 2, b"b\nc\nd\n"),
        ([b"a\n"], 0, b""),
        ([b"\x1b[2Jx\r\n\xff"], None, "\\x1b[2Jx\n�".encode()),
    ],
)
def test_a_terminal_gets_whole_lines_without_control_characters(
    portions: list[bytes], tail: int | None, shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", screen)
    printer = Printer(("stdout",), tail)
    for portion in portions:
        printer.take({"stdout": portion})
        printer.show(lambda data: data)
    printer.finish(lambda data: data)
    assert screen.buffer.getvalue() == shown  # type: ignore[attr-defined]
    assert printer.offsets == {"stdout": sum(map(len, portions))}
