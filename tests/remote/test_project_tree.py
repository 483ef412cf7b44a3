"""The worktree of a run: where it starts from, where it goes on, and what is never overwritten."""

import shutil
from pathlib import Path

import pytest

from tests.remote.stage import Origin, Prepared, Workspace, git

RUN = "fix-0a1b2c3d-"
FIRST = f"{RUN}1"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin.make(tmp_path / "remote")


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws", env={"HOME": str(tmp_path / "home")})


def head(place: Path) -> str:
    return git(place, "rev-parse", "HEAD")


def on(done: Prepared) -> str:
    """The branch that is checked out in a worktree that was made."""
    assert done.failure == ""
    return git(done.tree, "branch", "--show-current")


def again(ws: Workspace, origin: Origin, mode: str = "resume", **settings: str) -> Prepared:
    """A follow-up: another run in the worktree of the first."""
    named = {"worktree": FIRST, "branch": f"reconciler/{FIRST}", "tree_mode": mode, **settings}
    return ws.prepare("fix-9f8e7d6c-1", origin.bare, **named)


# Where it starts


def test_from_a_branch(ws: Workspace, origin: Origin) -> None:
    commit = origin.commit("x", "x", branch="release/1.x")
    origin.commit("y", "y", branch="main")
    done = ws.prepare(FIRST, origin.bare, start="branch:release/1.x")
    assert (on(done), head(done.tree)) == (f"reconciler/{FIRST}", commit)
    assert done.environment["RECONCILER_BASE_BRANCH"] == "main"


def test_from_a_tag_that_is_on_no_branch_and_was_moved(ws: Workspace, origin: Origin) -> None:
    first = origin.commit("x", "x", branch="side")
    git(origin.work, "tag", "--annotate", "--message", "one", "v1.0", "side")
    git(origin.work, "push", "--quiet", "origin", "v1.0", ":side")
    assert head(ws.prepare(FIRST, origin.bare, start="tag:v1.0").tree) == first
    origin.work.joinpath("x").write_text("moved")
    git(origin.work, "commit", "--quiet", "--all", "--message", "moved")
    git(origin.work, "tag", "--force", "v1.0")
    git(origin.work, "push", "--quiet", "--force", "origin", "v1.0")
    assert head(ws.prepare(f"{RUN}2", origin.bare, start="tag:v1.0").tree) == head(origin.work)


