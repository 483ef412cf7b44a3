"""The checks of a worker's work: what they get, what they decide, and how they end."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest, marked
from tests.waiting import until

RUN = "build-0123abcd-1"


def rows(host: HostUnderTest) -> dict[str, int]:
    """Step -> exit code."""
    table = (host.directory(RUN) / "qa.tsv").read_text()
    parts = [line.split("\t") for line in table.splitlines()]
    assert all(len(part) == 3 and part[2].isdigit() for part in parts), table
    return {name: int(code) for name, code, _ in parts}


def log(host: HostUnderTest) -> str:
    return (host.directory(RUN) / "qa.log").read_text()


@pytest.mark.parametrize(
    "checks, expected, codes",
    [
        ({"test": "true"}, {"state": "succeeded", "rc": "0"}, {"test": 0}),
        ({"lint": "true", "unit tests": "exit 3", "never": "true"}, None, {"lint": 0, "unit tests": 3}),
        ({"pipe": "false | true; echo not reached"}, None, {"pipe": 1}),
        ({"python": "#!/usr/bin/env python3\nimport sys; sys.exit(4)"}, None, {"python": 4}),
        ({"bad": "#!/nowhere/python\n"}, None, {"bad": 126}),
        ({"killed": "kill -KILL $$"}, None, {"killed": 137}),
        ({"a\ttab": "exit 2"}, None, {"a tab": 2}),
    ],
)
def test_the_first_step_that_fails_decides(
    host: HostUnderTest, checks: dict[str, str], expected: dict[str, str] | None, codes: dict[str, int]
):
    result = host.run(RUN, "echo done", checks=checks)
    result.pop("t")
    assert result == (expected or {"state": "failed", "rc": "0", "r": "QAFailed"})
    assert rows(host) == codes
    assert "not reached" not in log(host)
    assert host.record(RUN, "phase") == "qa"


def test_the_last_attempt_says_so(host: HostUnderTest):
    result = host.run(RUN, "true", checks={"test": "false"}, settings={"last": "1"})
    assert (result["r"], result["last"]) == ("QAFailed", "1")
    assert len(host.record(RUN, "result")) <= 59


@pytest.mark.parametrize(
    "worker, expected",
    [
        ("exit 5", {"state": "failed", "rc": "5", "r": "ExitCode"}),
        ("echo what now >BLOCKED.md", {"state": "blocked", "rc": "0"}),
    ],
)
def test_only_work_that_is_said_to_be_done_is_checked(host: HostUnderTest, worker: str, expected: dict[str, str]):
    result = host.run(RUN, worker, checks={"test": "touch checked"})
    result.pop("t")
    assert result == expected
    assert not (host.directory(RUN) / "work/checked").exists()


def test_checks_get_what_the_worker_got(host: HostUnderTest, tmp_path: Path):
    (tmp_path / "tool").write_text("#!/bin/sh\necho found\n")
    (tmp_path / "tool").chmod(0o755)
    host.prelude = f"PATH={tmp_path}:$PATH; export MORE=1"
    said = "tool; pwd; echo $MORE $PLAIN $TOKEN; cat; umask; env | grep -v ^SHLVL | sort; ls /proc/self/fd"
    given: dict[str, Mapping[str, str]] = {
        "environment": {"PLAIN": "env", "TOKEN": "wrong"},
        "secrets": {"TOKEN": "s3cret"},
    }
    host.run(
        RUN, f"({said}) >from-worker; touch artifact", checks={"look": f"test -f artifact; ({said}) >from-qa"}, **given
    )
    assert rows(host) == {"look": 0}
    work = host.directory(RUN) / "work"
    worker, checks = ((work / name).read_text().splitlines() for name in ("from-worker", "from-qa"))
    assert worker == checks
    assert worker[:3] == ["found", str(work), "1 env s3cret"]


def test_the_answer_is_the_worker_s(host: HostUnderTest):
    host.run(
        RUN,
        'echo first >"$RECONCILER_RESULT_FILE"',
        checks={"x": 'echo second >"$RECONCILER_RESULT_FILE"; touch BLOCKED.md'},
    )
    assert (host.directory(RUN) / "answer.json").read_text() == "first\n"
    assert host.result(RUN)["state"] == "succeeded"
    assert not (host.directory(RUN) / "blocked.md").exists()


def test_secrets_are_nowhere_but_in_the_environment(host: HostUnderTest):
    canary = "canary-9c3d\n'$(x)"
    check = """
    printf %s "$TOKEN" | cmp - <(printf %s "$EXPECTED")
    ! grep -rlF canary-9c""3d "$RECONCILER_RUN_DIR" /dev/shm ${XDG_RUNTIME_DIR:-}
    ! grep -salF canary-9c""3d /proc/[0-9]*/cmdline
    """
    worker = "true"
    host.run(RUN, worker, secrets={"TOKEN": canary, "EXPECTED": canary}, checks={"look": check})
    assert rows(host) == {"look": 0}, log(host)
    files = [path for path in host.directory(RUN).rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if b"canary-9c3d" in path.read_bytes()]


def test_no_secret_is_kept_for_work_that_is_not_checked(host: HostUnderTest):
    """Then the supervisor never reads them."""
    host.launch(RUN, "sleep 30", secrets={"TOKEN": "canary-41ef"})
    until(lambda: host.record(RUN, "phase") == "work")
    pid = int(host.record(RUN, "started").split(";")[0][2:])
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            area, mode, *_ = line.split()
            if mode.startswith("rw") and "[v" not in line:
                begin, end = (int(part, 16) for part in area.split("-"))
                memory.seek(begin)
                assert b"canary-41ef" not in memory.read(end - begin)
    host.operate("cancel", RUN, why="over")
    host.result(RUN)


def test_output_is_capped_and_collected(host: HostUnderTest):
    checks = {"noise": "head -c 300000 /dev/zero | tr '\\0' x; echo err >&2"}
    host.run(RUN, "true", checks=checks, settings={"log_limit": "128"})
    assert log(host).splitlines()[-1].startswith("[reconciler: the log ends here at its limit of 128 KiB")
    frames = dict(host.call("collect", [("run", f"_/runs/{RUN}"), ("limit", "9")]).frames)
    assert frames[f"qa/{RUN}"].startswith(b"noise\t0\t")
    assert len(frames[f"qa_log/{RUN}"]) == 65536
    assert frames[f"qa_log/{RUN}"].endswith(b" were not kept]\n")


def test_what_checks_leave_running_is_ended(host: HostUnderTest):
    checks = {"test": "setsid sleep 300 & (trap '' TERM; exec sleep 301) & exit 0"}
    assert host.run(RUN, "true", checks=checks)["state"] == "succeeded"
    assert host.marked(RUN) == []
    assert host.observe()["live"] == ""


def test_what_the_worker_left_running_is_ended_first(host: HostUnderTest):
    worker = "setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & echo $! >left"
    checks = {"test": '[[ -z $(tr -d "\\0" </proc/$(cat left)/cmdline) ]]'}  # a zombie has none
    assert host.run(RUN, worker, checks=checks)["state"] == "succeeded", log(host)


def working_on_checks(host: HostUnderTest, check: str, **settings: str) -> None:
    assert host.launch(RUN, "true", checks={"test": check}, settings=settings) == "accepted"
    until(lambda: host.record(RUN, "phase") == "qa" and (host.directory(RUN) / "work/at-it").exists())


@pytest.mark.parametrize("check", ["sleep 300", "trap '' TERM; setsid sleep 301 & while :; do sleep 0.1; done"])
def test_canceling_the_checks(host: HostUnderTest, check: str):
    working_on_checks(host, f"touch at-it; {check}")
    assert host.observe().live() == {f"_/runs/{RUN}": ("held", "0")}
    assert host.operate("cancel", RUN, why="closed").startswith("canceling ")
    result = host.result(RUN)
    assert (result["state"], result.get("r")) == ("canceled", None)
    assert host.marked(RUN) == []


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
def test_a_cancel_between_worker_and_checks_is_not_lost(host: HostUnderTest, pause: float):
    """The worker leaves something that does not want to go, so that clearing up takes a second."""
    worker = "setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & touch ended"
    host.launch(RUN, worker, checks={"test": "sleep 300"})
    until(lambda: (host.directory(RUN) / "work/ended").exists())
    time.sleep(pause)
    host.operate("cancel", RUN, why="closed")
    assert host.result(RUN)["state"] == "canceled"
    assert host.marked(RUN) == []


def test_checks_have_a_time_of_their_own(host: HostUnderTest):
    began = time.monotonic()
    checks = {"fast": "sleep 2.5", "slow": "sleep 60"}
    result = host.run(RUN, "sleep 2.5", checks=checks, settings={"timeout": "4"})
    assert (result["state"], result["r"]) == ("failed", "QAFailed")
    assert 6.5 <= time.monotonic() - began < 20
    assert log(host).splitlines()[-1] == "[reconciler: the checks took longer than 4 seconds]"
    assert rows(host) == {"fast": 0, "slow": 143}, "it is told which one was at work"
    assert host.marked(RUN) == []


def test_a_time_limit_that_ran_out_while_clearing_up_is_not_that_of_the_checks(host: HostUnderTest):
    worker = "setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep 1.2"
    result = host.run(RUN, worker, checks={"test": "sleep 1.5"}, settings={"timeout": "2"})
    assert result["state"] == "succeeded", log(host)


def test_silent_checks_are_not_idle(host: HostUnderTest):
    assert host.run(RUN, "true", checks={"test": "sleep 3"}, settings={"idle_timeout": "1"})["state"] == "succeeded"


def test_a_supervisor_that_dies_during_the_checks(host: HostUnderTest):
    working_on_checks(host, "touch at-it; sleep 300")
    os.kill(int(host.record(RUN, "started").split(";")[0][2:]), signal.SIGKILL)
    until(lambda: host.observe().live()[f"_/runs/{RUN}"][0] == "free")
    assert host.operate("settle", RUN).startswith("settling ")
    assert host.result(RUN)["state"] == "lost"
    assert host.marked(RUN) == []


def test_a_shutdown_during_the_checks_is_no_cancel(host: HostUnderTest):
    working_on_checks(host, "touch at-it; sleep 300")
    os.kill(int(host.record(RUN, "started").split(";")[0][2:]), signal.SIGTERM)
    result = host.result(RUN)
    assert (result["state"], result["r"]) == ("lost", "SupervisorGone")


def test_a_prelude_that_fails_the_second_time(host: HostUnderTest, tmp_path: Path):
    host.prelude = f"[[ ! -e {tmp_path}/once ]] || exit 3; touch {tmp_path}/once"
    assert host.run(RUN, "true", checks={"test": "true"})["r"] == "QAFailed"
    assert log(host) == "[reconciler: the checks ended with exit code 3]\n"


def test_nothing_of_the_checks_is_left(host: HostUnderTest):
    host.run(RUN, "true", checks={"test": "true"})
    names = {path.name for path in host.directory(RUN).iterdir()}
    assert {"qa.log", "qa.tsv", "qa"} <= names
    assert not names & {"qa.sh", "qa.step", "supervisor.sh", "prelude.sh", "environment"}


def test_a_launch_with_checks_needs_their_script(host: HostUnderTest):
    fields = [("qa_script", ""), *host.launch_fields(RUN, "true", checks={"test": "true"})]
    assert host.call("act", fields).words() == ["failed"]
    assert host.record(RUN, "started") == "void"


# --- auto


def shim(place: Path, name: str, text: str) -> None:
    (place / name).write_text(text)
    (place / name).chmod(0o755)


@pytest.fixture
def tools(host: HostUnderTest, tmp_path: Path) -> Path:
    """Programs that this machine may lack, as far as being started goes: they say that they were, and by which words."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("go", "npm", "composer"):
        shim(place, name, '#!/bin/bash\necho "${0##*/} $*"\n')
    shim(place, "php", "#!/bin/bash\ngrep -q '\"test\"' composer.json\n")
    host.prelude = f"PATH={place}:$PATH"
    return place


