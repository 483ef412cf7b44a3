"""Runs of projects, from launch to reset: where they lie, what they get, what stays of them."""

import fcntl
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest
from tests.remote.stage import Origin, git
from tests.waiting import until

RUN = "fix-0123abcd-1"
NEXT = "fix-4567cdef-1"  # a follow-up of it


class Projects:
    """A host, and a repository for its projects; agents are scripts that the prompt brings along."""

    def __init__(self, host: HostUnderTest, origin: Origin) -> None:
        self.host, self.origin = host, origin

    def fields(self, run: str, script: str, **given: str | Mapping[str, str]) -> list[tuple[str, str | bytes]]:
        given.setdefault("project", "app")
        settings = {"git_url": str(self.origin.bare), "stdin": "prompt.md", **dict(given.pop("settings", {}))}
        files = {"prompt.md": script, **dict(given.pop("files", {}))}
        return self.host.launch_fields(run, [("text", "bash")], settings=settings, files=files, **given)

    def launch(self, run: str, script: str, **given: str | Mapping[str, str]) -> str:
        answer = self.host.call("act", self.fields(run, script, **given))
        assert answer.code == 0, answer
        return answer.words()[0]

    def run(self, run: str, script: str, **given: str | Mapping[str, str]) -> dict[str, str]:
        assert self.launch(run, script, **given) == "accepted"
        result = self.host.result(run)
        result.pop("t")
        return result

    def log(self, run: str = RUN) -> str:
        return (self.host.directory(run) / "supervisor.log").read_text()

    def tree(self, run: str = RUN) -> Path:
        return self.host.root / self.host.projects[run] / "worktrees" / run


@pytest.fixture
def work(host: HostUnderTest, tmp_path: Path) -> Projects:
    host.env = {**host.env, "HOME": str(tmp_path)}
    return Projects(host, Origin.make(tmp_path / "remote"))


GOOD = {"state": "succeeded", "rc": "0"}


def test_where_everything_lies(work: Projects):
    script = "pwd; cat README; git branch --show-current; env -0 >&2"
    assert work.run(RUN, script) == GOOD
    host, app = work.host, work.host.root / "app"
    assert host.log(RUN) == f"{app}/worktrees/{RUN}\nhello\nreconciler/{RUN}\n"
    values = dict(entry.split("=", 1) for entry in host.log(RUN, "stderr").split("\0") if entry)
    expected = {
        "RECONCILER_WORKTREE": f"{app}/worktrees/{RUN}",
        "RECONCILER_PROJECT": "app",
        "RECONCILER_BRANCH": f"reconciler/{RUN}",
        "RECONCILER_BASE_BRANCH": "main",
        "RECONCILER_CACHE_DIR": f"{app}/cache",
        "RECONCILER_PROMPT_FILE": f"{app}/runs/{RUN}/prompt.md",
        "RECONCILER_RESULT_FILE": f"{app}/runs/{RUN}/result.json",
        "GIT_TERMINAL_PROMPT": "0",
    }
    assert {key: values.get(key) for key in expected} == expected
    assert f"{host.root}/_/known_hosts" in values["GIT_SSH_COMMAND"]
    assert not (app / "runs" / RUN / "work").exists()
    assert not (host.root / "_/cache").exists()


def test_what_the_report_says(work: Projects):
    host = work.host
    work.run(RUN, "true")
    (host.root / "app/worktrees/odd\nname").mkdir()
    (host.root / "app/worktrees/link-00000000-1").symlink_to("/")
    answer = host.observe()
    records = answer.records()
    assert records[f"app/runs/{RUN}/worker"] == "a=claude;w=0123abcd-1"
    assert records[f"app/runs/{RUN}/phase"] == "work"
    assert {path.rpartition("/")[0] for path in records} == {f"app/runs/{RUN}"}
    kinds = [line.split("\t")[:2] for line in answer["records"].splitlines()]
    assert [path for kind, path in kinds if kind == "d" and "/worktrees/" in path] == [f"app/worktrees/{RUN}"]
    assert not [path for _, path in kinds if path.startswith(f"app/worktrees/{RUN}/")]
    assert ["f", f"app/runs/{RUN}/stderr.log"] in kinds


