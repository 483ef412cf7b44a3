"""Worktrees go when they are told to, and nothing that was not pushed goes with them."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest, marked
from tests.remote.stage import Origin, git
from tests.waiting import until

RUN = "fix-0a1b2c3d-1"
NEXT = "fix-9f8e7d6c-1"
PATH = f"app/worktrees/{RUN}"
WIP = f"refs/reconciler/wip/{RUN}"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin.make(tmp_path / "remote")
    made.commit(".gitignore", "*.o\n")
    return made


@pytest.fixture
def checkout(host: HostUnderTest) -> Path:
    return host.root / "app/checkout"


def launch(host: HostUnderTest, origin: Origin, run: str, script: str, **given: str) -> None:
    """Launches a worker of the project that is a line of shell."""
    words = [("text", "bash"), ("text", "-c"), ("text", script)]
    assert host.launch(run, words, project="app", settings={"git_url": str(origin.bare)}, **given) == "accepted"


def work(host: HostUnderTest, origin: Origin, script: str = ":", run: str = RUN) -> Path:
    """Runs a worker to its end; returns its worktree."""
    launch(host, origin, run, script)
    assert host.result(run)["state"] == "succeeded", (host.directory(run) / "supervisor.log").read_text()
    return host.root / "app/worktrees" / run


def remove(host: HostUnderTest, path: str = PATH) -> str:
    """The whole answer."""
    answer = host.call("act", [("worktree", path)])
    assert answer.code == 0, answer
    return answer[f"worktree/{path.rpartition('/')[2]}"]


def until_removed(host: HostUnderTest, path: str = PATH) -> None:
    """Asks until it is gone."""
    until(lambda: remove(host, path).split()[0] in ("removed", "already"), 30)


def files(checkout: Path, commit: str) -> dict[str, str]:
    """What a commit holds: mode and content by name."""
    found = {}
    for line in git(checkout, "ls-tree", "-r", "-z", commit).split("\0"):
        if line:
            mode, _, blob, name = line.replace("\t", " ", 1).split(" ", 3)
            found[name] = mode + (" " + git(checkout, "cat-file", "blob", blob) if mode != "160000" else "")
    return found


def wips(checkout: Path) -> list[str]:
    return git(checkout, "for-each-ref", "--format=%(refname)", "refs/reconciler/wip").split()


def left(host: HostUnderTest) -> list[str]:
    """What is left of worktrees: directories, notes, git's own list, trash."""
    places = [*(host.root / "app/worktrees").iterdir(), *(host.root / "_/trash").iterdir()]
    admin = host.root / "app/checkout/.git/worktrees"
    return [path.name for path in (*places, *(admin.iterdir() if admin.exists() else ()))]


# What is kept


