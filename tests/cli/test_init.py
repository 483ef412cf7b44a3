"""`reconciler init`: a fleet that runs at once, and nothing overwritten."""

from pathlib import Path

import pytest

from reconciler.cli.init import STARTER, slug
from reconciler.errors import Exit
from tests.cli.edit_room import FLEET, Room, known_user, surroundings


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Room:
    surroundings(tmp_path, monkeypatch)
    known_user()
    room = Room(tmp_path / "My Fleet", capsys)
    room.path.mkdir()
    return room


def files(room: Room) -> set[str]:
    return {str(path.relative_to(room.path)) for path in room.path.rglob("*") if path.is_file()} - {
        str(path.relative_to(room.path)) for path in (room.path / ".git").rglob("*")
    }


def test_an_empty_folder_becomes_a_valid_fleet_with_one_commit(room: Room) -> None:
    said = room.reconciler("init")
    assert said.code == 0, said.err
    assert files(room) == set(STARTER)
    assert (room.commits(), room.clean()) == (1, True)
    assert "  name: my-fleet\n" in room.read("fleet.yaml")
    assert room.git("symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert room.reconciler("validate").code == 0
    for command in ("reconciler plan", "reconciler reconcile --wait", "reconciler logs hello"):
        assert command in said.out


def test_it_runs_at_once(room: Room) -> None:
    assert room.reconciler("init").code == 0
    said = room.reconciler("reconcile", "--wait", "--timeout", "60s")
    assert said.code == 0, said.err
    assert room.reconciler("logs", "hello").out.startswith("Hello from ")


def test_a_second_host_can_be_added_to_it(room: Room) -> None:
    assert room.reconciler("init").code == 0
    assert room.reconciler("host", "add", "box", "--address", "box.example.org").code == 0


def test_two_fleets_have_two_ids(room: Room, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert room.reconciler("init", str(tmp_path / name)).code == 0
    ids = [
        next(line for line in (tmp_path / name / "fleet.yaml").read_text().splitlines() if "  id:" in line)
        for name in "ab"
    ]
    assert ids[0] != ids[1]


def test_a_new_folder_is_made(room: Room, tmp_path: Path) -> None:
    said = room.reconciler("init", str(tmp_path / "deep" / "new"))
    assert said.code == 0
    assert f"cd {tmp_path}/deep/new" in said.out
    assert (tmp_path / "deep/new/.git").is_dir()


def test_without_a_git_user_the_first_commit_says_whose_it_is(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    (room.path.parent / "home" / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    said = room.reconciler("init")
    assert said.code == 0, said.err
    assert room.git("log", "-1", "--format=%an <%ae>") == "reconciler <reconciler@localhost>\n"
    assert "git does not know who you are" in said.out
    assert "user.email" in said.err


def test_an_empty_git_repository_is_used_as_it_is(room: Room) -> None:
    room.git("init", "--quiet", "--initial-branch=trunk")
    assert room.reconciler("init").code == 0
    assert room.git("symbolic-ref", "HEAD") == "refs/heads/trunk\n"
    assert room.commits() == 1


def test_among_other_files_the_commit_is_the_users(room: Room) -> None:
    room.write("README.md", "mine\n")
    said = room.reconciler("init")
    assert said.code == 0
    assert "git add fleet.yaml hosts/local.yaml tasks/hello.yaml && git commit" in said.out
    assert "?? fleet.yaml" in room.git("status", "--porcelain")


def test_a_new_folder_inside_a_repository_becomes_part_of_it(room: Room) -> None:
    room.git("init", "--quiet", "--initial-branch=main")
    room.write("code.py", "1\n")
    room.commit()
    assert room.reconciler("init", str(room.path / "ops")).code == 0
    assert not (room.path / "ops/.git").exists()
    assert room.touched() == ["ops/fleet.yaml", "ops/hosts/local.yaml", "ops/tasks/hello.yaml"]


@pytest.mark.parametrize("path", ["fleet.yaml", "hosts/local.yaml", "tasks/hello.yaml"])
def test_nothing_is_overwritten(room: Room, path: str) -> None:
    room.write(path, "mine\n")
    said = room.reconciler("init")
    assert (said.code, path in said.err) == (Exit.USAGE, True)
    assert (files(room), room.read(path)) == ({path}, "mine\n")


def test_a_second_time_is_refused(room: Room) -> None:
    assert room.reconciler("init").code == 0
    assert room.reconciler("init").code == Exit.USAGE
    assert room.commits() == 1


def test_a_fleet_in_another_file_is_seen(room: Room) -> None:
    room.git("init", "--quiet")
    room.write("all.yaml", FLEET)
    said = room.reconciler("init")
    assert (said.code, "all.yaml" in said.err) == (Exit.USAGE, True)
    assert files(room) == {"all.yaml"}


@pytest.mark.parametrize("place", ["https://git.example.org/fleet", "git@git.example.org:fleet", "{room}/a-file"])
def test_what_is_no_folder_is_refused(room: Room, place: str) -> None:
    room.write("a-file", "")
    assert room.reconciler("-C", place.format(room=room.path), "init").code == Exit.USAGE
    assert not Path(place.partition(":")[0]).exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("fleet", "fleet"),
        ("My Fleet!", "my-fleet"),
        ("--x--", "x"),
        ("Ünï", "n"),
        ("日本", "fleet"),
        ("a" * 80, "a" * 63),
    ],
)
def test_the_name_of_the_folder_names_the_fleet(folder: str, name: str) -> None:
    assert slug(folder) == name
