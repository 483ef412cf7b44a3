"""Everything that can be wrong in a repository, all at once beside good files, as a person meets it: `validate` names
file, line and column of each, `reconcile` exits 1, the good ones converge, and nobody sees a traceback."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.waiting import until

HEAD = "apiVersion: reconciler/v1\nkind: Task\nmetadata: {name: NAME}\nspec:\n  run: 'true'\n"

# name of the file -> its content (NAME is that name), where the problem is, and a word of what is said.
# `+` adds lines to a good task; they begin at line 6.
BROKEN: dict[str, tuple[str | bytes, str, str]] = {
    # no YAML
    "unclosed-bracket": ("+  dependsOn: [a, b\n", "6:14", "the bracket is not closed"),
    "unclosed-quote": ('+  title: "x\n', "6:10", "the quote is not closed"),
    "tab": ("+\ttitle: x\n", "6:1", "indent with spaces"),
    "two-colons": ("+  title: a: b\n", "6:11", "no YAML"),
    "indentation": ("+ title: x\n", "6:2", "no YAML"),
    "anchor": ("+  title: &a x\n", "6:10", "anchor"),
    "tag": ("+  title: !!python/object:os.system x\n", "6:10", "tag"),
    "twice": ("+  run: again\n", "6:3", "given twice"),
    "merge": ("+  <<: {title: x}\n", "6:3", "merge keys"),
    "nul": (b"a: b\0c\n", "1:5", "U+0000"),
    "escape": (b"a: \x1b[31mred\n", "1:4", "U+001B"),
    "latin-1": ("a: b\nc: dé\n".encode("latin-1"), "2:5", "not UTF-8"),
    "utf-16": ("a: b\n".encode("utf-16"), "1:1", "not UTF-8"),
    "brackets": (b"[" * 30_000, "1:65", "64 levels"),
    "braces": (b"{a: " * 30_000, "1:257", "64 levels"),
    "bomb": (b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "1:4", "anchor"),
    "large": (b"#" * 300_000, "1:1", "300000 bytes"),
    "nothing": (b"", "1:1", "declares nothing"),
    "comments": (b"# soon\n", "1:1", "declares nothing"),
    # no document of ours
    "list": (b"- a\n- b\n", "1:1", "has to be a mapping"),
    "text": (b"hello\n", "1:1", "has to be a mapping"),
    "compose": (b"services: {}\n", "1:1", "apiVersion"),
    "kubernetes": (b"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "1:1", "reconciler/v1"),
    "kind": (HEAD.replace("Task", "Tsk"), "2:1", "Task"),
    "no-kind": (HEAD.replace("kind: Task\n", ""), "1:1", "kind"),
    "no-name": (HEAD.replace("name: NAME", "labels: {}"), "3:1", "name"),
    "upper-case": (HEAD.replace("NAME", "Build"), "3:12", "Build"),
    "no-spec": (HEAD.split("spec:")[0], "1:1", "spec"),
    "no-run": (HEAD.split("  run:")[0] + "  title: x\n", "4:1", "run"),
    # values
    "unknown-key": ("+  timout: 5m\n", "6:3", "did you mean timeout?"),
    "unknown-top": ("+extra: 1\n", "6:1", "extra"),
    "duration": ("+  timeout: 90\n", "6:3", "90s"),
    "fraction": ("+  timeout: 1.5h\n", "6:3", "1h30m"),
    "limit": ('+  retries: {limit: "3"}\n', "6:13", "without quotes"),
    "negative": ("+  retries: {limit: -1}\n", "6:13", "-1"),
    "huge": ("+  retries: {limit: 9" + "9" * 400 + "}\n", "6:20", "number"),
    "infinite": ("+  retries: {limit: .inf}\n", "6:20", ""),
    "priority": ("+  priority: hgih\n", "6:3", "high"),
    "env-number": ("+  env: {PORT: 80}\n", "6:9", "in quotes"),
    "env-name": ("+  env: {A-B: x}\n", "6:9", "A-B"),
    "secret": ("+  secrets: [{name: TOKEN, value: s3cret}]\n", "6:27", "value"),
    "depends-text": ("+  dependsOn: good\n", "6:3", "list"),
    "empty-run": (HEAD.replace("'true'", '""'), "5:3", "run"),
    "later": ("+  prompt: do it\n", "6:3", "prompt"),
    # names
    "itself": ("+  dependsOn: [itself]\n", "6:15", "itself"),
    "both": ("+  host: here\n  hostSelector: {}\n", "7:3", "host"),
    "cycle": (
        f"{HEAD.replace('NAME', 'egg')}  dependsOn: [hen]\n---\n{HEAD.replace('NAME', 'hen')}  dependsOn: [egg]\n",
        "6:15",
        "wait for each other",
    ),
    "taken": (HEAD.replace("NAME", "doubled"), "3:12", "doubled"),
    # hosts
    "no-address": (HEAD.replace("Task", "Host").replace("run: 'true'", "slots: 1"), "4:1", "address"),
    "port": (HEAD.replace("Task", "Host").replace("run: 'true'", "address: b\n  port: 99999"), "6:3", "65535"),
    "option": (
        HEAD.replace("Task", "Host").replace("run: 'true'", "address: b\n  sshOptions: {ProxyCommand: x}"),
        "6:16",
        "ProxyCommand",
    ),
    "root": (HEAD.replace("Task", "Host").replace("run: 'true'", "address: b\n  workspaceRoot: /"), "6:3", "/"),
}


def content(name: str) -> bytes:
    told = BROKEN[name][0]
    if isinstance(told, bytes):
        return told
    text = HEAD + told[1:] if told.startswith("+") else told
    return text.replace("NAME", name).encode()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """One good task, and every broken file beside it."""
    fleet = Fleet(tmp_path_factory.mktemp("bad"))
    fleet.local(address=host_name())
    fleet.task("good", "echo fine")
    for name in BROKEN:
        file = fleet.repo / "bad" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content(name))
    (fleet.repo / "bad/taken-too.yaml").write_bytes(content("taken"))
    (fleet.repo / "bad/link.yaml").symlink_to("../tasks/good.yaml")
    (fleet.repo / "bad/new\nline é.yaml").write_text("a: 1\n")
    fleet.commit()
    return fleet


def host_name() -> str:
    import socket

    return socket.gethostname()


def test_there_are_enough_kinds() -> None:
    assert len(BROKEN) > 50


@pytest.fixture(scope="module")
def problems(fleet: Fleet) -> list[dict[str, object]]:
    """What `validate -o json` says."""
    document = fleet.json("validate", check=1)
    assert document["valid"] is False
    assert document["exit"] == {"code": 1, "name": "invalid"}
    return list(document["problems"])


@pytest.mark.parametrize("name", BROKEN)
def test_validate_names_the_line(problems: list[dict[str, object]], name: str) -> None:
    mine = [problem for problem in problems if problem["file"] == f"bad/{name}.yaml"]
    _, place, word = BROKEN[name]
    assert f"{mine[0]['line']}:{mine[0]['column']}" == place, mine
    assert word in f"{mine[0]['path']} {mine[0]['message']} {mine[0]['hint']}", mine
    assert list(mine[0]) == ["severity", "file", "line", "column", "path", "message", "hint"]
    assert "s3cret" not in json.dumps(mine)


def test_what_is_no_file_is_named_too(problems: list[dict[str, object]]) -> None:
    told = {str(problem["file"]): str(problem["message"]) for problem in problems}
    assert "symlink" in told["bad/link.yaml"] or "symbolic link" in told["bad/link.yaml"]
    assert "bad/new\\x0aline é.yaml" in told


def test_good_files_have_no_problem(problems: list[dict[str, object]]) -> None:
    assert all(str(problem["file"]).startswith("bad/") for problem in problems)


def test_text_and_github_say_the_same(fleet: Fleet, problems: list[dict[str, object]]) -> None:
    places = {(p["file"], p["line"], p["column"]) for p in problems if " " not in str(p["file"])}
    text = fleet.run("validate", check=1)
    shown = re.findall(r"^(bad/\S+):(\d+):(\d+): ", text.stdout, re.MULTILINE)
    assert places <= {(file, int(line), int(column)) for file, line, column in shown}
    assert "Traceback" not in text.stderr + text.stdout
    assert "s3cret" not in text.stdout
    assert "\x1b" not in text.stdout
    annotations = fleet.run("validate", "-o", "github", check=1).stdout
    noted = re.findall(r"^::error file=(bad/[^,]+),line=(\d+),col=(\d+)::.", annotations, re.MULTILINE)
    assert places <= {(file, int(line), int(column)) for file, line, column in noted}
    assert len(annotations.splitlines()) == len(problems)


def test_good_files_converge_and_the_exit_code_says_invalid(fleet: Fleet) -> None:
    done = fleet.run("reconcile", "--wait", "--timeout", "60s", "-o", "json", check=1)
    report = json.loads(done.stdout)
    assert report["exit"] == {"code": 1, "name": "invalid"}
    assert ("launch", "good", "ok") in {(c["action"], c["task"], c["outcome"]) for c in report["changes"]}
    assert {c["task"] for c in report["changes"]} == {"good"}
    assert "Traceback" not in done.stderr
    assert fleet.run("logs", "good", check=0).stdout == "fine\n"
    assert fleet.phases()["good"] == "Succeeded"
    assert fleet.json("plan", check=1)["exit"]["name"] == "invalid"


UNREADABLE = {
    "a wrong value": HEAD + "  timeout: 90\n",
    "no YAML": HEAD + "  title: a: b\n",
    "its name is lost": HEAD.replace("name: NAME", "nam: NAME"),
    "empty": "",
    "a depth bomb": "[" * 30_000,
}


@pytest.fixture
def running(tmp_path: Path) -> Fleet:
    """A task that runs for long and one that has ended; nothing is wrong yet."""
    fleet = Fleet(tmp_path)
    fleet.local()
    fleet.write("tasks/long.yaml", HEAD.replace("NAME", "long").replace("'true'", "sleep 600"))
    fleet.task("other")
    fleet.task("short")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: fleet.run("reconcile", check=0) and fleet.phases()["other"] == "Succeeded")
    return fleet


def active(fleet: Fleet) -> list[str]:
    return [run["name"] for run in fleet.json("get", "runs", "--refresh")["items"] if run["phase"] == "Running"]


def test_a_bad_file_freezes_what_it_declares_with_or_without_a_ledger(running: Fleet) -> None:
    before = active(running)
    assert len(before) == 1
    for number, text in enumerate(UNREADABLE.values()):
        running.write("tasks/long.yaml", text.replace("NAME", "long").replace("'true'", "echo changed"))
        running.commit()
        report = json.loads(running.run("reconcile", "-o", "json", check=1).stdout)
        assert report["changes"] == [], text[:200]
        assert active(running) == before
        stranger = running.other_controller(f"fresh-{number}")
        report = json.loads(stranger.run("reconcile", "-o", "json", check=1).stdout)
        assert {change["action"] for change in report["changes"]} <= {"collect"}, text[:200]
        assert active(stranger) == before
        assert stranger.phases()["long"] == "Running"
    running.write("tasks/long.yaml", HEAD.replace("NAME", "long").replace("'true'", "echo well again"))
    running.commit()
    running.reconcile()
    assert running.run("logs", "long", check=0).stdout == "well again\n"


def test_nothing_is_pruned_while_a_file_cannot_be_read(running: Fleet) -> None:
    runs = running.room / "workspace-here/_/runs"
    before = sorted(path.name for path in runs.iterdir())
    running.remove("tasks/short.yaml")
    running.write("tasks/mystery.yaml", "[")
    running.commit()
    for words in ([], ["--allow-prune"]):
        report = json.loads(running.run("reconcile", "-o", "json", *words, check=4).stdout)
        assert [change for change in report["changes"] if change["action"] in ("cancel", "cleanup")] == []
        assert {change["task"] for change in report["held"]} == {"short"}
        assert "mystery.yaml" in report["heldWhy"]
        assert sorted(path.name for path in runs.iterdir()) == before
    running.remove("tasks/mystery.yaml")
    running.commit()
    running.run("reconcile", check=0)
    assert {path.name.partition("-")[0] for path in runs.iterdir()} == {"long", "other"}
    running.run("task", "close", "long", check=0)
    running.reconcile()
