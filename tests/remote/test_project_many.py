"""Many at once on one project, beside workers who use git at the same time."""

import subprocess
import threading
from pathlib import Path

import pytest

from tests.remote.stage import Origin, Workspace, git

MANY = 32


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin.make(tmp_path / "remote")


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws", env={"HOME": str(tmp_path / "home")})


def test_all_of_many_get_a_worktree_of_their_own(ws: Workspace, origin: Origin) -> None:
    runs = [f"fix{number}-0a1b2c3d-1" for number in range(MANY)]
    places = [ws.claim(run, origin.bare) for run in runs]
    stages = [ws.begin(place) for place in places]
    done = [ws.end(*pair) for pair in zip(places, stages, strict=True)]
    assert [one.failure for one in done] == [""] * MANY
    base = git(origin.work, "rev-parse", "HEAD")
    assert {git(one.tree, "rev-parse", "HEAD") for one in done} == {base}
    assert {git(one.tree, "branch", "--show-current") for one in done} == {f"reconciler/{run}" for run in runs}
    assert git(ws.checkout, "rev-parse", "main") == base
    assert not [one.log for one in done if "lock" in one.log]


def test_workers_that_fetch_and_push_meanwhile_are_in_nobodys_way(ws: Workspace, origin: Origin) -> None:
    trees = [ws.prepare(f"early{number}-0a1b2c3d-1", origin.bare).tree for number in range(3)]
    over = threading.Event()

    def work(tree: Path) -> None:
        number = 0
        while not over.is_set():
            number += 1
            subprocess.run(["git", "-C", str(tree), "fetch", "--quiet", "--prune", "--all"], capture_output=True)
            subprocess.run(["git", "-C", str(tree), "pack-refs", "--all"], capture_output=True)
            ref = f"HEAD:refs/heads/{tree.name}/{number}"
            subprocess.run(["git", "-C", str(tree), "push", "--quiet", "origin", ref], capture_output=True)

    workers = [threading.Thread(target=work, args=(tree,)) for tree in trees]
    for worker in workers:
        worker.start()
    try:
        done = []
        for number in range(8):
            origin.commit(f"more{number}", "x")
            done.append(ws.prepare(f"late{number}-0a1b2c3d-1", origin.bare))
    finally:
        over.set()
        for worker in workers:
            worker.join()
    assert [one.failure for one in done] == [""] * 8
