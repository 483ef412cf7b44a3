"""The fleet repository, with real git: local, bare and remote, and what users do to theirs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.load.git import Repository, open_repository
from reconciler.load.git_command import RepositoryError, redacted

from .repositories import Work, task


@pytest.fixture(autouse=True)
def own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No test reads or writes the configuration of whoever runs it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "fleet")


def opened(work: Work, folder: str = "") -> Repository:
    return open_repository(str(work.path / folder), work.path.parent / "cache")


def paths(repository: Repository, commit: str) -> list[str]:
    return [entry.path for entry in repository.files(commit)]


def test_a_commit_is_read_as_blobs(work: Work) -> None:
    commit = work.commit({"tasks/a.yaml": task("a"), "README.md": "x\n", "ü b.yaml": "y"})
    repository = opened(work)
    assert repository.branch() == "main"
    assert repository.resolve() == repository.resolve("main") == repository.resolve(commit[:12]) == commit
    assert paths(repository, commit) == ["README.md", "tasks/a.yaml", "ü b.yaml"]
    entries = repository.files(commit)
    contents = repository.read([entry.blob for entry in entries])
    assert [len(contents[entry.blob]) for entry in entries] == [entry.size for entry in entries]
    assert contents[entries[1].blob] == task("a").encode()


def test_a_folder_inside_a_repository_is_the_fleet(work: Work) -> None:
    commit = work.commit({"fleets/web/a.yaml": "x", "b.yaml": "y"})
    repository = opened(work, "fleets/web")
    assert repository.prefix == "fleets/web/"
    assert paths(repository, commit) == ["fleets/web/a.yaml"]


def test_a_linked_work_tree_has_its_own_branch(work: Work) -> None:
    work.commit({"a.yaml": "x"})
    work.git("worktree", "add", "-q", "-b", "other", str(work.path.parent / "linked"))
    repository = open_repository(str(work.path.parent / "linked"), work.path.parent / "cache")
    assert repository.branch() == "other"
    assert repository.common_dir == work.path / ".git"
    assert work.path / ".git" / "refs" in repository.watch_paths()


def test_a_bare_repository_is_one_too(work: Work, tmp_path: Path) -> None:
    commit = work.commit({"a.yaml": "x"})
    work.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    repository = open_repository(str(tmp_path / "bare.git"), tmp_path / "cache")
    assert repository.resolve() == commit
    assert repository.uncommitted() == []
    with pytest.raises(RepositoryError, match="no working copy"):
        repository.commit(["a.yaml"], "no")


def test_a_detached_head_has_no_branch(work: Work) -> None:
    commit = work.commit({"a.yaml": "x"})
    work.git("checkout", "-q", "--detach")
    assert opened(work).branch() is None
    assert opened(work).resolve() == commit


def test_a_branch_wins_over_a_tag_of_the_same_name(work: Work) -> None:
    work.commit({"a.yaml": "x"})
    work.git("tag", "-a", "-m", "x", "main")
    commit = work.commit({"a.yaml": "y"})
    assert opened(work).resolve("main") == commit


@pytest.mark.parametrize(
    "ref, message",
    [
        ("nowhere", "has no commit at nowhere"),
        ("-h", "has no commit at -h"),
        ("--output=x", "has no commit at --output=x"),
        ("", "not the name of a branch"),
        ("a b", "not the name of a branch"),
        ("main:a.yaml", "has no commit at"),
    ],
)
def test_a_ref_that_is_none(work: Work, ref: str, message: str) -> None:
    work.commit({"a.yaml": "x"})
    with pytest.raises(RepositoryError, match=message):
        opened(work).resolve(ref)


def test_an_empty_repository_says_what_to_do(work: Work) -> None:
    with pytest.raises(RepositoryError, match="no commit yet: commit the fleet's files first"):
        opened(work).resolve()


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(RepositoryError, match="`reconciler init` starts a fleet"):
        open_repository(str(tmp_path / "plain"), tmp_path)
    with pytest.raises(RepositoryError, match="no such folder"):
        open_repository(str(tmp_path / "missing"), tmp_path)


@pytest.mark.parametrize(
    "location", ["ext::sh -c id", "http://x/y", "git://x/y", "ftp://x/y", "file::x", "https://-x/y"]
)
def test_other_kinds_of_urls_are_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"refused"):
        open_repository(location, tmp_path)


def test_what_is_not_an_id_never_reaches_a_command_line(work: Work) -> None:
    work.commit({"a.yaml": "x"})
    for call in (opened(work).files, lambda text: opened(work).read([text])):
        with pytest.raises(RepositoryError, match="not a commit id"):
            call("--output=x")


def test_a_remote_is_read_through_a_clone_of_our_own(work: Work, tmp_path: Path) -> None:
    first = work.commit({"fleet/a.yaml": "x"})
    repository = open_repository(f"file://{work.path}", tmp_path / "cache", "fleet")
    with pytest.raises(RepositoryError, match="no commit"):
        repository.resolve("main")
    repository.fetch()
    assert repository.branch() == "main"
    assert repository.resolve() == repository.resolve("main") == repository.remote_head() == first
    assert paths(repository, first) == ["fleet/a.yaml"]
    second = work.commit({"fleet/a.yaml": "y"})
    assert repository.remote_head("main") == second
    assert repository.resolve("main") == first
    repository.fetch()
    assert repository.resolve("main") == second
    work.git("checkout", "-q", "-b", "next")
    work.git("branch", "-D", "main")
    repository.fetch()
    with pytest.raises(RepositoryError, match="no commit at main"):
        repository.resolve("main")


def test_a_remote_that_was_rewritten_is_followed(work: Work, tmp_path: Path) -> None:
    work.commit({"a.yaml": "x"})
    old = work.commit({"a.yaml": "y"})
    repository = open_repository(f"file://{work.path}", tmp_path / "cache")
    repository.fetch()
    work.git("reset", "-q", "--hard", "HEAD^")
    new = work.commit({"a.yaml": "z"})
    repository.fetch()
    assert repository.resolve("main") == new
    assert repository.is_ancestor(old, new) is False


def test_a_remote_that_is_not_there(tmp_path: Path) -> None:
    repository = open_repository(f"file://{tmp_path}/nowhere.git", tmp_path / "cache")
    for call in (repository.fetch, repository.branch, repository.remote_head):
        with pytest.raises(RepositoryError, match=r"cannot (fetch|ask)"):
            call()


def test_credentials_in_a_url_are_never_shown(tmp_path: Path) -> None:
    assert redacted("fatal: https://ada:s3cret@example.org/x") == "fatal: https://…@example.org/x"
    assert "s3cret" not in open_repository("https://ada:s3cret@example.org/x", tmp_path).location


def test_ancestors(work: Work, tmp_path: Path) -> None:
    first = work.commit({"a.yaml": "x"})
    second = work.commit({"a.yaml": "y"})
    repository = opened(work)
    assert repository.is_ancestor(first, second) is True
    assert repository.is_ancestor(second, first) is False
    assert repository.is_ancestor("0" * 40, second) is None
    work.git("clone", "-q", "--depth=1", f"file://{work.path}", str(tmp_path / "shallow"))
    shallow = open_repository(str(tmp_path / "shallow"), tmp_path / "cache")
    assert shallow.shallow()
    assert not repository.shallow()
    assert shallow.is_ancestor(first, second) is None


def test_authors_are_those_of_the_last_change(work: Work) -> None:
    work.commit({"a.yaml": "x", "b.yaml": "x"})
    work.write({"b.yaml": "y"})
    work.git("commit", "-q", "-am", "x", "--author", "Grace \x07Hopper <g@example.org>")
    commit = work.commit({"c.yaml": "x"})
    found = opened(work).authors(commit, ["a.yaml", "b.yaml", "never.yaml"])
    assert found == {"a.yaml": "Ada", "b.yaml": "Grace �Hopper"}


def test_history_gives_the_versions_of_some_files_newest_first(work: Work) -> None:
    first = work.commit({"a.yaml": "1", "b.yaml": "1"})
    work.commit({"other.yaml": "1"})
    second = work.commit({"a.yaml": "2", "b.yaml": None})
    repository = opened(work)
    found = list(repository.history(["a.yaml", "b.yaml"], second))
    assert [(commit, sorted(blobs)) for commit, blobs in found] == [
        (second, ["a.yaml"]),
        (first, ["a.yaml", "b.yaml"]),
    ]


def test_what_is_not_committed_is_told(work: Work) -> None:
    work.commit({"a.yaml": "x", "gone.yaml": "x", "README.md": "x", ".gitignore": "secret.yaml\n"})
    work.write({"a.yaml": "y", "new/b.yml": "x", ".hidden/c.yaml": "x", "README.md": "y", "secret.yaml": "x"})
    work.write({"gone.yaml": None})
    work.git("add", "a.yaml")
    assert opened(work).uncommitted() == ["a.yaml", "gone.yaml", "new/b.yml"]
    assert opened(work, "new").uncommitted() == ["new/b.yml"]


def test_looking_runs_nothing_that_the_repository_names(work: Work, tmp_path: Path) -> None:
    commit = work.commit({"a.yaml": "x"})
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    work.git("config", "core.fsmonitor", str(trap))
    work.git("config", "log.showSignature", "true")
    work.git("config", "gpg.program", str(trap))
    hooks = work.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        (hooks / name).symlink_to(trap)
    work.write({"a.yaml": "y"})
    repository = opened(work)
    assert repository.uncommitted() == ["a.yaml"]
    repository.files(commit)
    repository.authors(commit, ["a.yaml"])
    list(repository.history(["a.yaml"], commit))
    repository.worktree_files()
    assert not (tmp_path / "sprung").exists()


def test_a_commit_holds_those_paths_alone(work: Work) -> None:
    work.commit({"a.yaml": "1", "b.yaml": "1", "gone.yaml": "1"})
    work.write({"a.yaml": "2", "b.yaml": "2", "new.yaml": "1", "gone.yaml": None})
    work.git("add", "b.yaml")
    commit = opened(work).commit(["a.yaml", "new.yaml", "gone.yaml"], "-m is no option\n\nbody")
    assert work.git("show", "--format=%an %s", "--no-renames", "--name-status", commit).split() == (
        ["Ada", "-m", "is", "no", "option", "M", "a.yaml", "D", "gone.yaml", "A", "new.yaml"]
    )
    assert work.git("diff", "--cached", "--name-only") == "b.yaml"


def test_a_hook_that_refuses_leaves_nothing_staged(work: Work) -> None:
    work.commit({"a.yaml": "1"})
    hook = work.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    work.write({"new.yaml": "1"})
    with pytest.raises(RepositoryError, match=r"refused to commit new\.yaml: not on a friday"):
        opened(work).commit(["new.yaml"], "x")
    assert work.git("status", "--porcelain") == "?? new.yaml"


def test_a_user_without_a_name_is_told(work: Work) -> None:
    work.commit({"a.yaml": "1"})
    work.git("config", "--unset", "user.name")
    work.git("config", "--unset", "user.email")
    work.git("config", "user.useConfigOnly", "true")
    work.write({"a.yaml": "2"})
    with pytest.raises(RepositoryError, match="git does not know who you are"):
        opened(work).commit(["a.yaml"], "x")


def test_a_push_goes_to_the_upstream_or_the_only_remote(work: Work, tmp_path: Path) -> None:
    work.commit({"a.yaml": "1"})
    with pytest.raises(RepositoryError, match="no upstream"):
        opened(work).push()
    bare = Work(tmp_path / "bare")
    bare.git("config", "core.bare", "true")
    work.git("remote", "add", "origin", str(bare.path))
    for content in "23":
        work.commit({"a.yaml": content})
        opened(work).push()
        assert bare.git("rev-parse", "main") == work.git("rev-parse", "HEAD")
    bare.git("update-ref", "-d", "refs/heads/main")
    work.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    with pytest.raises(RepositoryError, match="the commit was made, but not pushed"):
        opened(work).push()


def test_variables_of_a_hook_do_not_lead_elsewhere(work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = work.commit({"a.yaml": "1"})
    other = Work(tmp_path / "other")
    other.commit({"b.yaml": "1"})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    repository = opened(work)
    assert repository.resolve() == commit
    assert paths(repository, commit) == ["a.yaml"]


def test_a_repository_that_is_damaged_is_an_error_not_an_empty_one(work: Work) -> None:
    commit = work.commit({"a.yaml": "1"})
    repository = opened(work)
    blob = repository.files(commit)[0].blob
    (work.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(RepositoryError, match="lacks the object"):
        repository.files(commit)
    with pytest.raises(RepositoryError, match="lacks the object"):
        repository.read([blob])


def test_a_broken_configuration_is_an_error(work: Work) -> None:
    work.commit({"a.yaml": "1"})
    (work.path / ".git" / "config").write_text("[core\nnonsense")
    with pytest.raises(RepositoryError):
        opened(work).resolve()


@pytest.mark.parametrize(
    "location",
    ["git@example.org:team/fleet.git", "box:fleet", "ssh://git@example.org/fleet", "https://example.org/fleet.git"],
)
def test_urls_as_git_writes_them_are_taken(location: str, tmp_path: Path) -> None:
    repository = open_repository(location, tmp_path / "cache", "fleets/web/")
    assert (repository.url, repository.prefix) == (location, "fleets/web/")


@pytest.mark.parametrize("folder", ["../x", "/x", "a/../../x"])
def test_the_fleets_folder_is_inside_its_repository(folder: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="inside its repository"):
        open_repository("https://example.org/fleet.git", tmp_path, folder)
