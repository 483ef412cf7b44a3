"""Where a secret must not be: a table of every surface and how it is read, after one story in which workers tell all.

Real sshd on loopback. A script and agents have three secrets, from the controller's environment, a file and a command;
they, their setup and their checks print them in every form, and hosts give back what they are sent. A canary anywhere
but in a worker's environment, and in what the worker itself wrote on its host, is a failure.
"""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.canaries import has, holders
from tests.e2e.canary_story import ECHOES, FORMS, TOLD, Story, story
from tests.machines.loopback import why_not_loopback

pytestmark = [
    pytest.mark.ssh,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(why_not_loopback()), reason=why_not_loopback()),
]

# Surface -> where a canary was found on it, or what is wrong with it; all of it has to be empty.
SURFACES: dict[str, Callable[[Story], object]] = {
    # Processes, here and on hosts.
    "argv of every process: /proc/*/cmdline, all the time": lambda s: s.lookout.argv,
    "environment of every process that is no worker: /proc/*/environ, all the time": lambda s: s.lookout.environ,
    "what ssh reads and complains of: no file on a disk; what it answers: none with a name": lambda s: (
        s.lookout.streams
    ),
    "cores of the daemon: none, from /proc/PID/limits": lambda s: {s.core} - {"0 0"},
    "cores of ssh: none, from /proc/PID/limits": lambda s: s.lookout.cores - {"0 0"},
    # The controller's files.
    "temporary files: $TMPDIR, bug reports included": lambda s: holders(s.fleet.room / "tmp"),
    "ledger, WAL, archive, ssh's files while the daemon runs: raw bytes": lambda s: s.looks[
        "state while the daemon runs"
    ],
    "ledger, free pages, archive when all is over: raw bytes": lambda s: holders(s.fleet.state, s.echoing.state),
    "state of another controller that took over": lambda s: s.looks["state of another controller"],
    "saved plans": lambda s: [name for name in ("before", "after") if has((s.fleet.room / f"{name}.json").read_text())],
    "the fleet repository": lambda s: holders(s.fleet.repo, s.echoing.repo),
    # What the controller prints.
    "log of the daemon, --log-format json --log-level debug": lambda s: s.telling("watch"),
    "what hosts gave back, in every command": lambda s: s.telling("echoing: "),
    "get, in every format": lambda s: s.telling("get"),
    "describe": lambda s: s.telling("describe"),
    "plan, in every format": lambda s: s.telling("plan"),
    "reconcile, in every format, by itself and over the control socket": lambda s: s.telling("reconcile"),
    "events": lambda s: s.telling("events"),
    "logs -f while workers print": lambda s: s.telling("logs -f"),
    "logs of every run and stream": lambda s: s.telling("logs"),
    "everything else that was printed": lambda s: s.telling(""),
    # The host's files.
    "files of the workspace while workers run, their own output apart": lambda s: s.looks["workspace running"],
    "files of the workspace after the end, their own output apart": lambda s: s.looks["workspace over"],
    "workspaces of hosts that refused": lambda s: s.looks["workspaces that echo"],
    "folders of the workspace that others can read while workers run": lambda s: s.looks["in the open running"],
    "folders of the workspace that others can read after the end": lambda s: s.looks["in the open over"],
    "/dev/shm, /tmp, /var/tmp, $XDG_RUNTIME_DIR while workers run": lambda s: s.looks["shared folders running"],
    "/dev/shm, /tmp, /var/tmp, $XDG_RUNTIME_DIR after the end": lambda s: s.looks["shared folders over"],
    "configuration and remotes of the checkout": lambda s: s.looks["git configuration over"],
    "mode and owner of the file in memory that waits for a worker's start": lambda s: (
        s.lookout.waiting - {(0o600, os.getuid())}
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, once for all surfaces."""
    with story(tmp_path_factory.mktemp("canaries")) as one:
        yield one


@pytest.mark.parametrize("surface", SURFACES)
def test_no_canary_is_on(told: Story, surface: str) -> None:
    assert not SURFACES[surface](told)


def test_workers_had_them_and_told_them(told: Story) -> None:
    """Nothing above is empty because nothing happened."""
    workspace = told.home / ".reconciler"
    own = {path.rpartition("/")[2] for path in holders(workspace / "_", workspace / "app", workspace / "bare")}
    assert own >= {"stdout.log", "stderr.log", "events.jsonl", "supervisor.log", "qa.log", "answer.json", "blocked.md"}
    assert told.lookout.workers
    assert told.lookout.ssh
    assert told.lookout.waiting
    tasks = {item["name"]: item["phase"] for item in told.fleet.json("get", "tasks")["items"]}
    assert tasks == {"script": "Succeeded", "work": "Failed", "asks": "Blocked", "unready": "Failed"}
    assert sum(run["task"] == "work" for run in told.fleet.json("get", "runs")["items"]) == 2


def test_they_were_masked_where_they_would_have_been(told: Story) -> None:
    kept = {path.name for path in told.fleet.state.glob("fleets/*/runs/*/*") if b"***" in path.read_bytes()}
    assert kept >= {"stdout.log", "stderr.log", "events.jsonl", "qa.log", "answer.json", "blocked.md"}
    for what in ("logs -f script --stream=stdout", "logs -f script --stream=stderr", "logs -f work --stream=events"):
        assert "***" in told.shown[what], what
    for what in ("watch", "events -o json", *(f"describe task {name}" for name in TOLD)):
        assert "***" in told.shown[what], what


@pytest.mark.parametrize("form", FORMS)
def test_hosts_gave_them_back(told: Story, form: str) -> None:
    said = told.shown[f"echoing: reconcile --log-level debug -o {form}"]
    for sentence in ("no room for ***", "a field cannot be read: ***", "bash: line 7: *** xxx", "xxx***…"):
        assert sentence in said, sentence
    assert all(how in said for how in ECHOES)
