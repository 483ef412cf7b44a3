"""Only signed commits, from `reconciler` itself: the daemon, a person beside it, CI with pinned keys, looking, editing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch
from tests.verify.keys import Keys
from tests.waiting import until


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    made = Keys(tmp_path / "keys")
    yield made
    made.close()


@pytest.fixture
def jane(fleet: Fleet, keys: Keys) -> Fleet:
    """A fleet that acts on jane's commits, with one task; git signs as her."""
    keys.ssh("mallory")
    fleet.fleet(verify={"allowedSigners": [{"name": "jane", "key": keys.ssh("jane")}]})
    fleet.local()
    fleet.task("first", "echo first")
    sign_as(fleet, keys, "jane")
    fleet.commit()
    return fleet


def sign_as(fleet: Fleet, keys: Keys, name: str) -> None:
    fleet.git("config", "commit.gpgSign", "true" if name else "false")
    fleet.git("config", "gpg.format", "ssh")
    if name:
        fleet.git("config", "user.signingKey", str(keys.folder / name))


def test_the_daemon_goes_on_at_the_last_verified_commit_until_a_person_vouches(jane: Fleet, keys: Keys) -> None:
    jane.task("flaky", "test -e $RECONCILER_CACHE_DIR/seen || { touch $RECONCILER_CACHE_DIR/seen; sleep 2; exit 1; }",
              retries={"limit": 1, "backoff": "3s"})  # fmt: skip
    good = jane.commit()
    with Watch(jane) as watch:
        watch.says("flaky")
        sign_as(jane, keys, "")
        jane.task("second", "echo second")
        bad = jane.commit()
        watch.says(f"commit {bad[:12]} by Ada <ada@example.org> is not acted on: it is not signed; {good[:12]} stays")
        until(lambda: jane.phases() == {"first": "Succeeded", "flaky": "Succeeded"}), "a retry goes on"
        looked = jane.run("get", "tasks", check=0)
        assert f"note: commit {bad[:12]}" in looked.stderr
        assert jane.json("get", "tasks")["revision"] == good
        refused = jane.run("wait", "--revision", bad, "--timeout", "5s", check=5)
        assert "is not signed" in refused.stderr
        beside = jane.run("reconcile", check=1)
        assert f"Refused: commit {bad[:12]}" in beside.stdout
        assert watch.log.count("is not acted on") == 1, "told once"
        jane.run("reconcile", "--trust", "main", check=64)
        done = jane.json("reconcile", "--trust", bad[:12], "--wait", "--timeout", "60s")
        assert (done["revision"], done["refused"]) == (bad, None)
        assert jane.phases()["second"] == "Succeeded"
        assert watch.end() == 0
    kinds = [event["type"] for event in map(dict, jane_events(jane))]
    assert kinds.count("invalid") == 1
    assert kinds.count("approved") == 1


def jane_events(fleet: Fleet) -> list[dict[str, str]]:
    import json

    return [json.loads(line) for line in fleet.run("events", "-o", "json", check=0).stdout.splitlines()]


def test_a_commit_that_is_refused_is_told_everywhere_and_does_nothing(jane: Fleet, keys: Keys) -> None:
    good = jane.json("reconcile", "--wait", "--timeout", "60s")["revision"]
    sign_as(jane, keys, "mallory")
    jane.fleet(id_="x", verify={"allowedSigners": [{"name": "mallory", "key": keys.ssh("mallory2")}]})
    jane.write(
        "fleet.yaml",
        (jane.repo / "fleet.yaml").read_text().replace(jane.id, "another-fleet").replace('"id_": "x",', ""),
    )
    jane.remove("tasks/first.yaml")
    jane.task("evil", "touch evil")
    bad = jane.commit()
    for verb in (("plan",), ("reconcile",)):
        told = jane.json(*verb, check=1)
        assert (told["revision"], told["exit"]["name"], told["changes"]) == (good, "invalid", [])
        assert told["refused"]["revision"] == bad
        assert "SHA256:" in told["refused"]["why"]
        assert f"--trust {bad[:12]}" in told["refused"]["hint"]
    checks = {check["name"]: check for check in jane.json("doctor", check=3)["checks"]}
    assert bad[:12] in checks["signatures"]["why"]
    assert jane.phases() == {"first": "Succeeded"}
    assert len(list((jane.state / "fleets").iterdir())) == 1, "it does not become another fleet either"
    sign_as(jane, keys, "jane")
    jane.git("reset", "--quiet", "--hard", good)
    jane.commit()
    assert jane.json("plan")["refused"] is None
    checks = {check["name"]: check for check in jane.json("doctor")["checks"]}
    assert checks["signatures"]["why"].endswith("is signed by jane")


def test_pinned_keys_need_no_state_and_the_repository_cannot_loosen_them(
    jane: Fleet, keys: Keys, tmp_path: Path
) -> None:
    pins = tmp_path / "pins"
    pins.write_text(f'# ours\njane@example.org namespaces="git" {keys.ssh("jane2")} laptop\n')
    jane.environment["RECONCILER_ALLOWED_SIGNERS"] = str(pins)
    told = jane.run("plan", check=1)
    assert "is not acted on" in told.stderr
    sign_as(jane, keys, "jane2")
    jane.fleet()
    good = jane.commit()
    assert jane.reconcile()["revision"] == good
    sign_as(jane, keys, "jane")
    jane.commit()
    assert jane.other_controller("ci").run("reconcile", check=1).stderr
    assert jane.json("plan", check=1)["revision"] == good


def test_a_remote_that_was_rolled_back_is_refused(jane: Fleet, keys: Keys, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    jane.git("clone", "--quiet", "--bare", ".", str(bare))
    url = ("-C", f"file://{bare}")
    jane.git("remote", "add", "origin", str(bare))
    old = jane.git("rev-parse", "HEAD")
    new = jane.commit()
    jane.git("push", "--quiet", "origin", "main")
    assert jane.json("plan", *url)["revision"] == new
    jane.json("reconcile", *url, "--wait", "--timeout", "60s")
    jane.git("push", "--quiet", "--force", "origin", f"{old}:main")
    told = jane.json("plan", *url, check=1)
    assert told["revision"] == new
    assert told["refused"]["why"].startswith("it is older than the last verified commit")


def test_editing_signs_as_git_is_told_to_and_warns_when_that_will_not_do(jane: Fleet, keys: Keys) -> None:
    signed = jane.run("task", "close", "first", check=0)
    assert "warning" not in signed.stderr
    sign_as(jane, keys, "")
    unsigned = jane.run("task", "reopen", "first", check=0)
    assert "will not be acted on: it is not signed" in unsigned.stderr
    checked = jane.run("validate", check=0)
    assert "would not be acted on: it is not signed" in checked.stdout
    jane.task("more")
    assert "nothing was verified" in jane.run("validate", "--worktree", check=0).stderr
    assert "nothing was verified" in jane.run("plan", "--worktree", check=0).stderr
