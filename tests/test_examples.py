"""Examples are fleets that are valid, command lines that exist, and one of them is run."""

import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest

from reconciler.cli.main import cli
from reconciler.load import yaml
from reconciler.load.documents import Parser
from reconciler.load.fleet import load, load_worktree
from reconciler.load.git import open_repository
from tests.e2e.fleet import Fleet

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
FLEETS = sorted(path.parent for path in EXAMPLES.rglob("fleet.yaml") if ".github" not in path.parts)


def copied(example: Path, room: Path) -> Fleet:
    """An example as a git repository of its own."""
    fleet = Fleet(room)
    shutil.copytree(example, fleet.repo, dirs_exist_ok=True)
    fleet.commit()
    return fleet


@pytest.mark.parametrize("example", FLEETS, ids=lambda path: path.name)
def test_example_fleets_are_valid(example: Path, tmp_path: Path) -> None:
    fleet = copied(example, tmp_path)
    repository = open_repository(str(fleet.repo), tmp_path)
    for loaded in (load(repository, repository.resolve(), Parser()), load_worktree(repository, Parser())):
        assert loaded.problems == ()
        assert loaded.desired
        assert loaded.desired.hosts
        assert loaded.desired.tasks


def test_the_fleet_to_read_shows_what_there_is() -> None:
    text = "\n".join(path.read_text() for path in (EXAMPLES / "fleet").rglob("*.yaml"))
    for word in (
        "hostSelector",
        "priority",
        "dependsOn",
        "retries",
        "drain",
        "secrets",
        "labels",
        "suspend",
        "hostKeys",
    ):
        assert f"{word}:" in text


AGENTS_WORDS = (
    "repoUrl", "gitUrl", "fork", "setup", "qa", "maxConcurrent", "variants", "fallback", "budgetUsd", "issue",
    "followUps", "template", "persona", "variables", "base", "prompt", "agent", "secrets",
)  # fmt: skip


def test_the_fleet_of_agents_shows_what_there_is(tmp_path: Path) -> None:
    text = "\n".join(path.read_text() for path in (EXAMPLES / "agents").rglob("*.yaml"))
    assert [word for word in AGENTS_WORDS if f"{word}:" not in text] == []
    fleet = copied(EXAMPLES / "agents", tmp_path)
    loaded = load(open_repository(str(fleet.repo), tmp_path), fleet.git("rev-parse", "HEAD"), Parser())
    assert loaded.desired
    tasks = {name: task for name, task in loaded.desired.tasks.items() if task.project}
    assert {task.project for task in tasks.values()} == {"shop", "ledger"}
    assert {str(task.agent) for task in tasks.values()} == {"claude", "claude:opus", "codex"}
    for name, task in tasks.items():
        told = fleet.run("task", "prompt", name, check=0).stdout
        assert task.prompt.splitlines()[0] in told
        assert ("British English" in told) is (task.template.name == "coding")
    assert "Act on the review of @ada." in fleet.run("task", "prompt", "fix-login", "--step", "2", check=0).stdout


def test_quickstart_runs(tmp_path: Path) -> None:
    fleet = copied(EXAMPLES / "quickstart", tmp_path)
    local = (fleet.repo / "hosts/local.yaml").read_text()
    fleet.write("hosts/local.yaml", f"{local}  workspaceRoot: {tmp_path}/workspace\n")
    fleet.commit()
    report = fleet.reconcile()
    assert report["exit"] == {"code": 0, "name": "ok"}
    names = {path.stem for path in (EXAMPLES / "quickstart/tasks").iterdir()}
    assert fleet.phases() == dict.fromkeys(names, "Succeeded")
    attempts = {item["name"]: item["attempt"] for item in fleet.json("get", "tasks")["items"]}
    assert attempts == {**dict.fromkeys(names, 1), "flaky": 3}
    assert fleet.run("logs", "publish").stdout == "publishing: Report for the world\n"
    assert fleet.run("plan", "--detailed-exitcode").returncode == 0


CI = {"github": EXAMPLES / "ci/.github/workflows/fleet.yaml", "gitlab": EXAMPLES / "ci/.gitlab-ci.yml"}


@pytest.mark.parametrize("path", CI.values(), ids=CI)
def test_ci_files_validate_plan_and_reconcile(path: Path) -> None:
    reading = yaml.read(path.read_bytes())
    assert not reading.faults
    text = path.read_text()
    assert "fetch-depth: 0" in text or 'GIT_DEPTH: "0"' in text
    verbs = [words[0] for words in commands(text)]
    assert {"validate", "plan", "reconcile"} <= set(verbs)
    assert "--wait" in next(words for words in commands(text) if words[0] == "reconcile")


def test_github_gives_untrusted_requests_no_secret() -> None:
    workflow: Any = yaml.read(CI["github"].read_bytes()).contents[0].value
    assert workflow["on"].keys() == {"pull_request", "push"}  # never pull_request_target
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in str(workflow["jobs"]["validate"])
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["plan"]["if"]


def test_the_unit_starts_the_daemon() -> None:
    unit = (EXAMPLES / "systemd/reconciler-watch.service").read_text()
    assert re.search(r"^ExecStart=\S+/reconciler watch$", unit, re.MULTILINE)
    for line in ("Restart=on-failure", "KillSignal=SIGTERM", "TimeoutStopSec=15", "KillMode=process"):
        assert f"\n{line}\n" in unit


TEXTS = [
    *(path for path in EXAMPLES.rglob("*") if path.suffix in (".md", ".yaml", ".yml", ".sh", ".service")),
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_written_down_exists(path: Path) -> None:
    for words in commands(path.read_text()):
        command, rest = command_of(words)
        options = {
            name
            for parameter in (*command.params, *cli.params)
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        for word in rest:
            if word.startswith("-") and word not in ("-", "--"):
                assert word.partition("=")[0] in {*options, "--help", "-h", "--version"}, f"{' '.join(words)}: {word}"


def commands(text: str) -> list[list[str]]:
    """The words behind `reconciler` and `reconcile`, from code spans, code blocks, scripts and CI files."""
    found = []
    starts = r"(?:^|`|(?:^|\s)(?:-|run:|say|\$|&&|- run:|ExecStart=\S*/)) *(reconcile[r]?) ((?:[^`\n#;|&…]|\$\{)*)"
    for line in text.splitlines():
        for match in re.finditer(starts, line.strip()):
            words = match[2].replace('"', " ").split()
            while words and words[0] in ("--identity-file", "-C", "--ref", "--repo"):
                words = words[2:]
            if match[1] == "reconcile":
                words = ["reconcile", *words]
            if words and words[0] in cli.list_commands(click.Context(cli)):
                found.append(words)
            else:
                assert not words or not re.fullmatch(r"[a-z]+", words[0]) or match[0][0] != "`", f"no such verb: {line}"
    return found


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command, words
    rest = words[1:]
    while isinstance(command, click.Group) and rest and re.fullmatch(r"[a-z]+", rest[0]):
        inner = command.get_command(context, rest[0])
        assert inner, f"{' '.join(words)} does not exist"
        command, rest = inner, rest[1:]
    return command, rest
