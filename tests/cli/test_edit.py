"""The verbs that edit the fleet repository: one file, the lines that were meant, one commit."""

import stat
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import Exit
from tests.cli.edit_room import FLEET, Room, known_user, surroundings
from tests.e2e.fleet import Fleet

BUILD = """\
# The build. Ask Ada before you touch it.
apiVersion: reconciler/v1
kind: Task
metadata:
    name: build
    labels: {stage: build}   # for -l
spec:
    priority: "high"
    run: |
        make all

    # the end
"""
BOX = "apiVersion: reconciler/v1\nkind: Host\nmetadata: {name: box}\nspec:\n  address: box.example.org  # rack 3\n"
TWO = (
    "apiVersion: reconciler/v1\nkind: Task\nmetadata: {name: one}\nspec: {run: 'true', host: box}\n"
    "---\napiVersion: reconciler/v1\nkind: Task\nmetadata: {name: two}\nspec: {run: 'true'}\n"
)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Room:
    surroundings(tmp_path, monkeypatch)
    known_user()
    room = Room(tmp_path / "fleet", capsys)
    room.path.mkdir()
    room.git("init", "--quiet", "--initial-branch=main")
    room.write("fleet.yaml", FLEET)
    room.write("hosts/box.yaml", BOX)
    room.write("tasks/build.yaml", BUILD)
    room.write("tasks/two.yaml", TWO)
    room.commit()
    return room


ONE_LINE = {
    "task close build": ["+    state: closed"],
    "task close task/build": ["+    state: closed"],
    "task rerun build": ["+    rerun: 1"],
    "suspend build": ["+    suspend: true"],
    "suspend --cancel build": ["+    suspend: {cancel: true}"],
    "suspend -l stage=build": ["+    suspend: true"],
    "suspend --all": [FLEET.splitlines()[-1].join(("-", "")), "+spec: {id: 0123456789abcdef, suspend: true}"],
    "host cordon box": ["+  cordon: true"],
    "host cordon host/box": ["+  cordon: true"],
    "host drain box": ["+  drain: true"],
    "host drain box --deadline 0s": ["+  drain: {deadline: 0s}"],
    "task close two": ["-spec: {run: 'true'}", "+spec: {run: 'true', state: closed}"],
}


@pytest.mark.parametrize(("command", "lines"), ONE_LINE.items(), ids=ONE_LINE)
def test_an_edit_is_one_commit_of_the_lines_it_means(room: Room, command: str, lines: list[str]) -> None:
    said = room.reconciler(*command.split())
    assert said.code == 0, said.err
    assert room.changed_lines() == lines
    assert len(room.touched()) == 1
    assert room.clean()
    head = room.git("rev-parse", "--short=7", "HEAD").strip()
    subject = room.git("log", "-1", "--format=%s").strip()
    assert said.out == f"committed {head}: {subject}\n"
    assert said.err.startswith("next: ")


BACK = [
    ("task close build", "task reopen build"),
    ("suspend build two", "resume build two"),
    ("suspend --all --cancel", "resume --all"),
    ("suspend -l stage=build", "resume -l stage=build"),
    ("host cordon box", "host uncordon box"),
    ("host drain box --deadline 2h", "host uncordon box"),
    ("host add new --address new.example.org --slots 2", "host remove new --force"),
]


@pytest.mark.parametrize(("there", "back"), BACK, ids=[back for _, back in BACK])
def test_the_way_back_leaves_no_trace(room: Room, there: str, back: str) -> None:
    before = room.git("rev-parse", "HEAD^{tree}")
    assert room.reconciler(*there.split()).code == 0
    assert room.git("rev-parse", "HEAD^{tree}") != before
    assert room.reconciler(*back.split()).code == 0
    assert room.git("rev-parse", "HEAD^{tree}") == before
    assert room.commits() == 3


