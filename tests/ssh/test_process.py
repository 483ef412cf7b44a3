"""Other programs: bounded in time and size, nothing left over, nothing logged."""

import gc
import logging
import resource
import threading
import time
from pathlib import Path

import pytest

from reconciler.remote.process import run
from reconciler.remote.scarcity import CannotStart
from reconciler.remote.stream import Stream


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_code_output_and_errors_are_told_apart() -> None:
    ended = run(["bash", "-c", "cat; echo bad >&2; exit 7"], b"\0\xff", deadline=10)
    assert (ended.code, ended.output, ended.errors, ended.expired) == (7, b"\0\xff", "bad\n", False)


def test_the_whole_group_goes_at_the_deadline(tmp_path: Path) -> None:
    before = time.monotonic()
    ended = run(["bash", "-c", f"bash -c 'echo $$ >{tmp_path}/child; sleep 60; :' & wait"], deadline=0.5)
    assert ended.expired
    assert time.monotonic() - before < 2
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or "State:\tZ" in Path(f"/proc/{child}/status").read_text():
            return
        time.sleep(0.02)
    pytest.fail("a child of the program is alive")


def test_a_flood_is_stopped_and_not_read() -> None:
    ended = run(["cat", "/dev/zero"], deadline=30, cap=1 << 20)
    assert (ended.cut, ended.expired, ended.output) == (True, False, b"")


def test_nothing_of_a_call_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    run(["bash", "-c", "echo canary; exit 3", "canary"], b"canary", deadline=10)
    assert "canary" not in caplog.text + "".join(capfd.readouterr())


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(CannotStart, match="no-such-program is not installed"):
        run(["no-such-program"], deadline=1)


def test_without_descriptors_nothing_starts_and_nothing_leaks() -> None:
    run(["true"], deadline=5)
    before = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 8, hard))
    try:
        with pytest.raises(CannotStart, match="too many files are open"):
            run(["true"], deadline=5)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (descriptors(), gc.isenabled()) == (before, True)
    assert run(["true"], deadline=5).code == 0


def test_nothing_is_left_of_a_hundred_calls() -> None:
    run(["true"], deadline=5)
    time.sleep(0.1)  # its thread ends right after it
    before = (descriptors(), threading.active_count())
    for number in range(100):
        run(["bash", "-c", "cat" if number % 2 else "cat; exit 1"], b"x" * 1000, deadline=5, piped=bool(number % 3))
    time.sleep(0.1)
    assert (descriptors(), threading.active_count()) == before


def test_a_stream_is_read_as_it_comes_and_ends_with_its_input() -> None:
    before = descriptors()
    stream = Stream(["bash", "-c", "read -r x; echo $x; cat; echo end >&2"], b"hello\n")
    assert stream.read(5) == b"hello\n"
    assert stream.read(0.1) is None
    ended = stream.close(grace=5)
    assert (ended.code, ended.errors, ended.expired) == (0, "end\n", False)
    assert descriptors() == before


def test_a_stream_that_does_not_end_is_killed() -> None:
    stream = Stream(["sleep", "60"], b"")
    ended = stream.close(grace=0.1)
    assert (ended.code, ended.expired) == (-9, True)


def test_a_program_that_only_complains_is_stopped_before_it_fills_the_disk() -> None:
    ended = run(["bash", "-c", "yes complaint >&2"], deadline=60)
    assert ended.cut
    assert len(ended.errors) <= 64 << 10