def test_a_run_that_works_is_alive_wherever_it_lies(work: Projects):
    host = work.host
    work.launch(RUN, "touch at-it; sleep 300")
    until(lambda: (work.tree() / "at-it").exists())
    assert host.observe().live() == {f"app/runs/{RUN}": ("held", "0")}
    assert host.operate("cleanup", RUN).startswith("active ")
    assert host.operate("settle", RUN).startswith("alive ")
    answer = host.call("reset")
    assert (answer.code, RUN in answer["error"]) == (5, True)
    assert host.operate("cancel", RUN, why="closed").startswith("canceling ")
    assert host.result(RUN)["state"] == "canceled"
    assert host.marked(RUN) == []


def test_phases_and_the_bell(work: Projects):
    work.run(RUN, "true", files={"setup.sh": "true"}, checks={"test": "true"})
    rung = (work.host.root / "_/bell").read_text().splitlines()
    # started, checkout, worktree, setup, work, qa, result
    assert rung == [RUN] * 7


@pytest.mark.parametrize("project", ["app", "other", ""])
def test_a_run_is_started_once_whatever_its_project(work: Projects, project: str):
    host = work.host
    work.run(RUN, "true")
    host.projects.clear()
    fields = work.fields(RUN, "true", project=project) if project else host.launch_fields(RUN, "true")
    assert host.call("act", fields).words() == ["taken" if project == "app" else "stale"]
    host.projects[RUN] = "app"
    host.operate("cleanup", RUN)
    assert host.call("act", fields).words() == ["done"]
    assert work.launch("fix-0123abcd-2", "true", project="other") == "accepted"
    host.result("fix-0123abcd-2")
    assert work.launch(RUN, "true", project="third") == "done"


@pytest.mark.parametrize(
    "key, value, sentence",
    [
        ("worker", None, "the launch does not say which agent works"),
        ("worker", "a=Claude;w=0123abcd-1", "the launch does not say which agent works"),
        ("worker", "a=claude;w=0123abcd-1;x=1", "the launch does not say which agent works"),
        ("worker", "a=claude;w=0123abcd-2", "the launch does not say in which worktree of its project it works"),
        ("settings", "project=other\nworktree=fix-0123abcd-1\n", "the launch does not say in which worktree"),
        ("settings", "project=app\nworktree=../../x\n", "the launch does not say in which worktree"),
        ("settings", "project=app\n", "the launch does not say in which worktree"),
        ("project_script", "", "the launch carries no project_script"),
    ],
)
def test_a_launch_that_does_not_say_enough_makes_nothing(work: Projects, key: str, value: str | None, sentence: str):
    fields = [(name, text if name != key else value) for name, text in work.fields(RUN, "true")]
    sent = [(name, text) for name, text in fields if text is not None]
    if key == "project_script":
        sent.insert(0, (key, ""))
    answer = work.host.call("act", sent)
    assert answer[f"launch/{RUN}"].startswith(f"failed {sentence}")
    assert not work.host.directory(RUN).exists()


@pytest.mark.parametrize(
    "path", ["App/runs/{}", "a_b/runs/{}", "-a/runs/{}", "a./runs/{}", "app/worktrees/{}", "app/x/{}"]
)
def test_places_that_no_project_has_are_refused(work: Projects, path: str):
    assert work.host.call("act").code == 0  # notes the commit
    before = sorted(work.host.root.rglob("*"))
    assert work.host.call("act", [("launch", path.format(RUN))]).code == 65
    assert sorted(work.host.root.rglob("*")) == before