@pytest.mark.parametrize(
    "files, steps",
    [
        ({"README": ""}, []),
        ({"go.mod": "module x\n"}, ["go build ./...", "go vet ./...", "go test ./..."]),
        ({"package.json": "{}"}, ["npm install"]),
        ({"package.json": '{"scripts": {"test": "x"}}', "package-lock.json": "{}"}, ["npm ci", "npm test"]),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, ["npm install"]),
        ({"package.json": "not json"}, ["npm install"]),
        ({"composer.json": "{}"}, ["composer install --no-interaction"]),
        ({"composer.json": '{"scripts": {"test": "x"}}'}, ["composer install --no-interaction", "composer test"]),
        ({"pyproject.toml": "", "node_modules/x/test_x.py": "", ".venv/test_y.py": ""}, []),
        ({"test_x.py": "raise SystemExit(1)"}, []),
        (
            {"go.mod": "module x\n", "package.json": "{}"},
            ["go build ./...", "go vet ./...", "go test ./...", "npm install"],
        ),
    ],
)
@pytest.mark.usefixtures("tools")
@pytest.mark.skipif(not shutil.which("node"), reason="no node here")
def test_what_the_files_suggest(host: HostUnderTest, files: dict[str, str], steps: list[str]):
    worker = "".join(f"mkdir -p {Path(name).parent}\ncat >{name} <<'E'\n{text}\nE\n" for name, text in files.items())
    result = host.run(RUN, worker, settings={"qa": "auto"})
    assert result["state"] == "succeeded", log(host)
    if steps:
        assert list(rows(host)) == steps
    else:
        assert log(host) == "nothing here says how it is tested: no checks were made\n"