def test_nothing_is_kept_of_what_is_pushed(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    script = "git -c user.name=W -c user.email=w@x commit -q --allow-empty -m mine; git push -q origin HEAD; touch a.o"
    work(host, origin, script)
    assert remove(host) == "removed its branch stays in the checkout"
    assert remove(host) == "already it is not there"
    assert (wips(checkout), left(host)) == ([], [])
    assert git(checkout, "branch", "--list", f"reconciler/{RUN}") == f"reconciler/{RUN}"


def test_what_is_not_committed_is_kept_exactly(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    script = """
    echo changed >README
    echo staged >staged && git add staged && echo 'staged, then changed' >staged
    mkdir -p 'a b/c' && echo deep >'a b/c/d é' && ln -s /nowhere link && echo '#!/bin/sh' >tool && chmod +x tool
    echo object >ignored.o
    touch -- '-x' "$(printf 'new\\nline')"
    """
    tree = work(host, origin, script)
    head = git(tree, "rev-parse", "HEAD")
    assert remove(host).startswith("removed")
    assert git(checkout, "rev-parse", f"{WIP}^") == head
    assert files(checkout, WIP) == {
        ".gitignore": "100644 *.o",
        "README": "100644 changed",
        "staged": "100644 staged, then changed",
        "a b/c/d é": "100644 deep",
        "link": "120000 /nowhere",
        "tool": "100755 #!/bin/sh",
        "-x": "100644 ",
        "new\nline": "100644 ",
    }
    message = git(checkout, "log", "-1", "--format=%an|%B", WIP)
    assert f"What the run {RUN} had not pushed when its worktree was removed." in message


def test_a_file_that_was_deleted_is_deleted_in_what_is_kept(
    host: HostUnderTest, origin: Origin, checkout: Path
) -> None:
    work(host, origin, "rm README")
    assert remove(host).startswith("removed")
    assert files(checkout, WIP) == {".gitignore": "100644 *.o"}


@pytest.mark.parametrize("detached", [False, True])
def test_what_is_committed_and_not_pushed_is_kept_as_it_is(
    host: HostUnderTest, origin: Origin, checkout: Path, detached: bool
) -> None:
    tree = work(host, origin, "git checkout -q --detach" if detached else ":")
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "mine")
    head = git(tree, "rev-parse", "HEAD")
    assert remove(host).startswith("removed")
    assert git(checkout, "rev-parse", WIP) == head


def test_a_merge_that_is_not_resolved_is_kept(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    tree = work(host, origin)
    git(tree, "checkout", "--quiet", "-b", "other")
    for branch, text in (("other", "theirs"), (f"reconciler/{RUN}", "ours")):
        git(tree, "checkout", "--quiet", branch)
        (tree / "README").write_text(text)
        git(tree, "commit", "--quiet", "--all", "--message", text)
    assert subprocess.run(["git", "-C", str(tree), "merge", "other"], capture_output=True).returncode == 1
    assert remove(host).startswith("removed")
    assert "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> other" in files(checkout, WIP)["README"]


def test_a_branch_without_a_commit_is_kept(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    work(host, origin, "git checkout -q --orphan new && git rm -rqf . && echo x >only")
    assert remove(host).startswith("removed")
    assert files(checkout, WIP) == {"only": "100644 x"}
    assert git(checkout, "rev-list", "--count", WIP) == "1"


def test_repositories_inside_are_kept_each_for_itself(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    script = f"""
    git clone -q {origin.bare} clean
    git clone -q {origin.bare} dirty && echo x >dirty/new
    git clone -q {origin.bare} ahead && cd ahead && git -c user.name=W -c user.email=w@x commit -qm m --allow-empty && cd ..
    git init -q unborn && echo y >unborn/first
    git worktree add -q --no-track -b extra ../{RUN}/linked && echo z >linked/more
    mkdir fixture && echo 'gitdir: /nowhere' >fixture/.git && echo f >fixture/file
    """
    tree = work(host, origin, script)
    ahead = git(tree / "ahead", "rev-parse", "HEAD")
    assert remove(host).startswith("removed")
    kept = {name: files(checkout, name) for name in wips(checkout)}
    nested = [kept[name] for name in kept if name != WIP]
    assert sorted(file for one in nested for file in one if file not in ("README", ".gitignore")) == [
        *("first", "more", "new")
    ]
    assert ahead in [git(checkout, "rev-parse", name) for name in kept]
    assert {"clean", "dirty", "ahead", "linked"} <= kept[WIP].keys()
    assert left(host) == []


def test_what_was_kept_before_stays_within_reach(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    tree = work(host, origin, "echo one >one")
    assert remove(host).startswith("removed")
    first = git(checkout, "rev-parse", WIP)
    launch(host, origin, NEXT, "echo two >two", worktree=RUN)
    assert host.result(NEXT)["state"] == "succeeded"
    assert not (tree / "one").exists()
    assert remove(host).startswith("removed")
    assert set(files(checkout, WIP)) == {"README", ".gitignore", "two"}
    assert first in git(checkout, "rev-list", WIP).split()


# What is not removed


@pytest.mark.parametrize("run", [RUN, NEXT])
def test_a_worktree_in_which_a_run_works_stays(host: HostUnderTest, origin: Origin, run: str) -> None:
    work(host, origin)
    if run == RUN:
        shutil.rmtree(host.directory(RUN))
        shutil.rmtree(host.root / PATH)
    launch(host, origin, run, "sleep 60", worktree=RUN)
    assert remove(host) == f"active the run {run} works in it and has not ended"
    until(lambda: host.record(run, "phase") == "work")
    assert remove(host).startswith("active")
    host.operate("cancel", run, why="asked")
    host.result(run)
    assert remove(host).startswith("removed")


def test_a_run_that_came_meanwhile_keeps_it(host: HostUnderTest, origin: Origin) -> None:
    """The removal waits for the project's lock; before it gets that, a follow-up is launched."""
    tree = work(host, origin, "echo precious >precious")
    with (host.root / "app/lock").open() as lock:
        subprocess.run(["flock", str(lock.fileno())], pass_fds=(lock.fileno(),), check=True)
        assert remove(host) == "removing its work is being saved"
        assert remove(host) == "going an earlier call removes it"
        launch(host, origin, NEXT, "cat precious; sleep 60", worktree=RUN)
    until(lambda: host.log(NEXT) == "precious\n")
    assert remove(host) == f"active the run {NEXT} works in it and has not ended"
    assert (tree / "precious").exists()
    host.operate("cancel", NEXT, why="asked")
    host.result(NEXT)
    until_removed(host)
    assert left(host) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link", "broken", "own"])
def test_what_git_does_not_know_stays_and_is_named(
    host: HostUnderTest, origin: Origin, tmp_path: Path, kind: str
) -> None:
    tree = work(host, origin)
    shutil.rmtree(tree)
    if kind == "file":
        tree.write_text("x")
    elif kind == "link":
        tree.symlink_to(tmp_path / "remote")
    elif kind == "own":
        git(tmp_path, "clone", "--quiet", str(origin.bare), str(tree))  # git still has the place on its list
    else:
        tree.mkdir()
        (tree / "x").write_text("x")
    if kind in ("folder", "broken"):
        git(host.root / "app/checkout", "worktree", "prune")
        shutil.rmtree(host.root / "app/checkout/.git/worktrees", ignore_errors=True)
    if kind == "broken":
        (tree / ".git").write_text(f"gitdir: {host.root}/app/checkout/.git/worktrees/{RUN}\n")
    for _ in range(2):
        answer = remove(host)
        assert answer.startswith("failed ")
        assert "by hand" in answer
        assert tree.is_symlink() or tree.exists()
    assert (tmp_path / "remote/app.git").exists()


def test_an_empty_folder_is_nothing(host: HostUnderTest) -> None:
    (host.root / PATH).mkdir(parents=True)
    assert remove(host).startswith("removed")
    assert not (host.root / PATH).exists()


def test_what_cannot_be_saved_is_not_removed(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    tree = work(host, origin, "echo precious >precious")
    objects = checkout / ".git/objects"
    objects.rename(objects.with_name("away"))
    try:
        answer = remove(host)
    finally:
        objects.with_name("away").rename(objects)
    assert answer.startswith(f"failed what is in {tree} cannot be saved, so nothing was removed: ")
    assert (tree / "precious").read_text() == "precious\n"
    assert remove(host).startswith("removed")
    assert files(checkout, WIP)["precious"] == "100644 precious"
    assert left(host) == []


def test_a_failure_in_the_background_is_told_by_the_next_call(
    host: HostUnderTest, origin: Origin, tmp_path: Path
) -> None:
    work(host, origin, "echo precious >precious")
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    real = shutil.which("git")
    slow.write_text(f'#!/bin/sh\ncase "$*" in *" add "*) sleep 3; echo no luck >&2; exit 1;; esac\nexec {real} "$@"\n')
    slow.chmod(0o755)
    host.env = {**os.environ, "PATH": f"{slow.parent}:{os.environ['PATH']}"}
    assert remove(host) == "removing its work is being saved"
    note = host.root / f"app/worktrees/.{RUN}.failed"
    until(note.exists)
    assert remove(host).endswith("so nothing was removed: no luck (it is being tried again)")
    host.env = dict(os.environ)
    until(note.exists)
    assert remove(host).startswith("removed")
    assert left(host) == []


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05, 0.08, 0.12, 0.2])
def test_a_removal_that_is_killed_is_completed_by_the_next(
    host: HostUnderTest, origin: Origin, checkout: Path, moment: float
) -> None:
    work(host, origin, "echo precious >precious; for n in $(seq 300); do echo $n >f$n; done")
    over = threading.Event()

    def mine(pid: int) -> bool:
        """Other tests remove worktrees of the same name at the same time."""
        try:
            return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(host.root)
        except OSError:
            return False

    def kill() -> None:
        while not over.is_set() and not (
            pids := [pid for pid in marked(f"RECONCILER_SUPERVISOR={RUN}".encode()) if mine(pid)]
        ):
            pass
        time.sleep(moment)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    killer = threading.Thread(target=kill)
    killer.start()
    remove(host)
    over.set()
    killer.join()
    until_removed(host)
    assert len(files(checkout, WIP)) == 303
    assert wips(checkout) == [WIP]
    assert git(checkout, "rev-list", "--count", WIP, "--not", "--remotes") == "1"
    until(lambda: left(host) == [], 5)


def test_what_is_half_made_just_goes(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    tree = work(host, origin)
    (checkout / f".git/worktrees/{RUN}/locked").write_text("initializing\n")
    (tree / "README").unlink()
    assert remove(host).startswith("removed")
    assert (wips(checkout), left(host)) == ([], [])


def test_a_worktree_that_was_deleted_by_hand_is_forgotten_by_git(host: HostUnderTest, origin: Origin) -> None:
    tree = work(host, origin)
    git(tree, "worktree", "lock", str(tree))
    shutil.rmtree(tree)
    assert remove(host).startswith("removed")
    assert left(host) == []


@pytest.mark.parametrize(
    "settings", [{}, {"HOME": "/nowhere"}, {"GIT_CONFIG_GLOBAL": "/dev/null", "EMAIL": ""}], ids=str
)
def test_the_commit_has_an_author_in_any_case(
    host: HostUnderTest, origin: Origin, checkout: Path, settings: Mapping[str, str]
) -> None:
    work(host, origin, "echo x >x")
    git(checkout, "config", "user.useConfigOnly", "true")
    host.env = {**os.environ, **settings}
    assert remove(host).startswith("removed")
    assert "@" in git(checkout, "log", "-1", "--format=%ae", WIP)


def test_a_checkout_with_many_objects_is_tidied_up(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    work(host, origin, "for n in $(seq 8000); do echo $n >f$n; done")
    assert remove(host).split()[0] in ("removed", "removing")
    until(lambda: "count: 0" in git(checkout, "count-objects", "-v"), 60)
    assert len(git(checkout, "ls-tree", "--name-only", WIP).splitlines()) == 8002


def test_many_go_while_others_come(host: HostUnderTest, origin: Origin, checkout: Path) -> None:
    old = [f"old{number}-0a1b2c3d-1" for number in range(20)]
    new = [f"new{number}-0a1b2c3d-1" for number in range(20)]
    for run in old:
        launch(host, origin, run, "echo x >x")
    for run in old:
        assert host.result(run)["state"] == "succeeded"
    fields: list[tuple[str, str | bytes]] = []
    for run in new:
        words = [("text", "true")]
        fields += host.launch_fields(run, words, project="app", settings={"git_url": str(origin.bare)})
    fields += [("worktree", f"app/worktrees/{run}") for run in old]
    begun = time.monotonic()
    answer = host.call("act", fields)
    assert answer.code == 0
    assert time.monotonic() - begun < 15
    assert set(answer.words()) <= {"accepted", "removed", "removing"}
    for run in new:
        assert host.result(run)["state"] == "succeeded", (host.directory(run) / "supervisor.log").read_text()
    for run in old:
        until_removed(host, f"app/worktrees/{run}")
    assert wips(checkout) == sorted(f"refs/reconciler/wip/{run}" for run in old)
    assert sorted(path.name for path in (host.root / "app/worktrees").iterdir()) == sorted(new)


@pytest.mark.parametrize("place", [".", "inner"])
def test_no_program_of_a_repository_runs_while_its_work_is_saved(
    host: HostUnderTest, origin: Origin, checkout: Path, tmp_path: Path, place: str
):
    script = f"[[ {place} == . ]] || git init -q {place}; cd {place}; echo '* filter=x' >.gitattributes; echo text >new"
    work(host, origin, f"{script}; git config filter.x.clean 'touch {tmp_path}/ran; cat'")
    until_removed(host)
    saved = WIP if place == "." else f"{WIP}.1"
    assert files(checkout, saved)["new"] == "100644 text"
    assert not (tmp_path / "ran").exists()