def test_a_project_folder_that_is_a_link_is_left_alone(work: Projects, tmp_path: Path):
    (tmp_path / "elsewhere/runs").mkdir(parents=True)
    (work.host.root / "app").symlink_to(tmp_path / "elsewhere")
    assert work.launch(RUN, "true") == "failed"
    assert list((tmp_path / "elsewhere/runs").iterdir()) == []
    assert work.host.observe()["live"] == ""


def test_a_checkout_that_cannot_be_made(work: Projects):
    result = work.run(RUN, "true", settings={"git_url": "/nowhere/at-all.git"})
    assert result == {"state": "failed", "r": "PrepareFailed"}
    assert work.log().splitlines()[-1].startswith("PrepareFailed: git cannot fetch from gitUrl /nowhere/at-all.git")
    assert work.host.record(RUN, "phase") == "checkout"
    assert not (work.host.root / "app/checkout.new").exists()


def test_a_clone_that_is_canceled_leaves_nothing_and_another_s_is_left_alone(work: Projects):
    clone, second = work.host.root / "app/checkout.new", "fix-0123abcd-2"
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes connections, and answers nothing
        url = {"git_url": f"git://127.0.0.1:{mute.getsockname()[1]}/app.git"}
        work.launch(RUN, "true", settings=url)
        until(lambda: (clone / ".git/config").exists())
        work.launch(second, "true", settings=url)
        until(lambda: work.host.record(second, "phase") == "checkout")
        work.host.operate("cancel", second, why="closed")
        assert work.host.result(second)["state"] == "canceled"
        assert (clone / ".git/config").exists()
        work.host.operate("cancel", RUN, why="closed")
        assert work.host.result(RUN)["state"] == "canceled"
    assert not clone.exists()


def test_canceling_while_it_prepares(work: Projects):
    work.launch(RUN, "true", files={"setup.sh": "trap '' TERM; setsid sleep 300 & touch at-it; sleep 300; sleep 300"})
    until(lambda: (work.tree() / "at-it").exists())
    assert work.host.record(RUN, "phase") == "setup"
    work.host.operate("cancel", RUN, why="closed")
    assert work.host.result(RUN)["state"] == "canceled"
    assert work.host.marked(RUN) == []


def test_the_prelude_cannot_get_in_the_way(work: Projects):
    work.host.prelude = "set -euC; set -x; IFS=/; shopt -s nullglob failglob nocasematch; RUN=x; root=/; export NL=y"
    assert work.run(RUN, "echo $NL") == GOOD, work.log()
    assert work.host.log(RUN) == "y\n"


# --- setup


def test_setup_runs_once_in_every_worktree(work: Projects):
    setup = 'echo "set up by $TOKEN in $PWD"; cat; echo once >>../../../count; echo prepared >prepared'
    files = {"setup.sh": setup}
    assert work.run(RUN, "cat prepared", files=files, secrets={"TOKEN": "tok"}) == GOOD, work.log()
    assert work.host.log(RUN) == "prepared\n"
    assert f"set up by tok in {work.tree()}\n" in work.log()
    assert work.run(NEXT, "cat prepared", files=files, worktree=RUN) == GOOD, work.log(NEXT)
    assert work.run("fix-0123abcd-2", "cat prepared", files=files, secrets={"TOKEN": "tok"}) == GOOD
    assert (work.host.root / "count").read_text() == "once\nonce\n"
    assert "prepared" in git(work.tree(), "status", "--porcelain")


@pytest.mark.parametrize(
    "setup, sentence",
    [
        ("echo why not >&2; exit 3", "setup ended with exit code 3"),
        ("false | true; echo not reached", "setup ended with exit code 1"),
        ("kill -KILL $$", "setup ended with exit code 137"),
        ("#!/usr/bin/env python3\nraise SystemExit(4)", "setup ended with exit code 4"),
        ("#!/nowhere/sh\n", "the interpreter /nowhere/sh is not there"),
    ],
)
def test_a_setup_that_fails(work: Projects, setup: str, sentence: str):
    assert work.run(RUN, "touch worked", files={"setup.sh": setup}) == {"state": "failed", "r": "PrepareFailed"}
    assert work.log().splitlines()[-1] == f"PrepareFailed: {sentence}"
    assert "not reached" not in work.log()
    assert ("why not" in setup) == ("why not" in work.log())
    assert not (work.tree() / "worked").exists()
    assert work.run(NEXT, "true", files={"setup.sh": "true"}, worktree=RUN) == GOOD


