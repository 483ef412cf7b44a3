"""`explain`, `schema` and `completion`: what there is, said by the schemas themselves."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.explain import KINDS
from reconciler.errors import Exit
from reconciler.load.schema import schema
from tests.cli.edit_room import Room, surroundings
from tests.e2e.fleet import Fleet


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Room:
    surroundings(tmp_path, monkeypatch)
    return Room(tmp_path, capsys)


def fields(node: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inner in node.get("properties", {}).items():
        yield ".".join((*path, name)), inner
        yield from fields(inner, (*path, name))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_explained_with_its_default_and_an_example(room: Room, kind: str) -> None:
    for path, node in fields(schema(kind.title())):
        said = room.reconciler("explain", f"{kind}.{path}")
        assert said.code == 0, path
        assert " ".join(node["description"].split()) in " ".join(said.out.split()), path
        if node.get("default") is not None:
            assert "default: " in said.out, path
        assert "example:" in said.out, path


def test_spec_may_be_left_out(room: Room) -> None:
    assert (
        room.reconciler("explain", "task.retries.limit").out
        == room.reconciler("explain", "task.spec.retries.limit").out
    )
    assert "metadata.labels <map>" in room.reconciler("explain", "tasks.metadata.labels").out


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("tsk", "did you mean task?"),
        ("reviews", "there is fleet, host, project, agent, task"),
        ("task.retrys", "did you mean retries?"),
        ("task.depends_on", "did you mean dependsOn?"),
        ("host.slots.x", "host.spec.slots has no fields below it"),
    ],
)
def test_did_you_mean(room: Room, typed: str, answer: str) -> None:
    said = room.reconciler("explain", typed)
    assert (said.code, answer in said.err) == (Exit.USAGE, True), said.err


@pytest.mark.parametrize("kind", KINDS)
def test_schema_is_the_shipped_file(room: Room, kind: str) -> None:
    said = room.reconciler("schema", kind.title())
    assert json.loads(said.out)["title"] == kind.title()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(room: Room, shell: str) -> None:
    said = room.reconciler("completion", shell)
    assert said.code == 0
    assert "_RECONCILER_COMPLETE" in said.out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("reconciler task cl", {"close"}),
        ("reconciler host dr", {"drain"}),
        ("reconciler host ch", {"check"}),
        ("reconciler explain task.ret", {"task.retries"}),
        ("reconciler explain task.retries.", {"task.retries.limit", "task.retries.backoff", "task.retries.maxBackoff"}),
        ("reconciler -C {repo} task close he", {"hello"}),
        ("reconciler -C {repo} task close task/he", {"task/hello"}),
        ("reconciler -C {repo} host drain ", {"here"}),
        ("reconciler -C /nowhere task close he", set()),
    ],
)
def test_what_a_tab_offers(tmp_path: Path, typed: str, offered: set[str]) -> None:
    fleet = Fleet(tmp_path)
    if "{repo}" in typed:
        fleet.local("here")
        fleet.task("hello")
        fleet.commit()
        fleet.reconcile()
    line = typed.format(repo=fleet.repo)
    fleet.environment |= {
        "_RECONCILER_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = fleet.run("--help")
    assert done.stderr == ""
    assert {answer.partition(",")[2] for answer in done.stdout.splitlines() if answer} == offered
