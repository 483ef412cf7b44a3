"""What the worker gets, and what becomes of what it says."""

import os
import resource
import time
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest, encode
from tests.waiting import until

RUN = "build-0123abcd-1"
NASTY = "a'b\"c\n$(touch /tmp/pwned) `id` \\ * ; & | ü€\n\n"


@pytest.mark.parametrize(
    "worker, expected",
    [
        ("true", {"state": "succeeded", "rc": "0"}),
        ("exit 7", {"state": "failed", "rc": "7", "r": "ExitCode"}),
        ("false; echo not reached", {"state": "failed", "rc": "1", "r": "ExitCode"}),
        ("false | true; echo not reached", {"state": "failed", "rc": "1", "r": "ExitCode"}),
        ("exit 255", {"state": "failed", "rc": "255", "r": "ExitCode"}),
        ("kill -KILL $$", {"state": "failed", "rc": "137", "r": "Signal"}),
        ("kill -SEGV $$", {"state": "failed", "rc": "139", "r": "Signal"}),
        ("echo what now >BLOCKED.md", {"state": "blocked", "rc": "0"}),
        ("echo what now >BLOCKED.md; exit 3", {"state": "blocked", "rc": "3"}),
        ("ln -s /etc/passwd BLOCKED.md", {"state": "succeeded", "rc": "0"}),
        ("mkfifo BLOCKED.md; mkfifo $RECONCILER_RESULT_FILE", {"state": "succeeded", "rc": "0"}),
        ("#!/usr/bin/env python3\nimport sys; sys.exit(4)", {"state": "failed", "rc": "4", "r": "ExitCode"}),
        ("#!/bin/sh -e\nfalse\nexit 9", {"state": "failed", "rc": "1", "r": "ExitCode"}),
        ("#! /bin/cat\nhello", {"state": "succeeded", "rc": "0"}),
        ("#!/nowhere/python\n", {"state": "failed", "r": "PrepareFailed"}),
        ("#!/usr/bin/env no-such-tool\n", {"state": "failed", "r": "PrepareFailed"}),
        ("", {"state": "succeeded", "rc": "0"}),
    ],
)
def test_results(host: HostUnderTest, worker: str, expected: dict[str, str]):
    result = host.run(RUN, worker)
    assert abs(int(result.pop("t")) - time.time()) < 60
    assert result == expected
    assert "not reached" not in host.log(RUN)
    assert host.observe()["live"] == ""


@pytest.mark.parametrize("worker, last", [("exit 1", "1"), ("true", "1"), ("touch BLOCKED.md", "1")])
def test_the_last_attempt_says_so(host: HostUnderTest, worker: str, last: str):
    assert host.run(RUN, worker, settings={"last": "1"})["last"] == last


def test_what_the_worker_finds(host: HostUnderTest):
    host.run(RUN, "env -0; pwd >&2; umask >&2; cat; readlink /proc/self/fd/0 >&2; ls /proc/$$/fd >&2")
    values = dict(entry.split("=", 1) for entry in host.log(RUN).split("\0") if entry)
    run = str(host.directory(RUN))
    expected = {
        "CI": "true",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "RECONCILER_FLEET": "demo",
        "RECONCILER_TASK": "build",
        "RECONCILER_RUN": RUN,
        "RECONCILER_WORKTREE": f"{run}/work",
        "RECONCILER_RUN_DIR": run,
        "RECONCILER_RESULT_FILE": f"{run}/result.json",
        "RECONCILER_CACHE_DIR": str(host.root / "_/cache"),
        "RECONCILER_MARK": f"{RUN};{host.marks[RUN]}",
    }
    assert {key: values.get(key) for key in expected} == expected
    assert "RECONCILER_SCAN" not in values
    assert (host.root / "_/cache").is_dir()
    where, umask, stdin, *descriptors = host.log(RUN, "stderr").splitlines()
    assert (where, stdin) == (f"{run}/work", "/dev/null")
    assert descriptors in (["0", "1", "2", "255"], ["0", "1", "2"])
    assert int(umask, 8) == os.umask(os.umask(0o22))


def test_signals_are_as_after_a_login(host: HostUnderTest):
    host.run(RUN, "grep -E 'Sig(Ign|Blk)' /proc/self/status")
    lines = dict(line.split(":\t") for line in host.log(RUN).splitlines())
    assert {int(value, 16) & 0b111_0000_0000_0111 for value in lines.values()} == {0}


@pytest.mark.parametrize("locale", [None, "C.UTF-8", "C"])
def test_the_login_s_locale_comes_back(host: HostUnderTest, locale: str | None):
    host.env = {key: value for key, value in host.env.items() if key != "LC_ALL"}
    if locale:
        host.env["LC_ALL"] = locale
    host.run(RUN, 'echo "${LC_ALL-unset}"')
    assert host.log(RUN).strip() == (locale or "unset")