@pytest.mark.parametrize("command", ["task reopen build", "resume build", "resume --all", "host uncordon box"])
def test_what_is_so_already_makes_no_commit(room: Room, command: str) -> None:
    said = room.reconciler(*command.split())
    assert (said.code, room.commits()) == (0, 1)
    assert said.out.startswith("nothing to do: ")


@pytest.mark.parametrize(
    ("present", "following"),
    [
        ("", "1"),
        ("rerun: 1", "2"),
        ("rerun: 41", "42"),
        ("rerun: again", "again+1"),
        ("rerun: 'x+9'", "x+10"),
        ("rerun: 2026-11-20", "2026-11-20+1"),
        ("rerun: true", "true+1"),
    ],
)
def test_rerun_counts_up(room: Room, present: str, following: str) -> None:
    room.write("tasks/build.yaml", BUILD.replace('priority: "high"', present or "priority: high"))
    room.commit()
    assert room.reconciler("task", "rerun", "build").code == 0
    assert room.changed_lines()[-1] == f"+    rerun: {following}"


def test_several_tasks_are_one_commit(room: Room) -> None:
    assert room.reconciler("task", "close", "build", "one", "two").code == 0
    assert (room.commits(), room.touched()) == (2, ["tasks/build.yaml", "tasks/two.yaml"])
    assert room.git("log", "-1", "--format=%s") == "close build, one, two\n"


def test_one_document_of_two_is_removed_and_the_file_with_the_last(room: Room) -> None:
    room.write("hosts/pair.yaml", BOX.replace("box", "a") + "---\n" + BOX.replace("box", "b"))
    room.commit()
    assert room.reconciler("host", "remove", "a", "--force").code == 0
    assert room.read("hosts/pair.yaml") == "---\n" + BOX.replace("box", "b")
    assert room.reconciler("host", "remove", "b", "--force").code == 0
    assert not (room.path / "hosts/pair.yaml").exists()
    assert room.touched() == ["hosts/pair.yaml"]


