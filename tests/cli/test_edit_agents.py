"""The verbs for agents' work: write a task, follow it up, see what its agent would be told."""

import io
import sys
from pathlib import Path

import pytest

from reconciler.errors import Exit
from tests.cli.edit_room import FLEET, Room, known_user, surroundings

SHOP = (
    "apiVersion: reconciler/v1\nkind: Project\nmetadata: {name: shop}\n"
    "spec: {repoUrl: 'https://github.com/acme/shop', baseBranch: main}\n"
)
FIX = """\
# Ask Ada before you touch it.
apiVersion: reconciler/v1
kind: Task
metadata: {name: fix-login}
spec:
  project: shop   # the web shop
  agent: claude:haiku
  prompt: |
    Make the login work without JavaScript.
"""
BUILD = "apiVersion: reconciler/v1\nkind: Task\nmetadata: {name: build}\nspec: {run: 'true'}\n"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Room:
    surroundings(tmp_path, monkeypatch)
    known_user()
    room = Room(tmp_path / "fleet", capsys)
    room.path.mkdir()
    room.git("init", "--quiet", "--initial-branch=main")
    room.write("fleet.yaml", FLEET)
    room.write("projects/shop.yaml", SHOP)
    room.write("tasks/build.yaml", BUILD)
    room.write("tasks/fix-login.yaml", FIX)
    room.commit()
    return room


def test_a_new_task_for_an_agent_has_its_fields_in_the_order_of_a_file(room: Room) -> None:
    said = room.reconciler(
        "task", "new", "cart", "--project", "project/shop", "--agent", "codex", "--prompt", "Fix the cart.",
        "--issue", "15", "--base-branch", "release-2", "--template", "security", "--persona", "You are careful.",
        "--variable", "focus=the cart", "--qa", "make test", "--qa", "make lint", "--priority", "high",
        "--timeout", "2h",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert room.touched() == ["tasks/cart.yaml"]
    assert room.read("tasks/cart.yaml") == (
        "apiVersion: reconciler/v1\nkind: Task\nmetadata:\n  name: cart\nspec:\n  project: shop\n  agent: codex\n"
        "  priority: high\n  timeout: 2h\n  base:\n    branch: release-2\n  issue: 15\n  template:\n    name: security\n"
        "    persona: You are careful.\n    variables:\n      focus: the cart\n  qa:\n    - make test\n    - make lint\n"
        "  prompt: Fix the cart.\n"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--base-tag", "v1.2"], "  base:\n    tag: v1.2\n"),
        (["--base-pull-request", "7"], "  base:\n    pullRequest: 7\n"),
        (["--qa", "auto"], "  qa: auto\n"),
        (["--qa", "none"], "  qa: []\n"),
        (["--agent", "claude:opus"], "  agent: claude:opus\n"),
    ],
)
def test_one_more_field(room: Room, words: list[str], line: str) -> None:
    agent = [] if "--agent" in words else ["--agent", "codex"]
    said = room.reconciler("task", "new", "t", "--project", "shop", *agent, "--prompt", "Do it.", *words)
    assert said.code == 0, said.err
    assert line in room.read("tasks/t.yaml")


def test_a_prompt_from_a_file(room: Room, tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("# Cart\n\nFix it.")
    words = ["--project", "shop", "--agent", "codex", "--prompt-file", str(tmp_path / "prompt.md")]
    assert room.reconciler("task", "new", "cart", *words).code == 0
    assert room.read("tasks/cart.yaml").endswith("  prompt: |\n    # Cart\n\n    Fix it.\n")


REFUSED = {
    ("--prompt", "x"): (Exit.ERROR, "spec.project"),
    ("--prompt", "x", "--run", "true"): (Exit.USAGE, "--run is a script without an agent, --prompt is for"),
    ("--prompt", "x", "--prompt-file", "/dev/null"): (Exit.USAGE, "--prompt and --prompt-file are the same thing"),
    ("--project", "shop", "--agent", "claude"): (Exit.ERROR, "spec.prompt"),
    ("--project", "shpo", "--agent", "claude", "--prompt", "x"): (Exit.ERROR, "did you mean shop?"),
    ("--project", "shop", "--agent", "cluade", "--prompt", "x"): (Exit.ERROR, "did you mean claude?"),
    ("--project", "shop", "--agent", "claude", "--prompt", "x", "--qa", "auot"): (Exit.USAGE, "did you mean auto?"),
    ("--project", "shop", "--agent", "claude", "--prompt", "x", "--qa", "auto", "--qa", "x"): (
        Exit.USAGE,
        "--qa auto stands alone",
    ),
    ("--project", "shop", "--agent", "claude", "--prompt", "x", "--base-tag", "a", "--base-branch", "b"): (
        Exit.ERROR,
        "spec.base",
    ),
    ("--run", "true", "--issue", "3"): (Exit.ERROR, "spec.issue"),
    (): (Exit.USAGE, "or --project, --agent and --prompt"),
}


@pytest.mark.parametrize(("words", "expected"), REFUSED.items(), ids=map(" ".join, REFUSED))
def test_what_makes_no_task_is_refused(room: Room, words: tuple[str, ...], expected: tuple[Exit, str]) -> None:
    said = room.reconciler("task", "new", "t", *words)
    assert (said.code, expected[1] in said.err) == (expected[0], True), said.err
    assert room.clean()
    assert room.commits() == 1


def test_follow_ups_are_added_at_the_end_and_every_other_byte_stays(room: Room) -> None:
    assert room.reconciler("task", "follow-up", "task/fix-login", "Also update the changelog.").code == 0
    assert room.changed_lines() == ["+  followUps:", "+    - request: Also update the changelog."]
    commented = room.read("tasks/fix-login.yaml") + "    # after the review\n"
    room.write("tasks/fix-login.yaml", commented)
    room.commit()
    said = room.reconciler("task", "follow-up", "fix-login", "Use Postgres.\nNot SQLite.\n")
    assert said.code == 0, said.err
    assert [line for line in room.changed_lines() if line.startswith("-")] == []
    text = room.read("tasks/fix-login.yaml")
    assert text.startswith(FIX)
    assert "# after the review" in text
    assert room.git("log", "-1", "--format=%s") == "follow up task fix-login\n"
    assert "the next cycle after the work before it starts it" in said.err


def test_a_follow_up_from_standard_input(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Größer, bitte.\n".encode()), encoding="ascii"))
    assert room.reconciler("task", "follow-up", "fix-login", "-").code == 0
    assert "Größer, bitte." in room.read("tasks/fix-login.yaml")


@pytest.mark.parametrize("typed", [b"", b" \n\t\n", b"\xff\xfe"])
def test_nothing_on_standard_input_is_no_follow_up(room: Room, monkeypatch: pytest.MonkeyPatch, typed: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    said = room.reconciler("task", "follow-up", "fix-login", "-")
    assert said.code == Exit.USAGE
    assert len(said.err.splitlines()) == 1
    assert room.commits() == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["fix-login", ""], Exit.USAGE, 'a follow-up asks for something: `reconciler task follow-up fix-login "'),
        (["fix-login", " \n"], Exit.USAGE, "a follow-up asks for something"),
        (["fix-login"], Exit.USAGE, "REQUEST"),
        (["fix-logn", "x"], Exit.ERROR, "did you mean fix-login?"),
        (["build", "x"], Exit.USAGE, "build runs a script, no agent"),
        (["fix-login", "x\x07"], Exit.ERROR, "spec.followUps[0].request"),
    ],
)
def test_what_is_no_follow_up_is_refused(room: Room, words: list[str], code: Exit, sentence: str) -> None:
    said = room.reconciler("task", "follow-up", *words)
    assert (said.code, sentence in said.err) == (code, True), said.err
    assert room.clean()
    assert room.commits() == 1