def test_the_environment_arrives_byte_for_byte(host: HostUnderTest):
    environment = {
        "NASTY": NASTY,
        "EMPTY": "",
        "LC_ALL": "C.UTF-8",
        "CI": "no",
        "IFS": "x",
        "RECONCILER_MARK": "forged",
    }
    host.run(RUN, 'printf %s "$NASTY"; env >&2', environment=environment)
    assert (host.directory(RUN) / "stdout.log").read_text() == NASTY
    assert not Path("/tmp/pwned").exists()
    lines = host.log(RUN, "stderr").splitlines()
    assert {"EMPTY=", "CI=no", "LC_ALL=C.UTF-8", f"RECONCILER_MARK={RUN};{host.marks[RUN]}"} <= set(lines)


def test_an_environment_of_odd_names_does_no_harm(host: HostUnderTest):
    environment = {"UID": "5", "SHELLOPTS": "xtrace", "PPID": "1", "BASHOPTS": "x", "FUNCNAME": "x", "OK": "yes"}
    assert host.run(RUN, 'echo "$OK"', environment=environment)["state"] == "succeeded"
    assert host.log(RUN) == "yes\n"


def test_secrets_win_over_the_environment_and_leave_no_trace(host: HostUnderTest):
    canary = "canary-8b1f\n'$(x)"
    worker = """
    printf %s "$TOKEN"; [[ $PLAIN == env ]]
    grep -rlF canary-8b""1f "$RECONCILER_RUN_DIR" /dev/shm ${XDG_RUNTIME_DIR:-} >&2 || true
    grep -salF canary-8b""1f /proc/[0-9]*/cmdline >&2 || true
    """
    secrets = {"TOKEN": canary}
    result = host.run(RUN, worker, environment={"TOKEN": "wrong", "PLAIN": "env"}, secrets=secrets)
    assert result["state"] == "succeeded"
    assert host.log(RUN) == canary
    leaks = [line for line in host.log(RUN, "stderr").splitlines() if not line.endswith(("/stdout.log",))]
    assert leaks == []
    assert not [path for path in Path("/dev/shm").glob("reconciler-*") if host.marks[RUN] in path.name]


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm here")
def test_secrets_wait_in_memory_for_this_login_alone(host: HostUnderTest):
    host.env = {key: value for key, value in host.env.items() if key != "XDG_RUNTIME_DIR"}
    host.prelude = "sleep 30"
    # The file is removed before the prelude runs, so a supervisor that never starts is what shows it.
    fields = host.launch_fields(RUN, "true", secrets={"TOKEN": "x"})
    host.call("act", fields)
    file = Path("/dev/shm") / f"reconciler-{host.marks[RUN]}.secrets"
    until(lambda: host.record(RUN, "started"))
    until(lambda: not file.exists())
    host.operate("cancel", RUN, why="over")
    assert host.result(RUN)["state"] == "canceled"


def test_a_void_run_leaves_no_secrets(host: HostUnderTest):
    fields = [*host.launch_fields(RUN, "true", secrets={"TOKEN": "x"}), ("file.unknown", "x")]
    assert host.call("act", fields).words() == ["failed"]
    assert not [path for path in Path("/dev/shm").glob("reconciler-*") if host.marks[RUN] in path.name]
    assert not list(host.directory(RUN).glob("*.secrets"))


@pytest.mark.parametrize(
    "prelude, reason",
    [
        ("false", "the shell prelude ended with exit code 1"),
        ("echo why not; exit 3", "the shell prelude ended the shell with exit code 3"),
        ("kill -KILL $$", "the shell prelude ended the shell with exit code 137"),
        ("PATH=/nowhere", "bash is not on the PATH that the worker gets"),
        ("if", "the shell prelude ended with exit code"),
    ],
)
def test_a_prelude_that_fails(host: HostUnderTest, prelude: str, reason: str):
    host.prelude = prelude
    result = host.run(RUN, "echo started")
    assert (result["state"], result["r"]) == ("failed", "PrepareFailed")
    assert "rc" not in result
    log = (host.directory(RUN) / "supervisor.log").read_text()
    assert log.splitlines()[-1].startswith(f"PrepareFailed: {reason}")
    assert ("why not" in log) == ("why not" in prelude)
    assert host.log(RUN) == ""


def test_a_prelude_shapes_the_worker_s_shell(host: HostUnderTest, tmp_path: Path):
    (tmp_path / "tool").write_text("#!/bin/sh\necho found\n")
    (tmp_path / "tool").chmod(0o755)
    host.prelude = (
        f"echo noise; PATH={tmp_path}:$PATH; export MORE=1; declare -x TOO=2; IFS=/; set -- a b\nidentify() {{ :; }}"
    )
    assert host.run(RUN, "tool; echo $MORE$TOO")["state"] == "succeeded"
    assert host.log(RUN) == "found\n12\n"