UNIT = "import unittest\nclass T(unittest.TestCase):\n def test(self): self.assertEqual(1, {})\n"


@pytest.mark.parametrize("value, state, code", [(1, "succeeded", 0), (2, "failed", 1)])
@pytest.mark.parametrize("place", [".", "tests"])
@pytest.mark.parametrize("pytest_there", [True, False])
def test_python(host: HostUnderTest, tmp_path: Path, value: int, state: str, code: int, place: str, pytest_there: bool):
    """With the Python that runs this test, which has pytest, or one that cannot import it."""
    bin = tmp_path / "bin"
    bin.mkdir()
    shim(
        bin,
        "python3",
        f'#!/bin/bash\n{"" if pytest_there else "export PYTHONPATH=" + str(tmp_path / "lib")}\nexec {sys.executable} "$@"\n',
    )
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/pytest.py").write_text("raise ImportError('not here')\n")
    host.prelude = f"PATH={bin}:$PATH"
    worker = f"touch pyproject.toml; mkdir -p {place}; cat >{place}/test_it.py <<'E'\n{UNIT.format(value)}E\n"
    result = host.run(RUN, worker, settings={"qa": "auto"})
    assert result["state"] == state, log(host)
    (step,) = rows(host).items()
    assert step[1] == code
    assert ("pytest" in step[0]) == pytest_there


def test_marks_of_checks_are_found_from_outside(host: HostUnderTest):
    working_on_checks(host, "touch at-it; exec sleep 300")
    assert marked(f"RECONCILER_MARK={RUN};{host.marks[RUN]}".encode())
    host.operate("cancel", RUN, why="over")
    host.result(RUN)
