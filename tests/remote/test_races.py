"""Launches of one run that race, callers and supervisors that are killed in between, settles at any moment: never twice.

`make races N=3600` makes many of them; RECONCILER_RACES_SEED repeats one.
"""

import contextlib
import os
import random
import secrets
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.remote.harness import BASH, HostUnderTest

COUNT = int(os.environ.get("RECONCILER_RACES", "60"))
SEED = int(os.environ.get("RECONCILER_RACES_SEED", "4"))
RACERS = 3


def race(host: HostUnderTest, run: str, counts: Path, chance: random.Random) -> None:
    """Several launches of a run at once, of two controllers, most of them killed within 30 ms; then kills and settles."""
    worker = f'echo x >>"{counts}/{run}"\nsleep 0.0{chance.randrange(9)}\n'
    fields = host.launch_fields(run, worker)
    started = []
    for _ in range(RACERS):
        rival = replace(host, number=host.number + 1, ledger="ffffffff") if chance.random() < 0.2 else host
        process = subprocess.Popen(
            BASH, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        started.append((process, rival.stdin("act", fields, secrets.token_hex(8))))
    for process, text in started:
        assert process.stdin
        try:
            process.stdin.write(text)
            process.stdin.close()
        except BrokenPipeError:
            pass
        if chance.random() < 0.5:
            time.sleep(chance.random() * 0.03)
            os.killpg(process.pid, signal.SIGKILL) if chance.random() < 0.5 else process.kill()
    if chance.random() < 0.1:  # another controller takes over: what is on its way under the old lease comes too late
        host.number, host.ledger = host.number + 1, f"{chance.randrange(1 << 32):08x}"
        host.take()
    if chance.random() < 0.3:
        time.sleep(chance.random() * 0.05)
        host.call("act", [(chance.choice(["settle", "cancel"]), host.path(run)), ("why", "raced")])
    if chance.random() < 0.4:
        time.sleep(chance.random() * 0.1)
        words = host.record(run, "started").split(";")[0]
        if words.startswith("p="):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(words[2:]), signal.SIGKILL)
    for process, _ in started:
        process.wait(30)


@pytest.mark.timeout(60 + COUNT * 3)
def test_no_race_makes_a_run_twice(host: HostUnderTest, tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    counts.mkdir()
    runs = [f"r{index:04d}-0000000a-1" for index in range(COUNT)]
    for run in runs:
        host.marks[run] = secrets.token_hex(8)
    with ThreadPoolExecutor(3) as pool:
        list(
            pool.map(lambda pair: race(host, pair[1], counts, random.Random(SEED * 100_000 + pair[0])), enumerate(runs))
        )
    end = time.monotonic() + 60
    while live := host.observe().live():
        assert time.monotonic() < end, live
        free = [("settle", path) for path, (lock, _) in live.items() if lock == "free"]
        assert not free or host.call("act", free).code == 0
        time.sleep(0.1)
    executed = {run: len((counts / run).read_text().split()) if (counts / run).exists() else 0 for run in runs}
    ends = {run: host.record(run, "result") or host.record(run, "started") for run in runs}
    twice = [run for run in runs if executed[run] > 1]
    unfounded = [run for run in runs if ends[run].startswith("state=succeeded") and executed[run] != 1]
    after_void = [run for run in runs if ends[run] in ("void", "") and executed[run]]
    kinds: dict[str, int] = {}
    for end_ in ends.values():
        kind = end_.partition(";")[0].removeprefix("state=") or "absent"
        kinds[kind] = kinds.get(kind, 0) + 1
    print(f"\nraces={COUNT} launches={COUNT * RACERS} seed={SEED} executed={sum(executed.values())} "
          f"double={len(twice)} unfounded={len(unfounded)} after_void={len(after_void)} {kinds}")  # fmt: skip
    assert (twice, unfounded, after_void) == ([], [], [])
    assert len(kinds) > 1, kinds  # else it was no race
    assert [run for run in runs if host.marked(run)] == []