def test_what_the_prelude_leaves_running_is_ended(host: HostUnderTest):
    host.prelude = "sleep 300 & (while :; do sleep 1; done) & true"
    assert host.run(RUN, "echo hi")["state"] == "succeeded"
    assert host.marked(RUN) == []


def test_an_environment_too_large_to_start_with_fails_the_preparation(host: HostUnderTest):
    result = host.run(RUN, "true", environment={"BIG": "x" * 200_000})
    assert (result["state"], result["r"]) == ("failed", "PrepareFailed")


def test_the_result_file_is_kept(host: HostUnderTest):
    host.run(RUN, """printf '{"status": "failed"}' >"$RECONCILER_RESULT_FILE" """)
    assert (host.directory(RUN) / "answer.json").read_text() == '{"status": "failed"}'
    assert host.record(RUN, "result").startswith("state=succeeded;rc=0;")


def test_a_result_file_is_capped(host: HostUnderTest):
    host.run(RUN, 'head -c 3000000 /dev/zero >"$RECONCILER_RESULT_FILE"; head -c 100000 /dev/zero >BLOCKED.md')
    assert (host.directory(RUN) / "answer.json").stat().st_size == 1 << 20
    assert (host.directory(RUN) / "blocked.md").stat().st_size == 64 << 10


def test_logs_are_capped_and_say_so(host: HostUnderTest):
    worker = "head -c 300000 /dev/zero | tr '\\0' x; echo end >&2; exit 5"
    result = host.run(RUN, worker, settings={"log_limit": "64"})
    assert result["rc"] == "5"
    log = host.log(RUN)
    text, _, last = log.rstrip("\n").rpartition("\n")
    assert text == "x" * 65536
    assert last.startswith("[reconciler: the log ends here at its limit of 64 KiB; over ")
    assert host.log(RUN, "stderr") == "end\n"


def test_output_is_there_while_the_worker_runs(host: HostUnderTest):
    host.launch(RUN, "echo first; sleep 30")
    until(lambda: host.log(RUN) == "first\n")
    host.operate("cancel", RUN, why="seen")
    host.result(RUN)


@pytest.mark.parametrize("worker", ["sleep 60", "trap '' TERM; while :; do echo x; sleep 0.1; done"])
def test_timeout(host: HostUnderTest, worker: str):
    began = time.monotonic()
    result = host.run(RUN, worker, settings={"timeout": "1"})
    assert (result["state"], result["r"]) == ("failed", "Timeout")
    assert "rc" not in result
    assert 1 <= time.monotonic() - began < 6
    assert host.marked(RUN) == []


def test_preparing_has_a_time_of_its_own(host: HostUnderTest):
    host.prelude = "sleep 60"
    result = host.run(RUN, "true", settings={"prepare_timeout": "1", "timeout": "1000"})
    assert (result["state"], result["r"]) == ("failed", "PrepareFailed")
    log = (host.directory(RUN) / "supervisor.log").read_text()
    assert "preparing took longer than 1 seconds" in log.splitlines()[-1]


@pytest.mark.parametrize(
    "worker, reason",
    [
        ("sleep 60", "IdleTimeout"),
        ("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.3; done", ""),
        ("end=$((SECONDS + 3)); while ((SECONDS < end)); do :; done", ""),
    ],
)
def test_idle_timeout(host: HostUnderTest, worker: str, reason: str):
    """Idle is: no output, and hardly any processor time."""
    assert host.run(RUN, worker, settings={"idle_timeout": "1"}).get("r", "") == reason


def test_a_run_that_does_nothing_is_cheap_and_ends_at_once(host: HostUnderTest):
    host.launch(RUN, "true")
    host.result(RUN)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    host.run("next-0123abcd-1", "true")
    assert time.monotonic() - began < 2
    assert before.ru_utime < 1000


def test_the_run_directory_is_small_afterwards(host: HostUnderTest):
    host.run(RUN, "true")
    left = {path.name for path in host.directory(RUN).iterdir()}
    records = {"owner", "started", "phase", "result"}
    assert left == records | {
        "lock",
        "run.json",
        "worker.sh",
        "settings",
        "stdout.log",
        "stderr.log",
        "supervisor.log",
        "work",
    }


def test_broken_environments_are_refused(host: HostUnderTest):
    fields = [
        (key, encode([("A", "x")])[:-3] if key == "environment" else value)
        for key, value in host.launch_fields(RUN, "true")
    ]
    fields = [(key, b"bad name 1\nx\n" if key == "environment" else value) for key, value in fields]
    host.call("act", fields)
    assert host.result(RUN)["r"] == "PrepareFailed"
