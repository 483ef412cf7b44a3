"""Git over a real sshd, with nobody there to answer questions."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.loopback import LoopbackHost
from tests.remote.stage import Origin, Workspace, git

RUN = "fix-0a1b2c3d-"


@pytest.fixture
def server(loopback: Callable[[str], LoopbackHost]) -> LoopbackHost:
    return loopback("forge")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin.make(tmp_path / "remote")


def workspace(folder: Path, server: LoopbackHost, root: str = "ws") -> Workspace:
    """One whose login has a key, in its own git configuration."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    command = f"ssh -F none -o IdentitiesOnly=yes -i {server.login_key}"
    (home / ".gitconfig").write_text(f'[core]\n sshCommand = "{command}"\n')
    return Workspace(folder / root, env={"HOME": str(home), "SSH_AUTH_SOCK": ""})


def address(server: LoopbackHost, place: Path) -> str:
    return f"ssh://{server.user}@{server.address}:{server.port}{place}"


@pytest.mark.parametrize("root", ["ws", 'it\'s a 100% "odd" $HOME\\'])
def test_a_host_key_is_accepted_at_the_first_contact_and_kept(
    tmp_path: Path, server: LoopbackHost, origin: Origin, root: str
) -> None:
    ws = workspace(tmp_path, server, root)
    url = address(server, origin.bare)
    done = ws.prepare(f"{RUN}1", url)
    assert done.failure == ""
    known = ws.root / "_/known_hosts"
    assert server.host_key in known.read_text()
    # The worker's own git goes the same way.
    worker = {**done.environment, "GIT_AUTHOR_NAME": "W", "GIT_AUTHOR_EMAIL": "w@x"}
    git(done.tree, "commit", "--quiet", "--allow-empty", "--message", "mine")
    subprocess.run(["git", "push", "--quiet", "origin", "HEAD"], cwd=done.tree, env=worker, check=True, timeout=60)
    assert f"reconciler/{RUN}1" in git(origin.bare, "branch")


def test_another_host_key_is_refused(tmp_path: Path, server: LoopbackHost, origin: Origin) -> None:
    ws = workspace(tmp_path, server)
    ws.prepare(f"{RUN}1", address(server, origin.bare))
    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, text, *_ = key.with_suffix(".pub").read_text().split()
    (ws.root / "_/known_hosts").write_text(f"[{server.address}]:{server.port} {kind} {text}\n")
    done = ws.prepare(f"{RUN}2", address(server, origin.bare))
    assert "Host key verification failed" in done.failure


def test_a_login_without_a_key_is_told_at_once(tmp_path: Path, server: LoopbackHost, origin: Origin) -> None:
    ws = workspace(tmp_path, server)
    (tmp_path / "home/.gitconfig").write_text('[core]\n sshCommand = "ssh -F none -o IdentityFile=/nowhere"\n')
    done = ws.prepare(f"{RUN}1", address(server, origin.bare))
    assert "Permission denied" in done.failure
    assert "Permanently added" not in done.failure
    assert done.failure.endswith("(see that this host may read it)")


def test_a_repository_that_is_not_there(tmp_path: Path, server: LoopbackHost) -> None:
    done = workspace(tmp_path, server).prepare(f"{RUN}1", address(server, tmp_path / "nowhere.git"))
    assert "does not appear to be a git repository" in done.failure


def test_a_follow_up_is_restored_over_ssh(tmp_path: Path, server: LoopbackHost, origin: Origin) -> None:
    ws = workspace(tmp_path, server)
    url = address(server, origin.bare)
    first = ws.prepare(f"{RUN}1", url)
    git(first.tree, "commit", "--quiet", "--allow-empty", "--message", "mine")
    subprocess.run(["git", "push", "--quiet", "origin", "HEAD"], cwd=first.tree, env=first.environment, check=True)
    mine = git(first.tree, "rev-parse", "HEAD")
    shutil.rmtree(ws.root / "app")
    settings = {"worktree": f"{RUN}1", "branch": f"reconciler/{RUN}1", "tree_mode": "resume"}
    assert git(ws.prepare("fix-9f8e7d6c-1", url, **settings).tree, "rev-parse", "HEAD") == mine


def test_many_at_once_do_not_overrun_the_server(tmp_path: Path, server: LoopbackHost, origin: Origin) -> None:
    ws = workspace(tmp_path, server)
    places = [ws.claim(f"fix{number}-0a1b2c3d-1", address(server, origin.bare)) for number in range(12)]
    stages = [ws.begin(place) for place in places]
    assert [ws.end(*pair).failure for pair in zip(places, stages, strict=True)] == [""] * 12