def test_a_setup_that_says_too_much_or_nothing_for_too_long(work: Projects):
    noise = "head -c 9000000 /dev/zero | tr '\\0' x; exit 5"
    assert work.run(RUN, "true", files={"setup.sh": noise})["r"] == "PrepareFailed"
    assert len(work.log()) < 5_000_000
    assert work.log().splitlines()[-1] == "PrepareFailed: setup ended with exit code 5"
    slow = {"setup.sh": "sleep 60"}
    assert work.run(NEXT, "true", files=slow, settings={"prepare_timeout": "4"})["r"] == "PrepareFailed"
    assert work.log(NEXT).splitlines()[-1] == (
        "PrepareFailed: preparing took longer than 4 seconds (it was at: the setup)"
    )


def test_what_setup_leaves_running_does_not_hold_up_the_worker_and_ends_with_it(work: Projects):
    files = {"setup.sh": "sleep 300 & echo $! >server"}
    assert work.run(RUN, "kill -0 $(cat server) && echo there", files=files) == GOOD
    assert work.host.log(RUN) == "there\n"
    assert work.host.marked(RUN) == []


# --- BLOCKED.md


@pytest.mark.parametrize(
    "script, state",
    [
        ("true", "succeeded"),
        ("touch BLOCKED.md", "succeeded"),
        ("echo 'which one?' >BLOCKED.md", "succeeded"),
        ("echo 'and now?' >BLOCKED.md", "blocked"),
        ("echo more >>BLOCKED.md; exit 3", "blocked"),
        ("rm BLOCKED.md", "succeeded"),
    ],
)
def test_an_old_question_is_not_asked_again(work: Projects, script: str, state: str):
    host = work.host
    assert work.run(RUN, "echo 'which one?' >BLOCKED.md")["state"] == "blocked"
    assert (host.directory(RUN) / "blocked.md").read_text() == "which one?\n"
    assert work.run(NEXT, script, worktree=RUN)["state"] == state
    assert (host.directory(NEXT) / "blocked.md").exists() == (state == "blocked")


def test_a_question_that_the_repository_has_is_nobody_s(work: Projects):
    work.origin.commit("BLOCKED.md", "old\n")
    assert work.run(RUN, "true") == GOOD
    assert work.run("fix-0123abcd-2", "false", files={"setup.sh": "false"})["r"] == "PrepareFailed"
    assert not (work.host.directory("fix-0123abcd-2") / "blocked.md").exists()


# --- checks


def test_checks_see_the_worktree_as_the_worker_did(work: Projects):
    say = "env | grep -E '^(RECONCILER_|GIT_|GH_)' | grep -v RECONCILER_MARK | sort >{}; pwd >>{}"
    script = say.format("from-worker", "from-worker")
    result = work.run(
        RUN, script, checks={"look": say.format("from-checks", "from-checks")}, secrets={"GITHUB_TOKEN": "tok"}
    )
    assert result == GOOD
    worker, checks = ((work.tree() / name).read_text() for name in ("from-worker", "from-checks"))
    assert worker == checks
    assert "GH_TOKEN=tok\n" in worker


def test_checks_that_fail_in_a_worktree(work: Projects):
    result = work.run(RUN, "touch broken", checks={"test": "! test -e broken; false"})
    assert result == {"state": "failed", "rc": "0", "r": "QAFailed"}
    frames = dict(work.host.call("collect", [("run", f"app/runs/{RUN}"), ("limit", "99")]).frames)
    assert frames[f"qa/{RUN}"].startswith(b"test\t1\t")
    assert b"test ended with exit code 1" in frames[f"qa_log/{RUN}"]


