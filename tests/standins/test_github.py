"""The real gh takes the stand-in for GitHub."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.github import GitHub

pytestmark = pytest.mark.skipif(not shutil.which("gh"), reason="needs gh (apt install gh)")
HERE = ["-R", "github.localhost/acme/app"]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with GitHub(tmp_path / "remotes") as github:
        github.add("acme/app", push=False).issues[15] = ("It crashes", "Whenever I press `x`.")
        yield github


def gh(github: GitHub, *words: str, token: str | None = None) -> str:
    """What gh says, standard error too; fails when gh does."""
    environment = {**os.environ, "HOME": str(github.folder), **github.environment(token=token)}
    done = subprocess.run(
        ["gh", *words], env=environment, capture_output=True, text=True, timeout=20, cwd=github.folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_who_is_logged_in(github: GitHub) -> None:
    gh(github, "auth", "status", "--hostname", "github.localhost")
    assert gh(github, "api", "user", "--jq", ".login") == "agent\n"
    with pytest.raises(AssertionError, match="Bad credentials"):
        gh(github, "api", "user", token="another")


def test_a_fork_is_made_once_and_says_where_it_is(github: GitHub) -> None:
    assert gh(github, "api", "repos/acme/app", "--jq", ".permissions.push") == "false\n"
    assert "already exists" not in gh(github, "repo", "fork", "acme/app", "--clone=false")
    assert "agent/app already exists" in gh(github, "repo", "fork", "acme/app", "--clone=false")
    fork = json.loads(gh(github, "api", "repos/agent/app"))
    assert (fork["permissions"]["push"], fork["parent"]["full_name"]) == (True, "acme/app")
    assert Path(fork["clone_url"]) == github.repositories["agent/app"].path
    assert (Path(fork["clone_url"]) / "HEAD").exists()


def test_an_issue_can_be_read(github: GitHub) -> None:
    told = json.loads(gh(github, "issue", "view", "15", *HERE, "--json", "title,body"))
    assert told == {"title": "It crashes", "body": "Whenever I press `x`."}
    with pytest.raises(AssertionError, match="Could not resolve"):
        gh(github, "issue", "view", "16", *HERE, "--json", "title,body")


def test_a_pull_request_is_made_and_seen(github: GitHub) -> None:
    url = gh(github, "pr", "create", *HERE, "--title", "feat: x", "--body", "", "--head", "agent:x", "--base", "main")
    assert url.startswith("http://github.localhost/acme/app/pull/")
    told = json.loads(gh(github, "pr", "view", url.strip(), *HERE, "--json", "title,state,url"))
    assert told == {"title": "feat: x", "state": "OPEN", "url": url.strip()}
