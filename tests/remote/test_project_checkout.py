"""The checkout of a project: made once, kept as upstream is, whatever happened to it before."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.remote.stage import Origin, Workspace, git

RUN = "fix-0a1b2c3d-"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin.make(tmp_path / "remote")


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws", env={"HOME": str(tmp_path / "home")})


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_the_first_run_clones(ws: Workspace, origin: Origin, form: str) -> None:
    url = form.format(origin.bare)
    done = ws.prepare(f"{RUN}1", url)
    assert done.failure == ""
    assert done.phases == ["checkout", "worktree"]
    assert done.tree == ws.tree(f"{RUN}1")
    assert (done.tree / "README").read_text() == "hello\n"
    assert git(done.tree, "branch", "--show-current") == f"reconciler/{RUN}1"
    remotes = git(ws.checkout, "remote", "-v").splitlines()
    assert {line.split()[0]: line.split()[1] for line in remotes} == {"origin": url, "upstream": url}
    assert ws.registry() == {
        "checkout": str(ws.checkout),
        "fork_url": "",
        "repo_url": "",
        "git_url": url,
        "base": "main",
        "updated": ws.registry()["updated"],
    }
    assert sorted(path.name for path in (ws.root / "app").iterdir()) == [
        *("cache", "checkout", "fetched", "lock", "runs", "worktrees")
    ]


def test_what_the_worker_gets_to_see(ws: Workspace, origin: Origin) -> None:
    ws.env |= {"GITHUB_TOKEN": "s3cret", "base": "mine", "url": "mine too", "IFS": "x"}
    done = ws.prepare(f"{RUN}1", origin.bare)
    expected = {
        "RECONCILER_WORKTREE": str(done.tree),
        "RECONCILER_PROJECT": "app",
        "RECONCILER_BRANCH": f"reconciler/{RUN}1",
        "RECONCILER_BASE_BRANCH": "main",
        "RECONCILER_CACHE_DIR": str(ws.root / "app/cache"),
        "GIT_TERMINAL_PROMPT": "0",
        "GH_TOKEN": "s3cret",
        "base": "mine",
        "url": "mine too",
    }
    assert {key: done.environment.get(key) for key in expected} == expected
    assert f"UserKnownHostsFile='\"{ws.root}/_/known_hosts\"'" in done.environment["GIT_SSH_COMMAND"]
    assert not {"GIT_ALLOW_PROTOCOL", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT"} & done.environment.keys()
    ws.env["GIT_SSH_COMMAND"] = "ssh -i mine"
    assert ws.prepare(f"{RUN}2", origin.bare).environment["GIT_SSH_COMMAND"] == "ssh -i mine"


def test_git_asks_no_name_server_for_an_address_of_its_own(ws: Workspace, origin: Origin) -> None:
    done = ws.prepare(f"{RUN}1", origin.bare)
    assert git(done.tree, "reflog", "-1", "--format=%ge") == "reconciler@localhost"
    assert "EMAIL" not in done.environment


def test_the_base_branch_follows_upstream(ws: Workspace, origin: Origin) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    (ws.checkout / "README").write_text("somebody was here\n")
    (ws.checkout / "litter").mkdir()
    (ws.checkout / "litter/x").write_text("x")
    newer = origin.commit("second", "2\n")
    done = ws.prepare(f"{RUN}2", origin.bare)
    assert git(done.tree, "rev-parse", "HEAD") == git(ws.checkout, "rev-parse", "main") == newer
    assert git(ws.checkout, "status", "--porcelain") == ""
    assert (ws.checkout / "README").read_text() == "hello\n"


def test_a_rewritten_base_branch_is_taken_as_it_is(ws: Workspace, origin: Origin) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    git(origin.work, "commit", "--quiet", "--amend", "--message", "rewritten")
    newer = origin.commit("other", "x\n", force=True)
    done = ws.prepare(f"{RUN}2", origin.bare)
    assert git(done.tree, "rev-parse", "HEAD") == git(ws.checkout, "rev-parse", "HEAD") == newer


def test_another_default_branch_is_asked_for_anew(ws: Workspace, origin: Origin) -> None:
    assert ws.prepare(f"{RUN}1", origin.bare).environment["RECONCILER_BASE_BRANCH"] == "main"
    newer = origin.commit("trunk", "x\n", branch="trunk")
    git(origin.bare, "symbolic-ref", "HEAD", "refs/heads/trunk")
    git(origin.bare, "branch", "-D", "main")
    done = ws.prepare(f"{RUN}2", origin.bare)
    assert (done.environment["RECONCILER_BASE_BRANCH"], ws.registry()["base"]) == ("trunk", "trunk")
    assert git(done.tree, "rev-parse", "HEAD") == newer
    assert set(git(ws.checkout, "for-each-ref", "--format=%(refname)", "refs/remotes").split()) == {
        f"refs/remotes/{remote}/{branch}" for remote in ("origin", "upstream") for branch in ("HEAD", "trunk")
    }


def test_the_base_branch_of_the_project_wins(ws: Workspace, origin: Origin) -> None:
    newer = origin.commit("dev", "x\n", branch="dev/1.x")
    done = ws.prepare(f"{RUN}1", origin.bare, base="dev/1.x")
    assert git(done.tree, "rev-parse", "HEAD") == git(ws.checkout, "rev-parse", "dev/1.x") == newer
    gone = ws.prepare(f"{RUN}2", origin.bare, base="dev/2.x")
    assert gone.failure == (
        f"the branch dev/2.x is not in {origin.bare}: set baseBranch of the Project app to one that is"
    )


def test_a_head_that_names_nothing_leaves_the_only_branch(ws: Workspace, tmp_path: Path) -> None:
    origin = Origin.make(tmp_path / "other", branch="main")
    git(origin.bare, "symbolic-ref", "HEAD", "refs/heads/master")
    assert ws.prepare(f"{RUN}1", origin.bare).environment["RECONCILER_BASE_BRANCH"] == "main"
    origin.commit("x", "x", branch="dev")
    assert "set baseBranch of the Project app" in ws.prepare(f"{RUN}2", origin.bare).failure


def test_a_repository_without_a_commit(ws: Workspace, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    done = ws.prepare(f"{RUN}1", tmp_path / "empty.git")
    assert done.failure == f"the repository {tmp_path}/empty.git has no branch yet: push a first commit to it"


def test_another_url_moves_the_remotes(ws: Workspace, origin: Origin, tmp_path: Path) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    moved = tmp_path / "moved here.git"
    shutil.move(origin.bare, moved)
    gone = ws.prepare(f"{RUN}2", origin.bare)
    assert f"git cannot fetch from gitUrl {origin.bare}: " in gone.failure
    assert "does not appear to be a git repository" in gone.failure
    done = ws.prepare(f"{RUN}3", moved)
    assert done.failure == ""
    for remote in ("origin", "upstream"):
        assert git(ws.checkout, "remote", "get-url", remote) == str(moved)
    assert ws.registry()["git_url"] == str(moved)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1:9/acme/app.git", "Failed to connect to 127.0.0.1 port 9"),
        ("https://me:s3cret@127.0.0.1:9/acme/app.git", "https://127.0.0.1:9/acme/app.git"),
        ("ssh://git@127.0.0.1:9/app.git", "Connection refused"),
    ],
)
def test_what_cannot_be_reached_is_said_in_gits_words(ws: Workspace, url: str, said: str) -> None:
    done = ws.prepare(f"{RUN}1", url)
    assert done.failure.startswith("git cannot fetch from gitUrl ")
    assert said in done.failure
    assert "s3cret" not in done.failure.partition(": ")[2]
    assert not ws.checkout.exists()


def test_what_is_no_repository_is_left_alone(ws: Workspace, origin: Origin) -> None:
    ws.checkout.mkdir(parents=True)
    (ws.checkout / "precious").write_text("x")
    done = ws.prepare(f"{RUN}1", origin.bare)
    assert done.failure == (
        f"{ws.checkout} is not a git repository: move it away, and the next run clones the project anew"
    )
    assert (ws.checkout / "precious").exists()


def test_a_repository_around_the_workspace_is_not_taken_for_the_checkout(ws: Workspace, origin: Origin) -> None:
    ws.root.mkdir()
    git(ws.root, "init", "--quiet")
    (ws.checkout / ".git").mkdir(parents=True)
    assert "is not a git repository" in ws.prepare(f"{RUN}1", origin.bare).failure


@pytest.mark.parametrize("remote", ["origin", "upstream"])
def test_a_missing_remote_is_named(ws: Workspace, origin: Origin, remote: str) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    git(ws.checkout, "remote", "remove", remote)
    assert f"has no remote {remote}: add it with" in ws.prepare(f"{RUN}2", origin.bare).failure


def test_one_fetch_serves_all_who_were_there_before_it(ws: Workspace, origin: Origin) -> None:
    places = [ws.claim(f"{RUN}{number}", origin.bare) for number in (1, 2)]
    first = ws.end(places[0], ws.begin(places[0]))
    origin.commit("later", "x\n")
    second = ws.end(places[1], ws.begin(places[1]))
    third = ws.prepare(f"{RUN}3", origin.bare)
    heads = [git(done.tree, "rev-parse", "HEAD") for done in (first, second, third)]
    assert heads[0] == heads[1] != heads[2] == git(origin.work, "rev-parse", "HEAD")


def test_a_fetch_of_another_branch_or_address_serves_nobody(ws: Workspace, origin: Origin) -> None:
    origin.commit("dev", "x\n", branch="dev")
    places = [ws.claim(f"{RUN}1", origin.bare), ws.claim(f"{RUN}2", f"file://{origin.bare}", base="dev")]
    done = [ws.end(place, ws.begin(place)) for place in places]
    assert [one.environment["RECONCILER_BASE_BRANCH"] for one in done] == ["main", "dev"]


def test_a_clone_that_was_killed_is_begun_anew(ws: Workspace, origin: Origin, tmp_path: Path) -> None:
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *" fetch "*) sleep 60;; esac\nexec {shutil.which("git")} "$@"\n')
    slow.chmod(0o755)
    place = ws.claim(f"{RUN}1", origin.bare)
    ws.env["PATH"] = f"{slow.parent}:/usr/bin:/bin"
    stage = ws.begin(place)
    while not (ws.root / "app/checkout.new/.git/config").exists():
        time.sleep(0.01)
    os.killpg(stage.pid, signal.SIGKILL)
    stage.wait()
    assert not ws.checkout.exists()
    del ws.env["PATH"]
    (ws.root / "app/checkout.new/litter").write_text("x")
    done = ws.prepare(f"{RUN}2", origin.bare)
    assert done.failure == ""
    assert not (ws.checkout / "litter").exists()
    assert not (ws.root / "app/checkout.new").exists()


@pytest.mark.parametrize("name", ["index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "refs/heads/main.lock"])
def test_what_a_killed_git_left_locked_is_unlocked(ws: Workspace, origin: Origin, name: str) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    lock = ws.checkout / ".git" / name
    lock.write_text("")
    subprocess.run(["touch", "-d", "11 seconds ago", str(lock)], check=True)
    newer = origin.commit("later", "x\n")
    done = ws.prepare(f"{RUN}2", origin.bare)
    assert done.failure == ""
    assert git(ws.checkout, "rev-parse", "HEAD") == newer


def test_a_lock_is_nobodys_after_ten_seconds(ws: Workspace, origin: Origin) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    (ws.checkout / ".git/index.lock").write_text("")
    begun = time.monotonic()
    assert ws.prepare(f"{RUN}2", origin.bare).failure == ""
    assert 9 < time.monotonic() - begun < 20


def test_a_lock_that_somebody_has_open_is_respected(ws: Workspace, origin: Origin) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    lock = ws.checkout / ".git/index.lock"
    with lock.open("w"):
        subprocess.run(["touch", "-d", "1 hour ago", str(lock)], check=True)
        done = ws.prepare(f"{RUN}2", origin.bare)
    assert "index.lock" in done.failure
    assert lock.exists()


def test_git_that_is_killed_while_it_checks_out_harms_nobody(ws: Workspace, origin: Origin) -> None:
    for number in range(300):
        (origin.work / f"file{number}").write_text("x" * 5000)
    origin.commit("last", "x\n")
    for attempt in range(1, 7):
        place = ws.claim(f"{RUN}{attempt}", origin.bare)
        stage = ws.begin(place)
        time.sleep(0.04 * attempt)
        os.killpg(stage.pid, signal.SIGKILL)  # it is not waited for yet, so the number is still its own
        stage.wait()
    done = ws.prepare(f"{RUN}9", origin.bare)
    assert done.failure == ""
    assert git(done.tree, "status", "--porcelain") == ""
    assert git(ws.checkout, "fsck", "--no-dangling") == ""


def test_a_base_branch_on_which_a_worker_sits_is_left_to_it(ws: Workspace, origin: Origin) -> None:
    done = ws.prepare(f"{RUN}1", origin.bare)
    git(ws.checkout, "checkout", "--quiet", "--detach")
    git(done.tree, "checkout", "--quiet", "main")
    git(done.tree, "commit", "--quiet", "--allow-empty", "--message", "mine")
    mine = git(done.tree, "rev-parse", "HEAD")
    newer = origin.commit("later", "x\n")
    assert git(ws.prepare(f"{RUN}2", origin.bare).tree, "rev-parse", "HEAD") == newer
    assert git(ws.checkout, "rev-parse", "HEAD") == newer
    assert git(done.tree, "rev-parse", "main") == mine


def test_hooks_of_the_checkout_do_not_run(ws: Workspace, origin: Origin, tmp_path: Path) -> None:
    ws.prepare(f"{RUN}1", origin.bare)
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-merge"):
        hook = ws.checkout / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/ran\n")
        hook.chmod(0o755)
    origin.commit("later", "x\n")
    done = ws.prepare(f"{RUN}2", origin.bare)
    assert done.failure == ""
    assert not (tmp_path / "ran").exists()


def test_variables_of_git_in_the_environment_lead_nowhere(ws: Workspace, origin: Origin, tmp_path: Path) -> None:
    other = Origin.make(tmp_path / "elsewhere")
    ws.env |= {"GIT_DIR": str(other.work / ".git"), "GIT_WORK_TREE": str(other.work), "GIT_INDEX_FILE": "/nowhere"}
    done = ws.prepare(f"{RUN}1", origin.bare)
    assert done.failure == ""
    assert (ws.checkout / "README").exists()


def test_git_that_is_not_installed(ws: Workspace, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("bash", "stat", "env", "mkdir"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    ws.env["PATH"] = str(tmp_path / "bin")
    done = ws.prepare(f"{RUN}1", origin.bare)
    assert done.failure.startswith("git is not installed on this host, or not on the PATH: install it")
    assert done.phases == []


def test_the_lock_of_the_project_is_waited_for_and_let_go(ws: Workspace, origin: Origin) -> None:
    (ws.root / "app").mkdir(parents=True)
    holder = subprocess.Popen(["flock", str(ws.root / "app/lock"), "sleep", "1"])
    begun = time.monotonic()
    assert ws.prepare(f"{RUN}1", origin.bare).failure == ""
    assert time.monotonic() - begun > 0.8
    assert holder.wait() == 0
    subprocess.run(["flock", "-n", str(ws.root / "app/lock"), "true"], check=True)


def test_a_daemon_that_git_leaves_behind_does_not_keep_the_lock(ws: Workspace, origin: Origin, tmp_path: Path) -> None:
    wrapper = tmp_path / "bin/git"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/sh\nsetsid sleep 20 </dev/null >/dev/null 2>&1 &\necho $! >>{tmp_path}/pids\n")
    wrapper.write_text(wrapper.read_text() + f'exec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    ws.env["PATH"] = f"{wrapper.parent}:/usr/bin:/bin"
    try:
        assert ws.prepare(f"{RUN}1", origin.bare).failure == ""
        subprocess.run(["flock", "-n", str(ws.root / "app/lock"), "true"], check=True)
    finally:
        for pid in (tmp_path / "pids").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