def test_a_follow_up_of_a_closed_task_says_what_is_missing(room: Room) -> None:
    room.reconciler("task", "close", "fix-login")
    said = room.reconciler("task", "follow-up", "fix-login", "More.")
    assert said.code == 0
    assert "`reconciler task reopen fix-login`" in said.err


def test_the_prompt_of_the_task_and_of_a_follow_up(room: Room) -> None:
    first = room.reconciler("task", "prompt", "fix-login")
    assert first.code == 0
    assert first.err.startswith("note: the host adds the path of the worktree (@RECONCILER_WORKTREE@)")
    assert "Make the login work without JavaScript." in first.out
    assert "https://github.com/acme/shop" in first.out
    assert "reconciler/fix-login-" in first.out
    assert "@RECONCILER_WORKTREE@" in first.out
    room.reconciler("task", "follow-up", "fix-login", "Also update the changelog.")
    again = room.reconciler("task", "prompt", "task/fix-login")
    assert again.out == first.out  # the task itself goes first
    assert room.reconciler("task", "prompt", "fix-login", "--step", "0").out == first.out
    more = room.reconciler("task", "prompt", "fix-login", "--step", "1")
    assert "Also update the changelog." in more.out
    assert "Also update the changelog." not in first.out


def test_the_prompt_of_what_is_not_committed(room: Room) -> None:
    room.write("tasks/fix-login.yaml", FIX.replace("login", "logout").replace("fix-logout", "fix-login"))
    assert "the logout work" not in room.reconciler("task", "prompt", "fix-login").out
    assert "the logout work" in room.reconciler("task", "prompt", "fix-login", "--worktree").out


def test_the_issue_is_added_on_the_host(room: Room) -> None:
    room.write("tasks/fix-login.yaml", FIX + "  issue: 15\n")
    room.commit()
    said = room.reconciler("task", "prompt", "fix-login")
    assert "#15" in said.out
    assert said.err.startswith("note: the host adds the path of the worktree (@RECONCILER_WORKTREE@), ")
    assert said.err.endswith(", title and text of issue #15 (@RECONCILER_ISSUE@)\n")


def test_a_template_of_the_fleet(room: Room) -> None:
    room.write("prompts/short.md.j2", "{{ prompt }} In {{ project }}, {{ mood }}.\n")
    room.write("tasks/fix-login.yaml", FIX + "  template: {name: short, variables: {mood: calmly}}\n")
    room.commit()
    said = room.reconciler("task", "prompt", "fix-login")
    assert said.out == "Make the login work without JavaScript.\n In shop, calmly.\n", said.err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["build"], Exit.ERROR, "no agent is told anything for build"),
        (["fix-logn"], Exit.ERROR, "did you mean fix-login?"),
        (
            ["fix-login", "--step", "1"],
            Exit.USAGE,
            "fix-login has no step 1: --step goes from 0, the task itself, to 0",
        ),
        (["fix-login", "--step", "-1"], Exit.USAGE, "-1"),
    ],
)
def test_where_there_is_no_prompt(room: Room, words: list[str], code: Exit, sentence: str) -> None:
    said = room.reconciler("task", "prompt", *words)
    assert (said.code, sentence in said.err) == (code, True), said.err
    assert said.out == ""