def test_a_new_task_has_its_fields_in_the_order_of_a_file(room: Room) -> None:
    said = room.reconciler(
        "task", "new", "task/deploy", "--run", "make deploy\necho done", "--env", "PORT=8080", "--title", "Deploy",
        "--host-selector", "gpu=yes", "--secret", "KEY=KEY_WEB", "--secret", "TOKEN", "--retries", "2",
        "--depends-on", "task/build", "--timeout", "2h", "--label", "stage=deploy", "--rerun", "3",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert room.touched() == ["tasks/deploy.yaml"]
    assert room.read("tasks/deploy.yaml") == (
        "apiVersion: reconciler/v1\nkind: Task\nmetadata:\n  name: deploy\n  labels:\n    stage: deploy\n"
        "spec:\n  title: Deploy\n  hostSelector:\n    matchLabels:\n      gpu: \"yes\"\n  env:\n    PORT: \"8080\"\n"
        "  secrets:\n    - {name: KEY, from: KEY_WEB}\n    - TOKEN\n  timeout: 2h\n  retries:\n    limit: 2\n"
        "  dependsOn:\n    - build\n  rerun: 3\n  run: |\n    make deploy\n    echo done\n"
    )  # fmt: skip


def test_a_script_from_a_file(room: Room, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/usr/bin/env python3\nprint('x')\n")
    assert room.reconciler("task", "new", "py", "--run-file", str(tmp_path / "script")).code == 0
    assert room.read("tasks/py.yaml").endswith("  run: |\n    #!/usr/bin/env python3\n    print('x')\n")


def test_a_new_host(room: Room) -> None:
    words = "host add gpu --address 192.0.2.7 --port 2222 --slots 1 --label gpu=yes --ssh-option Compression=yes"
    assert room.reconciler(*words.split()).code == 0
    assert room.read("hosts/gpu.yaml") == (
        'apiVersion: reconciler/v1\nkind: Host\nmetadata:\n  name: gpu\n  labels:\n    gpu: "yes"\n'
        'spec:\n  address: 192.0.2.7\n  port: 2222\n  sshOptions:\n    Compression: "yes"\n  slots: 1\n'
    )


REFUSED = {
    "host remove box --force": (Exit.ERROR, "there is no Host box"),  # a task names it
    "host add box2": (Exit.ERROR, "spec.address: is missing"),
    "host add box2 --address box.example.org": (Exit.ERROR, "the Host box is the same place"),
    "host add box2 --address b --port 99999": (Exit.ERROR, "spec.port"),
    "host add box2 --address b --label gpu": (Exit.USAGE, "KEY=VALUE"),
    "host add box --address b": (Exit.USAGE, "there is a host box already, in hosts/box.yaml"),
    "host drain box --deadline soon": (Exit.ERROR, "a duration"),
    "task new t --run true --depends-on buidl": (Exit.ERROR, "did you mean build?"),
    "task new t": (Exit.USAGE, "--run SCRIPT"),
    "task new build --run true": (Exit.USAGE, "already"),
    "task new ../t --run true": (Exit.USAGE, "no name"),
    "task new T --run true": (Exit.USAGE, "no name"),
    "task close buidl": (Exit.ERROR, "did you mean build?"),
    "task close build nope": (Exit.ERROR, "there is no task 'nope'"),
    "suspend": (Exit.USAGE, "TASK names, -l SELECTOR, or --all"),
    "suspend build --all": (Exit.USAGE, "TASK names, -l SELECTOR, or --all"),
    "suspend -l stage=none": (Exit.ERROR, "no task has the labels stage=none"),
    "task close build --no-commit --push": (Exit.USAGE, "--push needs the commit"),
}


@pytest.mark.parametrize(("command", "expected"), REFUSED.items(), ids=REFUSED)
def test_what_is_refused_leaves_everything_as_it_was(room: Room, command: str, expected: tuple[Exit, str]) -> None:
    said = room.reconciler(*command.split())
    assert (said.code, expected[1] in said.err) == (expected[0], True), said.err
    assert room.clean()
    assert room.commits() == 1


def test_a_problem_that_was_there_before_does_not_stand_in_the_way(room: Room) -> None:
    room.write("tasks/broken.yaml", BUILD.replace("build", "broken").replace("priority", "priorty"))
    room.commit()
    assert room.reconciler("task", "close", "build").code == 0
    assert room.reconciler("task", "close", "broken").code == 0
    assert room.changed_lines() == ["+    state: closed"]


def test_a_name_that_is_declared_twice_is_not_guessed(room: Room) -> None:
    room.write("tasks/again.yaml", BUILD)
    room.commit()
    said = room.reconciler("task", "close", "build")
    assert said.code == Exit.ERROR
    assert "tasks/again.yaml, tasks/build.yaml" in said.err


def test_changes_of_the_users_own_are_not_taken_along(room: Room) -> None:
    mine = BUILD.replace("make all", "make some")
    room.write("tasks/build.yaml", mine)
    said = room.reconciler("task", "close", "build")
    assert (said.code, "not committed" in said.err) == (Exit.ERROR, True)
    assert room.read("tasks/build.yaml") == mine
    assert room.reconciler("task", "close", "build", "--no-commit").code == 0
    assert room.commits() == 1
    assert room.read("tasks/build.yaml") == mine.replace("make some\n", "make some\n    state: closed\n")


def test_other_files_and_the_index_stay_out_of_the_commit(room: Room) -> None:
    room.write("tasks/two.yaml", TWO.replace("'true'", "'false'"))
    room.write("notes.txt", "mine")
    room.git("add", "notes.txt")
    assert room.reconciler("host", "cordon", "box").code == 0
    assert room.touched() == ["hosts/box.yaml"]
    assert room.git("status", "--porcelain").splitlines() == ["A  notes.txt", " M tasks/two.yaml"]


def test_when_git_refuses_the_file_is_as_before(room: Room) -> None:
    hook = room.path / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho not on Fridays >&2\nexit 1\n")
    hook.chmod(0o755)
    said = room.reconciler("task", "close", "build")
    assert (said.code, "not on Fridays" in said.err) == (Exit.ERROR, True)
    assert room.reconciler("task", "new", "fresh", "--run", "true").code == Exit.ERROR
    assert room.clean()


def test_no_user_in_git_is_said(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.git("config", "user.useConfigOnly", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    said = room.reconciler("task", "close", "build")
    assert (said.code, "user.name" in said.err) == (Exit.ERROR, True)
    assert room.clean()


@pytest.mark.parametrize("text", [BUILD.replace("\n", "\r\n"), "\ufeff" + BUILD], ids=["crlf", "bom"])
def test_the_bytes_around_stay(room: Room, text: str) -> None:
    room.write("tasks/build.yaml", text)
    room.commit()
    assert room.reconciler("task", "close", "build").code == 0
    assert room.reconciler("task", "reopen", "build").code == 0
    assert room.read("tasks/build.yaml") == text


def test_the_mode_of_a_file_stays(room: Room) -> None:
    file = room.path / "tasks/build.yaml"
    file.chmod(0o755)
    room.commit()
    assert room.reconciler("task", "close", "build").code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o755


def test_a_fleet_in_a_folder_of_its_repository(room: Room) -> None:
    room.write("fleets/web/fleet.yaml", FLEET)
    room.commit()
    web = Room(room.path / "fleets/web", room.capture)
    assert web.reconciler("host", "add", "box", "--address", "web").code == 0
    assert room.touched() == ["fleets/web/hosts/box.yaml"]


def test_a_new_file_that_would_not_be_read_is_refused(room: Room) -> None:
    room.write(".reconcilerignore", "tasks/old-*\n")
    room.commit()
    said = room.reconciler("task", "new", "old-one", "--run", "true")
    assert (said.code, ".reconcilerignore" in said.err) == (Exit.ERROR, True)
    assert room.clean()


def test_push(room: Room, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "origin.git")], check=True)
    room.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    said = room.reconciler("host", "cordon", "box", "--push")
    assert (said.code, "(pushed)" in said.out) == (0, True)
    pushed = subprocess.run(
        ["git", "-C", str(tmp_path / "origin.git"), "rev-parse", "main"], capture_output=True, text=True, check=True
    )
    assert pushed.stdout == room.git("rev-parse", "HEAD")


def test_a_url_and_a_bare_repository_cannot_be_edited(room: Room, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", "--bare", str(room.path), str(tmp_path / "bare.git")], check=True)
    for place in (f"file://{room.path}", str(tmp_path / "bare.git")):
        said = room.reconciler("-C", place, "task", "close", "build")
        assert (said.code, "clone it" in said.err) == (Exit.USAGE, True)


def test_an_idle_host_is_removed_without_force(room: Room) -> None:
    assert room.reconciler("host", "add", "idle", "--address", "idle").code == 0
    assert room.reconciler("host", "remove", "idle").code == 0
    assert not (room.path / "hosts/idle.yaml").exists()


def test_a_host_with_work_on_it_stays_unless_forced(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.local("here")
    fleet.task("long", "sleep 300")
    fleet.commit()
    fleet.run("reconcile", check=0)
    refused = fleet.run("host", "remove", "here", check=Exit.ERROR)
    assert "long-" in refused.stderr
    assert "host drain here" in refused.stderr
    fleet.run("task", "close", "long", check=0)
    fleet.reconcile()
    fleet.run("host", "remove", "here", check=0)


def test_rerun_runs_again_even_when_its_value_was_used_and_removed(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.local("here")
    fleet.task("hello")
    fleet.commit()
    fleet.run("task", "rerun", "hello", check=0)
    fleet.reconcile()
    fleet.task("hello")
    fleet.commit("without rerun")
    fleet.reconcile()
    fleet.run("task", "rerun", "hello", check=0)
    assert "rerun: 2" in (fleet.repo / "tasks/hello.yaml").read_text()
    assert [change["action"] for change in fleet.reconcile()["changes"]] == ["launch", "collect"]
