"""Whatever is killed at whatever line that writes while a workspace is made, cleaned up or emptied: the next call completes it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.remote.faults.experiment import (
    NAMES,
    Fault,
    FaultyHost,
    check_clean_up,
    faults,
    results,
    snapshot,
    successor,
)
from tests.remote.faults.ledger import Ledger
from tests.remote.stage import git
from tests.waiting import until

RUN = "f-0000000a-1"
TREE = "fix-0a1b2c3d-1"
pytestmark = pytest.mark.timeout(7200)


def discover(folder: Path, run: Callable[[Path], None], role: str = "") -> list[Fault]:
    """The fault points that a traced run of something meets."""
    folder.mkdir()
    run(folder / "trace")
    return [fault for fault in faults(folder / "trace") if not role or fault.role == role]


def works(host: FaultyHost) -> None:
    """The workspace is whole: nothing is in it that has no place there, and runs run."""
    successor(host)
    before = snapshot(host.root)
    assert host.take().code == 0
    assert snapshot(host.root) == before
    assert {path.name for path in (host.root / "_").iterdir()} <= NAMES
    assert host.run("after-0000000a-1", host.worker)["state"] == "succeeded"
    assert host.count("after-0000000a-1") == 1


def test_while_runs_are_cleaned_up(tmp_path: Path, ledger: Ledger) -> None:
    host = FaultyHost.make(tmp_path / "host")
    host.take()
    host.run(RUN, host.worker)
    found = ledger.choose(
        discover(tmp_path / "dry", lambda trace: host.broken("act", [("cleanup", host.path(RUN))], "dry", trace=trace))
    )
    runs = {f"f{index:03d}-0000000a-1": fault for index, fault in enumerate(found)}
    fields = {run: host.launch_fields(run, host.worker, secrets={"A": "b"}) for run in runs}
    assert set(host.call("act", [one for launch in fields.values() for one in launch]).words()) == {"accepted"}
    for run in runs:
        assert host.result(run)["state"] == "succeeded"
    for run, fault in runs.items():
        host.broken("act", [("cleanup", host.path(run))], run, fault)
    ledger.note(host, runs)
    marks = {run for run in runs if (host.root / "_/done" / run).is_symlink()}
    gone = {run for run in runs if not host.directory(run).exists()}
    assert gone <= marks
    assert set(results(host, runs)) == set(runs) - gone
    successor(host)
    check_clean_up(host, list(runs), fields)
    works(host)


@pytest.mark.parametrize("what", ["made", "renewed"])
def test_while_a_workspace_is(tmp_path: Path, ledger: Ledger, what: str) -> None:
    def prepare(folder: Path) -> tuple[FaultyHost, "subprocess.Popen[bytes]"]:
        host = FaultyHost.make(folder)
        marks = {"RECONCILER_MARK": "x-1;y", "RECONCILER_RUN_DIR": f"{host.root}/_/runs/x-1"}
        stray = subprocess.Popen(["sleep", "100"], env={**os.environ, **(marks if what == "made" else {})})
        if what == "renewed":
            host.take()
            host.number, host.ledger, host.revision = 2, "ffffffff", "0ther"
        return host, stray

    host, stray = prepare(tmp_path / "first")
    found = ledger.choose(discover(tmp_path / "dry", lambda trace: host.broken("take", [], "dry", trace=trace)))
    stray.kill()
    stray.wait()
    for index, fault in enumerate(found):
        host, stray = prepare(tmp_path / str(index))
        host.broken("take", [], "take", fault)
        ledger.note(host, {"take": fault})
        works(host)
        assert (stray.poll() is None) == (what == "renewed")
        stray.kill()
        stray.wait()


def furnish(host: FaultyHost) -> None:
    """Everything that a reset takes away."""
    host.take()
    host.run(RUN, host.worker)
    for place in ("app/runs", "app/worktrees", "app/cache/x", "_/cache/y", "_/projects"):
        (host.root / place).mkdir(parents=True, exist_ok=True)
    for place in ("app/checkout", f"app/worktrees/{TREE}"):
        git(host.root.parent, "init", "--quiet", str(host.root / place))
        git(host.root / place, "commit", "--quiet", "--allow-empty", "--message", "x")
    (host.root / "app/lock").touch()
    (host.root / "app/fetched").touch()


def test_while_a_workspace_is_emptied(tmp_path: Path, ledger: Ledger) -> None:
    template = FaultyHost.make(tmp_path / "template")
    furnish(template)
    copies = iter(range(1000))

    def copy() -> FaultyHost:
        made = FaultyHost.make(tmp_path / f"copy{next(copies)}")
        shutil.copytree(template.root, made.root, symlinks=True)
        made.marks = template.marks
        return made

    found = ledger.choose(discover(tmp_path / "dry", lambda trace: copy().broken("reset", [], "dry", trace=trace)))
    for fault in found:
        host = copy()
        identity = os.readlink(host.root / "_/id")
        host.broken("reset", [], "reset", fault)
        ledger.note(host, {"reset": fault})
        successor(host)
        answer = host.call("reset")
        assert (answer.code, answer.pairs("removed")["left"]) == (0, "0"), (fault, answer)
        assert not (host.root / "app").exists(), fault
        assert {path.name for path in (host.root / "_").iterdir()} <= {
            "bell",
            "done",
            "id",
            "lease",
            "lock",
            "runs",
            "trash",
        }
        assert os.readlink(host.root / "_/id") == identity
        works(host)
        assert host.launch(RUN, host.worker) == "done"


def test_while_worktrees_are_removed(tmp_path: Path, ledger: Ledger) -> None:
    host = FaultyHost.make(tmp_path / "host")
    host.take()
    checkout = host.root / "app/checkout"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(checkout))
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "x")
    for place in ("runs", "worktrees", "cache"):
        (host.root / "app" / place).mkdir()

    def make(name: str) -> None:
        """One with work in it, and a repository of its own below."""
        path = host.root / "app/worktrees" / name
        git(checkout, "worktree", "add", "--quiet", "-b", f"reconciler/{name}", str(path))
        (path / "work").write_text(name)
        git(tmp_path, "init", "--quiet", "--initial-branch=main", str(path / "own"))
        (path / "own/inner").write_text(name)

    def remove(name: str, fault: Fault | None = None, trace: Path | None = None) -> None:
        host.broken("act", [("worktree", f"app/worktrees/{name}")], name, fault, trace)
        until(lambda: not (host.root / f"app/worktrees/.{name}.removing").exists() or fault, 30)

    make(TREE)
    found = ledger.choose(discover(tmp_path / "dry", lambda trace: remove(TREE, None, trace)))
    names = {f"f{index:03d}-0a1b2c3d-1": fault for index, fault in enumerate(found)}
    for name, fault in names.items():
        make(name)
        remove(name, fault)
    ledger.note(host, names)
    successor(host)
    fields = [("worktree", f"app/worktrees/{name}") for name in names]
    until(lambda: set(host.call("act", fields).words()) == {"already"}, 60)
    assert list((host.root / "app/worktrees").iterdir()) == []
    for name in names:
        assert git(checkout, "show", f"refs/reconciler/wip/{name}:work") == name
        refs = git(checkout, "for-each-ref", "--format=%(refname)", f"refs/reconciler/wip/{name}.*").split()
        assert name in [git(checkout, "show", f"{ref}:inner") for ref in refs]
    assert not list((checkout / ".git").glob("worktrees/*"))
    until(lambda: not list((host.root / "_/trash").iterdir()))
    git(checkout, "fsck", "--strict")
    works(host)


def spoil(path: Path, admin: Path) -> None:
    (admin / "index").write_bytes(b"no index")


def lose(path: Path, admin: Path) -> None:
    (admin / "index").unlink()


def empty(path: Path, admin: Path) -> None:
    shutil.rmtree(path)
    shutil.rmtree(admin)
    path.mkdir()


def vanish(path: Path, admin: Path) -> None:
    shutil.rmtree(path)
    shutil.rmtree(admin)
    path.with_name(f".{path.name}.failed").write_text("it could not be removed\n")


@pytest.mark.parametrize("trouble", [spoil, lose, empty, vanish])
def test_while_there_is_trouble_with_a_worktree(
    tmp_path: Path, ledger: Ledger, trouble: Callable[[Path, Path], None]
) -> None:
    """What cannot be saved is not removed; with the trouble out of the way it is both."""
    host = FaultyHost.make(tmp_path / "host")
    host.take()
    checkout, places = host.root / "app/checkout", host.root / "app/worktrees"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(checkout))
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "x")
    (host.root / "app/runs").mkdir()

    def remove(name: str, fault: Fault | None = None, trace: Path | None = None) -> None:
        git(checkout, "worktree", "add", "--quiet", "-b", f"reconciler/{name}", str(places / name))
        (places / name / "work").write_text(name)
        trouble(places / name, checkout / ".git/worktrees" / name)
        host.broken("act", [("worktree", f"app/worktrees/{name}")], name, fault, trace)
        until(lambda: fault or not (places / f".{name}.removing").exists(), 30)

    def settled(name: str) -> str:
        """How the removal ends when it is asked for until it has an end."""
        words = ("going", "removing")
        until(lambda: host.call("act", [("worktree", f"app/worktrees/{name}")]).words()[0] not in words, 30)
        return host.call("act", [("worktree", f"app/worktrees/{name}")]).words()[0]

    found = ledger.choose(discover(tmp_path / "dry", lambda trace: remove(TREE, None, trace)))
    names = {f"f{index:03d}-0a1b2c3d-1": fault for index, fault in enumerate(found)}
    for name, fault in names.items():
        remove(name, fault)
    ledger.note(host, names)
    successor(host)
    for name, fault in names.items():
        if trouble is spoil:
            assert settled(name) == "failed", fault
            assert (places / name / "work").read_text() == name
            (checkout / ".git/worktrees" / name / "index").unlink()
        assert settled(name) == "already", fault
        assert not (places / name).exists()
        if trouble in (spoil, lose):
            assert git(checkout, "show", f"refs/reconciler/wip/{name}:work") == name
    assert {path.name for path in places.iterdir()} <= {TREE, f".{TREE}.failed"}
    until(lambda: not list((host.root / "_/trash").iterdir()))
    works(host)


def test_while_launches_are_refused(tmp_path: Path, ledger: Ledger) -> None:
    """What is done, outdated or incomplete is never executed, and the last that was launched stays as it is."""
    host = FaultyHost.make(tmp_path / "host")
    host.take()

    def refused(name: str, fault: Fault | None = None, trace: Path | None = None) -> list[str]:
        done, newest, lacking = (f"{name}{letter}-0000000a-{2 if letter == 'b' else 1}" for letter in "abc")
        for run in (done, newest):
            host.run(run, host.worker)
        assert host.operate("cleanup", done).startswith("removed")
        outdated = f"{newest[:-1]}1"
        lacks = [(key, "" if key == "mark" else value) for key, value in host.launch_fields(lacking, host.worker)]
        fields = [*host.launch_fields(done, host.worker), *host.launch_fields(outdated, host.worker), *lacks]
        host.broken("act", fields, name, fault, trace)
        return [done, newest, outdated, lacking]

    found = ledger.choose(discover(tmp_path / "dry", lambda trace: refused("dry", None, trace) and None))
    names = {f"f{index:03d}": fault for index, fault in enumerate(found)}
    runs = {name: refused(name, fault) for name, fault in names.items()}
    ledger.note(host, names)
    successor(host)
    for name, (done, newest, outdated, lacking) in runs.items():
        there = [run for run in (done, outdated, lacking) if host.directory(run).exists()]
        for run in there:
            assert host.operate("settle", run).split()[0] == "void", (names[name], run)
            assert host.operate("cleanup", run).split()[0] == "removed", (names[name], run)
        assert [host.count(run) for run in (done, newest, outdated, lacking)] == [1, 1, 0, 0]
        assert host.launch(done, host.worker) == "done"
        assert host.launch(outdated, host.worker) in ("done", "stale")
        assert host.record(newest, "result").startswith("state=succeeded")
        assert os.readlink(host.root / "_/done" / done).startswith("state=succeeded"), names[name]
    works(host)
