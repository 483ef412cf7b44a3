"""Settings that would make git do something else than what it is asked for are refused, with nothing done."""

from pathlib import Path

import pytest

from tests.remote.stage import Origin, Workspace, git

RUN = "fix-0a1b2c3d-1"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin.make(tmp_path / "remote")


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws", env={"HOME": str(tmp_path / "home")})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-u/tmp/x",
        "--upload-pack=touch /tmp/never-project",
        "ext::sh -c touch% /tmp/never-project",
        "fd::7",
        "ext::ssh://host/x",
        "testgit::/tmp/x",
        "remote-http::http://x/y",
        "ssh://-oProxyCommand=touch/x",
        "ssh://me@-oProxyCommand=touch/x",
        "-oProxyCommand=touch:x",
        "me@-oProxyCommand=touch:x",
        "ftp://host/x",
        "/path\x01with/control",
        "relative/path",
        "./relative",
        "~/home",
        "https:///no-host",
        "https://host",
        "/path\twith/control",
        "host:",
    ],
)
def test_urls(ws: Workspace, url: str) -> None:
    done = ws.prepare(RUN, url)
    assert done.failure.startswith("git may not fetch from ")
    assert done.phases == []
    assert not (ws.root / "app/lock").exists()


@pytest.mark.parametrize(
    "name",
    [
        "-b",
        "--force",
        "HEAD",
        "a..b",
        "a b",
        "a~1",
        "a^{tree}",
        "a:b",
        "@{-1}",
        "refs/../../x",
        "/x",
        "x/",
        "x.lock",
        ".x",
        "a//b",
        "*",
        "[x",
        "a\\b",
        "$(touch never)",
        "`touch never`",
    ],
)
@pytest.mark.parametrize("setting", ["branch", "base", "start"])
def test_names(ws: Workspace, origin: Origin, setting: str, name: str) -> None:
    done = ws.prepare(RUN, origin.bare, **{setting: f"branch:{name}" if setting == "start" else name})
    assert done.failure == f"git takes no branch or tag of the name {name}: choose another one"
    assert done.phases == []


def test_names_that_look_worse_than_they_are(ws: Workspace, origin: Origin) -> None:
    for number, name in enumerate(("$HOME", "a;b", "a&b|c", "'x'", '"y"', "größe", "@x", "!x", "#7", "a,b%c"), 1):
        done = ws.prepare(f"fix-0a1b2c3d-{number}", origin.bare, branch=name)
        assert (done.failure, done.environment["RECONCILER_BRANCH"]) == ("", name)


@pytest.mark.parametrize(
    "settings",
    [
        {"project": "../x"},
        {"project": ""},
        {"project": "other"},
        {"worktree": "../../../x-0a1b2c3d-1"},
        {"worktree": "-x-0a1b2c3d-1"},
        {"worktree": "plain"},
        {"worktree": ""},
        {"tree_mode": "any"},
        {"fork": "perhaps"},
        {"issue": "1; x"},
        {"issue": "-1"},
        {"start": "pull:x"},
        {"start": "pull:-1"},
        {"start": "commit:0123abcd"},
        {"start": "main"},
    ],
    ids=str,
)
def test_the_rest(ws: Workspace, origin: Origin, settings: dict[str, str]) -> None:
    done = ws.prepare(RUN, origin.bare, **settings)
    assert done.failure != ""
    assert done.phases == []
    assert not (ws.root / "app/worktrees").exists()


@pytest.mark.parametrize("folder", ["a b", "it's", 'a"b', "100%", "$HOME", "a&b", "a\\b", "größe", "#x", "-x"])
def test_a_workspace_of_any_name(tmp_path: Path, origin: Origin, folder: str) -> None:
    ws = Workspace(tmp_path / folder, env={"HOME": str(tmp_path / "home")})
    done = ws.prepare(RUN, origin.bare, "in @RECONCILER_WORKTREE@.")
    assert (done.tree, done.prompt) == (ws.tree(RUN), f"in {ws.tree(RUN)}.")


PROGRAMS = ["filter.x.smudge", "filter.x.clean", "filter.x.process", "remote.upstream.uploadpack", "remote.origin.vcs"]


@pytest.mark.parametrize("key", [*PROGRAMS, "core.fsmonitor", "core.pager", "core.hooksPath", "alias.fetch"])
def test_programs_in_the_configuration_that_workers_write(
    ws: Workspace, origin: Origin, tmp_path: Path, key: str
) -> None:
    """The next run's preparation starts none of them; what the host's user has configured it does."""
    origin.commit(".gitattributes", "* filter=x\n")
    ws.prepare(RUN, origin.bare)
    for name in ("program", "reference-transaction", "post-checkout"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho ran >{tmp_path}/ran\ncat\n")
        (tmp_path / name).chmod(0o755)
    git(ws.checkout, "config", key, str(tmp_path if key == "core.hooksPath" else tmp_path / "program"))
    git(ws.checkout, "config", "filter.x.required", "true")
    origin.commit("fresh", "text\n")
    done = ws.prepare("fix-0a1b2c3d-2", origin.bare)
    assert (done.failure, (done.tree / "fresh").read_text()) == ("", "text\n")
    assert not (tmp_path / "ran").exists()


def test_filters_of_the_hosts_own_user(ws: Workspace, origin: Origin, tmp_path: Path) -> None:
    origin.commit(".gitattributes", "* filter=x\n")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text('[filter "x"]\n  smudge = tr a-z A-Z\n')
    ws.prepare(RUN, origin.bare)
    git(ws.checkout, "config", "filter.x.smudge", "false")
    done = ws.prepare("fix-0a1b2c3d-2", origin.bare)
    assert (done.tree / "README").read_text() == "HELLO\n"