def test_from_a_pull_request(ws: Workspace, origin: Origin) -> None:
    git(origin.work, "checkout", "--quiet", "-b", "theirs")
    git(origin.work, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    git(origin.work, "push", "--quiet", "origin", "theirs:refs/pull/7/head")
    done = ws.prepare(FIRST, origin.bare, start="pull:7")
    assert (on(done), head(done.tree)) == (f"reconciler/{FIRST}", head(origin.work))
    assert git(ws.checkout, "rev-parse", "refs/reconciler/pull/7") == head(origin.work)


@pytest.mark.parametrize(
    ("start", "what"), [("branch:no", "branch no"), ("tag:v9", "tag v9"), ("pull:9", "pull request 9")]
)
def test_from_what_is_not_there(ws: Workspace, origin: Origin, start: str, what: str) -> None:
    done = ws.prepare(FIRST, origin.bare, start=start)
    assert done.failure == f"the {what} is not in {origin.bare}: correct the task's base"
    assert done.phases == ["checkout", "worktree"]
    assert not ws.tree(FIRST).exists()


def test_a_branch_of_that_name_is_taken_over_but_not_lost(ws: Workspace, origin: Origin) -> None:
    first = ws.prepare(FIRST, origin.bare, branch="topic")
    git(first.tree, "commit", "--quiet", "--allow-empty", "--message", "not pushed")
    old = head(first.tree)
    shutil.rmtree(first.tree)
    done = ws.prepare(f"{RUN}2", origin.bare, branch="topic")
    assert (on(done), head(done.tree)) == ("topic", head(origin.work))
    assert git(ws.checkout, "rev-parse", f"refs/reconciler/wip/{RUN}2.before") == old


def test_a_branch_that_is_checked_out_elsewhere_is_refused(ws: Workspace, origin: Origin) -> None:
    ws.prepare(FIRST, origin.bare, branch="topic")
    done = ws.prepare(f"{RUN}2", origin.bare, branch="topic")
    assert done.failure.startswith(f"git cannot make the worktree {ws.tree(f'{RUN}2')}: ")
    assert "already" in done.failure


# What is never overwritten


@pytest.mark.parametrize("mode", ["fresh", "resume", "continue"])
@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link", "dangling link"])
def test_what_is_there_and_no_worktree_stays(
    ws: Workspace, origin: Origin, kind: str, mode: str, tmp_path: Path
) -> None:
    path = ws.tree(FIRST)
    path.parent.mkdir(parents=True)
    if "folder" in kind:
        path.mkdir()
        if kind == "folder":
            (path / "precious").write_text("x")
    elif kind == "file":
        path.write_text("x")
    else:
        path.symlink_to(tmp_path / ("remote" if kind == "link" else "nowhere"))
    before = sorted(str(found) for found in tmp_path.joinpath("remote").rglob("*") if ".git" not in found.parts)
    done = ws.prepare(FIRST, origin.bare, tree_mode=mode)
    assert done.failure == f"{path} is there already and not to be used: move it away"
    assert path.is_symlink() or path.exists()
    assert before == sorted(str(found) for found in tmp_path.joinpath("remote").rglob("*") if ".git" not in found.parts)


def test_a_fresh_run_never_takes_the_worktree_of_another(ws: Workspace, origin: Origin) -> None:
    ws.prepare(FIRST, origin.bare)
    done = ws.prepare(f"{RUN}2", origin.bare, worktree=FIRST, branch="other")
    assert "is there already and not to be used" in done.failure


# Where it goes on


@pytest.mark.parametrize("mode", ["resume", "continue"])
def test_in_the_worktree_as_it_was_left(ws: Workspace, origin: Origin, mode: str) -> None:
    first = ws.prepare(FIRST, origin.bare)
    (first.tree / "half").write_text("done")
    git(first.tree, "commit", "--quiet", "--allow-empty", "--message", "mine")
    mine = head(first.tree)
    admin = ws.checkout / ".git/worktrees" / FIRST
    (admin / "index.lock").write_text("")  # the worker's git was killed
    origin.commit("later", "x")
    done = again(ws, origin, mode)
    assert (done.tree, on(done), head(done.tree)) == (first.tree, f"reconciler/{FIRST}", mine)
    assert (done.tree / "half").read_text() == "done"
    git(done.tree, "add", "half")


@pytest.mark.parametrize("mode", ["resume", "continue"])
@pytest.mark.parametrize("locked", [False, True])
def test_from_the_local_branch(ws: Workspace, origin: Origin, mode: str, locked: bool) -> None:
    first = ws.prepare(FIRST, origin.bare)
    git(first.tree, "commit", "--quiet", "--allow-empty", "--message", "mine")
    mine = head(first.tree)
    if locked:
        git(first.tree, "worktree", "lock", str(first.tree))
    shutil.rmtree(first.tree)
    done = again(ws, origin, mode)
    assert (done.tree, on(done), head(done.tree)) == (first.tree, f"reconciler/{FIRST}", mine)


@pytest.mark.parametrize("left", ["worktree", "local branch"])
def test_what_was_pushed_onto_its_branch_meanwhile_comes_along(ws: Workspace, origin: Origin, left: str) -> None:
    first = ws.prepare(FIRST, origin.bare)
    git(first.tree, "push", "--quiet", "origin", "HEAD")
    (first.tree / "half").write_text("done")
    theirs = origin.commit("x", "theirs", branch=f"reconciler/{FIRST}")
    if left == "local branch":
        shutil.rmtree(first.tree)
    done = again(ws, origin)
    assert (on(done), head(done.tree)) == (f"reconciler/{FIRST}", theirs)
    assert (done.tree / "half").exists() == (left == "worktree")
    assert (done.tree / "x").read_text() == "theirs"


@pytest.mark.parametrize("mine", ["committed", "written", "on another branch"])
def test_what_stands_against_what_was_pushed_stays(ws: Workspace, origin: Origin, mine: str) -> None:
    first = ws.prepare(FIRST, origin.bare)
    git(first.tree, "push", "--quiet", "origin", "HEAD")
    if mine == "on another branch":
        git(first.tree, "switch", "--quiet", "--create", "aside")
    (first.tree / "x").write_text("mine")
    if mine == "committed":
        git(first.tree, "add", "x")
        git(first.tree, "commit", "--quiet", "--message", "mine")
    before = head(first.tree)
    origin.commit("x", "theirs", branch=f"reconciler/{FIRST}")
    done = again(ws, origin)
    assert done.failure == ""
    assert (head(done.tree), (done.tree / "x").read_text()) == (before, "mine")


@pytest.mark.parametrize("mode", ["resume", "continue"])
def test_from_the_remote_branch(ws: Workspace, origin: Origin, mode: str) -> None:
    first = ws.prepare(FIRST, origin.bare)
    git(first.tree, "commit", "--quiet", "--allow-empty", "--message", "mine")
    git(first.tree, "push", "--quiet", "origin", "HEAD")
    mine = head(first.tree)
    shutil.rmtree(ws.root / "app")  # another host, or a new disk
    done = again(ws, origin, mode)
    assert (done.tree, on(done), head(done.tree)) == (first.tree, f"reconciler/{FIRST}", mine)


def test_a_branch_that_was_deleted_upstream_is_gone(ws: Workspace, origin: Origin) -> None:
    first = ws.prepare(FIRST, origin.bare)
    git(first.tree, "push", "--quiet", "origin", "HEAD")
    shutil.rmtree(first.tree)
    git(ws.checkout, "worktree", "prune")
    git(ws.checkout, "branch", "--quiet", "-D", f"reconciler/{FIRST}")
    git(origin.bare, "branch", "--quiet", "-D", f"reconciler/{FIRST}")
    assert again(ws, origin).failure == (
        f"the branch reconciler/{FIRST} is neither on this host nor in {origin.bare} any more, "
        "so there is nothing to go on with: give the task a new rerun value"
    )
    assert f"origin/reconciler/{FIRST}" not in git(ws.checkout, "branch", "--remotes")


def test_with_nothing_to_go_on_with_it_may_start_anew(ws: Workspace, origin: Origin) -> None:
    commit = origin.commit("x", "x", branch="dev")
    done = again(ws, origin, "continue", start="branch:dev")
    assert (on(done), head(done.tree)) == (f"reconciler/{FIRST}", commit)


@pytest.mark.parametrize("mode", ["fresh", "resume", "continue"])
def test_a_worktree_whose_making_was_killed_is_made_anew(ws: Workspace, origin: Origin, mode: str) -> None:
    done = ws.prepare(FIRST, origin.bare)
    (ws.checkout / ".git/worktrees" / FIRST / "locked").write_text("initializing\n")
    (done.tree / "README").unlink()
    done = again(ws, origin, mode)
    assert on(done) == f"reconciler/{FIRST}"
    assert git(done.tree, "status", "--porcelain") == ""
    assert not (ws.checkout / ".git/worktrees" / FIRST / "locked").exists()