# --- collect, cleanup, reset


def test_collect_and_cleanup(work: Projects):
    host = work.host
    work.run(RUN, 'echo said; echo {} >"$RECONCILER_RESULT_FILE"')
    frames = dict(host.call("collect", [("run", f"app/runs/{RUN}"), ("limit", "99")]).frames)
    assert frames[f"stdout/{RUN}"] == b"said\n"
    assert frames[f"answer/{RUN}"] == b"{}\n"
    assert host.operate("cleanup", RUN).startswith("removed ")
    assert os.readlink(host.root / "_/done" / RUN).startswith("state=succeeded;q=-;t=")
    assert not host.directory(RUN).exists()
    assert work.tree().exists()
    assert host.operate("cleanup", RUN).startswith("already ")


def test_the_worktree_goes_when_no_run_works_in_it(work: Projects):
    host = work.host
    work.launch(RUN, "touch mine; sleep 300")
    until(lambda: (work.tree() / "mine").exists())
    operation = [("worktree", f"app/worktrees/{RUN}")]
    assert host.call("act", operation)[f"worktree/{RUN}"].startswith("active ")
    host.operate("cancel", RUN, why="closed")
    host.result(RUN)
    assert host.call("act", operation)[f"worktree/{RUN}"].split()[0] in ("removed", "removing")
    until(lambda: not work.tree().exists())
    kept = until(lambda: git(host.root / "app/checkout", "ls-tree", "--name-only", f"refs/reconciler/wip/{RUN}"))
    assert kept.split() == ["README", "mine"]


def test_reset_takes_projects_too(work: Projects):
    host = work.host
    work.run(RUN, "touch uncommitted")
    work.run("fix-0123abcd-2", "git -c user.name=a -c user.email=a@b commit --allow-empty -qm work")
    work.run("fix-0123abcd-3", "true")
    work.run("fix-0123abcd-4", "true", project="other")
    work.run("fix-0123abcd-5", "touch kept")
    host.operate("cleanup", "fix-0123abcd-5")
    host.call("act", [("worktree", "app/worktrees/fix-0123abcd-5")])
    until(lambda: not work.tree("fix-0123abcd-5").exists())
    host.run("build-00000000-1", "true")
    (host.root / "other/mine").touch()
    answer = host.call("reset")
    assert answer.pairs("removed") == {
        "runs": "5",
        "cache": "3",
        "worktrees": "4",
        "checkouts": "2",
        "unpushed": "2",
        "kept": "1",
        "trash": "0",
        "left": "0",
    }
    assert sorted(path.name for path in host.root.iterdir()) == ["_", "other"]
    assert [path.name for path in (host.root / "other").iterdir()] == ["mine"]
    left = {path.name for path in (host.root / "_").iterdir()}
    assert left <= {"lease", "id", "done", "lock", "bell", "runs", "trash", "holder"}
    assert len(list((host.root / "_/done").iterdir())) == 6
    assert host.take().code == 0
    assert work.launch(RUN, "true") == "done"
    assert work.run("fix-0123abcd-6", "true") == GOOD


def test_reset_waits_for_nobody_who_still_works_with_git(work: Projects):
    host = work.host
    work.run(RUN, "true")
    with (host.root / "app/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = host.call("reset")
        assert (answer.code, "app" in answer["error"]) == (5, True)
    assert work.tree().exists()


def test_strays_of_a_wiped_workspace_are_those_of_projects_too(work: Projects):
    host = work.host
    work.launch(RUN, "touch at-it; trap '' TERM; setsid sleep 300 & sleep 300")
    until(lambda: (work.tree() / "at-it").exists())
    shutil.rmtree(host.root)
    assert host.take().code == 0
    assert host.marked(RUN) == []
