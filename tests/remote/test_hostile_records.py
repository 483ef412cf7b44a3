"""Workers that spoil the records of their own run, and whose supervisor is then gone: each of these runs still gets its
end, nothing of it is left alive, and whatever else is in the workspace goes on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest
from tests.waiting import until

# What a worker does in its run directory.
SPOILS = {
    "no supervisor to reap with": "rm supervisor.sh",
    "a supervisor of its own": "echo 'exit 0' >supervisor.sh",
    "a record in another one's text": r"ln -sfn $'x\nresult=state=succeeded;rc=0;t=1' phase",
    "a void in another one's text": r"ln -sfn $'x\nstarted=void' phase",
    "settings without end": "rm settings; truncate -s 3G settings",
    "no settings": "rm settings",
    "a pipe for a log": "rm supervisor.log; mkfifo supervisor.log",
    "a folder for a result": "mkdir result",
    "a mark of somebody else": "ln -sfn 'l=00000000;n=1;q=-;m=deadbeefdeadbeef' owner",
    "no owner": "rm owner",
    "no lock": "rm lock",
    "a folder for a lock": "rm lock; mkdir lock",
    "a pipe for a lock": "rm lock; mkfifo lock",
    "a link for a lock": "rm lock; ln -s /dev/null lock",
    "nothing at all": "rm -rf ./* 2>/dev/null || true",
    "a name of many lines": "mkdir -p work; touch -- $'work/new\\nline' $'work/\\e[2Jescape' $'work/\\377'",
}


def started(place: Path) -> int:
    """The supervisor that runs there."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[-3:-1] == [b"supervise", bytes(place)]:
            parent = int(Path(file.parent, "stat").read_text().rpartition(") ")[2].split()[1])
            if not Path(f"/proc/{parent}/cmdline").read_bytes().endswith(words[-2] + b"\0"):  # no child of it
                return int(file.parent.name)
    return 0


@pytest.mark.parametrize("operation, state", [("settle", "lost"), ("cancel", "canceled")])
def test_they_end_without_a_supervisor(host: HostUnderTest, operation: str, state: str):
    runs = {name: f"h{index:02d}-00000000-1" for index, name in enumerate(SPOILS)}
    ready = host.root.parent / "ready"
    ready.mkdir()
    launches = []
    for name, run in runs.items():
        worker = f'cd "$RECONCILER_RUN_DIR"\n{SPOILS[name]}\ntouch "{ready}/{run}"\nsleep 300\n'
        launches += host.launch_fields(run, worker)
    assert set(host.call("act", launches).words()) == {"accepted"}
    pids = {run: until(lambda run=run: started(host.directory(run))) for run in runs.values()}
    until(lambda: len(list(ready.iterdir())) == len(runs), 30)
    with subprocess.Popen(
        ["sleep", "60"], env={**os.environ, "RECONCILER_RUN_DIR": f"{host.root}/_/runs/h"}
    ) as stranger:
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while [name for name, run in runs.items() if not (host.directory(run) / "result").is_symlink()]:
            fields = [field for run in runs.values() for field in ((operation, host.path(run)), ("why", "spoilt"))]
            assert host.call("act", fields).code == 0
            assert time.monotonic() < end, {
                name: host.observe().live().get(host.path(run)) for name, run in runs.items()
            }
        assert {name: host.result(run)["state"] for name, run in runs.items()} == dict.fromkeys(runs, state)
        assert {name: host.marked(run) for name, run in runs.items()} == {name: [] for name in runs}
        fields = [("cleanup", host.path(run)) for run in runs.values()]
        assert set(host.call("act", fields).words()) == {"removed"}
        assert host.observe().live() == {}
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize(
    "spoil", ["rm -rf $RECONCILER_RUN_DIR", "rm -rf $RECONCILER_RUN_DIR/*", "mv $RECONCILER_RUN_DIR ~/"]
)
def test_a_run_that_has_lost_its_records_is_ended_by_its_supervisor(host: HostUnderTest, spoil: str):
    """Nobody else will ever ask for it: to a controller it has vanished, and its task may be started again."""
    host.env = {**host.env, "HOME": str(host.root.parent)}
    run, gone = "gone-00000000-1", host.root.parent / "gone"
    host.launch(run, f'cd /\n{spoil}\ntouch "{gone}"\nsleep 300')
    until(gone.exists)
    assert host.marked(run)
    until(lambda: not host.marked(run), 20)
    until(lambda: not started(host.directory(run)))


def test_what_has_lost_its_records_was_started_all_the_same(host: HostUnderTest):
    run, gone = "gone-00000000-1", host.root.parent / "gone"
    host.launch(run, f'cd /\nrm -rf "$RECONCILER_RUN_DIR"/*\ntouch "{gone}"\nsleep 300')
    until(gone.exists)
    assert host.operate("settle", run).split()[0] == "settling"
    assert host.result(run)["state"] in ("lost", "failed")  # its supervisor sees the worker end, too
    assert host.marked(run) == []


def test_a_cancel_that_its_supervisor_was_not_told_of(host: HostUnderTest):
    """As where the caller dies right after the record: the supervisor looks for itself."""
    run = "told-00000000-1"
    host.launch(run, "sleep 300")
    until(lambda: host.record(run, "phase") == "work")
    (host.directory(run) / "cancel").symlink_to("why=closed")
    assert host.result(run)["state"] == "canceled"


def test_a_bell_that_is_a_pipe_holds_nobody_up(host: HostUnderTest):
    run = "bell-00000000-1"
    assert host.run(run, 'cd "$RECONCILER_RUN_DIR/../.."; rm bell; mkfifo bell')["state"] == "succeeded"
    until(lambda: not started(host.directory(run)))
    assert host.take().code == 0
    assert (host.root / "_/bell").is_file()


def test_a_record_that_names_a_stranger_does_not_end_it(host: HostUnderTest):
    run = "name-00000000-1"
    with subprocess.Popen(["sleep", "60"]) as stranger:
        start = Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", "")[:12]
        record = f"p={stranger.pid};s={start};b={boot}"
        host.launch(run, f'ln -sfn "{record}" "$RECONCILER_RUN_DIR/started"\nsleep 300')
        until(lambda: host.record(run, "started") == record)
        assert host.operate("cancel", run, why="over").startswith("canceling ")
        assert host.result(run)["state"] == "canceled"
        assert stranger.poll() is None
        stranger.kill()


def test_a_question_without_end(host: HostUnderTest):
    """Of a question only its begin is kept, or compared with what was there before."""
    run = "asks-00000000-1"
    worker = (
        'truncate -s 500G BLOCKED.md; ln -sfn 0123456789012345678901234567890123456789 "$RECONCILER_RUN_DIR/question"'
    )
    began = time.monotonic()
    assert host.run(run, worker)["state"] == "blocked"
    assert time.monotonic() - began < 15
    assert (host.directory(run) / "blocked.md").stat().st_size == 65536
