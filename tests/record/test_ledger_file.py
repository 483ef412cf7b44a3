"""The file itself: made private, read without a trace, refused with one sentence when it is no good."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.record.ledger import Ledger, LedgerError
from reconciler.record.outcome import Told
from tests.record.builders import host, intent, name, running, seen


def test_it_is_made_private_and_keeps_its_id(file: Path) -> None:
    with Ledger.open(file) as ledger:
        first = ledger.id
    assert len(first) == 8
    assert int(first, 16) >= 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    with Ledger.open(file) as ledger:
        assert ledger.id == first


@pytest.mark.parametrize("readonly", [False, True])
def test_an_old_copy_that_is_put_back_is_a_ledger_of_its_own(file: Path, readonly: bool) -> None:
    """What was started since is not in it, so it must not pass for the one that holds the hosts."""
    with Ledger.open(file) as ledger:
        first = ledger.id
        ledger.number_to_take(1, True)
        ledger.whole()
    copy = file.parent.with_name("copy")
    shutil.copytree(file.parent, copy)
    shutil.rmtree(file.parent)  # its number is free, and may well be the next one's
    shutil.copytree(copy, file.parent)
    with Ledger.open(file, readonly=readonly) as ledger:
        assert ledger.id != first
        memory = ledger.memory()
        assert (memory.number, memory.epoch, memory.whole) == (0, 0, False)
    if not readonly:
        with Ledger.open(file) as again:
            assert again.id == memory.ledger


def test_two_ledgers_are_told_apart(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "a.db") as one, Ledger.open(tmp_path / "b.db") as other:
        assert one.id != other.id


def test_reading_an_absent_file_makes_nothing(file: Path) -> None:
    with Ledger.open(file, readonly=True) as ledger:
        memory = ledger.memory()
        assert (memory.number, dict(memory.runs), ledger.events(), ledger.task_rows()) == (0, {}, (), ())
        ledger.observe(host(), seen(running(name())), 12.0)
        assert len(ledger.memory().runs) == 1
    assert not file.parent.exists()


def test_what_a_reader_writes_stays_with_it(file: Path) -> None:
    with Ledger.open(file) as ledger:
        ledger.number_to_take(1, True)
    before = file.read_bytes()
    with Ledger.open(file, readonly=True) as reader:
        reader.number_to_take(7, True)
        reader.observe(host(), seen(running(name())), 12.0)
        assert reader.memory().number == 7
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_reader_takes_in_what_was_written_when_it_asks(file: Path) -> None:
    with Ledger.open(file, readonly=True) as early, Ledger.open(file) as writer:
        assert early.renew()  # the file is there now
        assert early.id == writer.id
        with Ledger.open(file, readonly=True) as reader:
            writer.number_to_take(4, True)
            assert reader.memory().number == 0
            assert reader.renew()
            assert reader.memory().number == 4
            assert not reader.renew()


def test_a_reader_works_in_a_folder_that_it_may_not_write() -> None:
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        with Ledger.open(file) as ledger:
            ledger.number_to_take(3, True)
        Path(folder).chmod(0o755)
        file.chmod(0o644)
        program = f"""
import os
from pathlib import Path
from reconciler.record.ledger import Ledger
os.setuid(65534)
with Ledger.open(Path({str(file)!r}), readonly=True) as ledger:
    print(ledger.memory().number)
"""
        shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (shown.stdout.strip(), shown.stderr) == ("3", "")
        assert list(Path(folder).iterdir()) == [file]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"this is not a database, it is a letter" * 200,
        lambda data: data[:4096] + b"\xff" * (len(data) - 4096),
        lambda data: data[: len(data) // 2],
        lambda data: b"\0" * len(data),
    ],
    ids=["something else", "pages overwritten", "cut in half", "zeroes"],
)
@pytest.mark.parametrize("readonly", [False, True], ids=["writing", "reading"])
def test_a_damaged_file_is_named_with_what_to_do(file: Path, damage: object, readonly: bool) -> None:
    with Ledger.open(file) as ledger:
        ledger.intend([intent(name(f"t{number}"), host()) for number in range(200)], 9.0)
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(LedgerError) as told, Ledger.open(file, readonly=readonly) as ledger:
        ledger.memory()
    assert str(file) in str(told.value)
    assert "move it away" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_row_that_makes_no_sense_is_damage(file: Path) -> None:
    with Ledger.open(file) as ledger:
        ledger.intend([intent(name(), host())], 9.0)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE runs SET state = 'Dancing'")
    connection.close()
    with Ledger.open(file) as ledger, pytest.raises(LedgerError, match="damaged"):
        ledger.memory()


def test_a_newer_file_is_refused_and_left_alone(file: Path) -> None:
    Ledger.open(file).close()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for readonly in (False, True):
        with pytest.raises(LedgerError, match=r"newer reconciler.*update reconciler"):
            Ledger.open(file, readonly=readonly)


def test_a_folder_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerError, match="cannot"):
        Ledger.open(tmp_path / "ledger.db")
    (tmp_path / "flat").write_text("")
    with pytest.raises(LedgerError, match="cannot"):
        Ledger.open(tmp_path / "flat" / "ledger.db")


def test_a_full_disk_undoes_the_whole_step(file: Path) -> None:
    """A limit on the size of files stands for the full disk: the write fails in the middle of a transaction."""
    program = f"""
import resource, signal
from pathlib import Path
from reconciler.record.ledger import Ledger, LedgerError
from tests.record.builders import host, intent, name
ledger = Ledger.open(Path({str(file)!r}))
ledger.intend([intent(name("before"), host())], 1.0)
before = ledger.memory()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    ledger.intend([intent(name(f"t{{number}}"), host()) for number in range(5000)], 2.0)
    print("written")
except LedgerError as problem:
    print(problem)
print(ledger.memory() == before)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.intend([intent(name("after"), host())], 3.0)
ledger.close()
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    told, same = shown.stdout.splitlines()
    assert str(file) in told
    assert "disk" in told
    assert same == "True"
    with Ledger.open(file) as ledger:
        assert sorted(run.name.task for run in ledger.memory().runs.values()) == ["after", "before"]


def test_an_intent_survives_kill_9(file: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from reconciler.record.ledger import Ledger
from tests.record.builders import host, intent, name
ledger = Ledger.open(Path({str(file)!r}))
ledger.number_to_take(5, True)
ledger.intend([intent(name("a"), host(), 5), intent(name("b"), host(), 5)], 1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    for readonly in (True, False):
        with Ledger.open(file, readonly=readonly) as ledger:
            memory = ledger.memory()
        assert sorted(memory.runs) == ["a-1a2b3c4d-1", "b-1a2b3c4d-1"]
        assert (memory.number, memory.epoch) == (5, 5)


def test_what_no_host_could_tell_again_outlives_a_loss_of_power(ledger: Ledger) -> None:
    """Nothing here can cut the power: that SQLite is asked to sync each of these, and only these, is what is seen."""
    asked: list[str] = []

    def durable(step: Callable[[], object]) -> bool:
        asked.clear()
        step()
        return "PRAGMA synchronous = FULL" in asked

    with ledger._database.reading() as connection:
        connection.set_trace_callback(asked.append)
    run = str(name())
    assert durable(lambda: ledger.number_to_take(1, True))
    assert durable(lambda: ledger.intend([intent(name(), host())], 1.0))
    assert not durable(lambda: ledger.accepted(run, 2.0))
    assert not durable(lambda: ledger.observe(host(), seen(running(name())), 3.0))
    assert durable(lambda: ledger.collected(run, 4.0, Told("done")))
    assert durable(lambda: ledger.revision_acted("c" * 40, 5.0))


def test_killed_in_the_middle_all_or_nothing(file: Path) -> None:
    """The writer is killed at random moments; every batch of five is there as a whole or not at all."""
    program = f"""
from pathlib import Path
from reconciler.record.ledger import Ledger
from tests.record.builders import host, intent, name
ledger = Ledger.open(Path({str(file)!r}))
done = len(ledger.memory().runs) // 5
while True:
    ledger.intend([intent(name(f"t{{done}}", attempt), host()) for attempt in range(1, 6)], 1.0)
    done += 1
    print(done, flush=True)
"""
    for round_ in range(6):
        writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        confirmed = 0
        for _ in range(3 + round_ * 5):
            confirmed = int(writer.stdout.readline())
        writer.kill()
        writer.wait()
        writer.stdout.close()
        with Ledger.open(file) as ledger:
            runs = ledger.memory().runs
        batches = {run.name.task for run in runs.values()}
        assert len(runs) == 5 * len(batches)
        assert len(batches) >= confirmed


def test_readers_see_whole_steps_while_a_process_writes(file: Path) -> None:
    Ledger.open(file).close()
    program = f"""
from pathlib import Path
from reconciler.record.ledger import Ledger
from tests.record.builders import host, intent, name
with Ledger.open(Path({str(file)!r})) as ledger:
    for number in range(300):
        ledger.intend([intent(name(f"t{{number}}", attempt), host()) for attempt in (1, 2)], 1.0)
"""
    writer = subprocess.Popen([sys.executable, "-c", program])
    sizes = []
    with Ledger.open(file, readonly=True) as reader:
        while writer.poll() is None:
            reader.renew()
            sizes.append(len(reader.memory().runs))
        reader.renew()
        assert len(reader.memory().runs) == 600
    assert writer.returncode == 0
    assert sizes == sorted(sizes)
    assert all(size % 2 == 0 for size in sizes)


def test_threads_share_one_ledger(ledger: Ledger) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for attempt in range(1, 21):
                run = name(f"t{number}", attempt)
                ledger.intend([intent(run, host(f"h{number}", f"10.0.0.{number}"))], 1.0)
                ledger.accepted(str(run), 2.0)
                assert ledger.memory().runs[str(run)].accepted
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(ledger.memory().runs) == 120


def test_what_another_process_wrote_is_taken_in(file: Path, ledger: Ledger) -> None:
    assert ledger.memory().number == 0
    with Ledger.open(file) as other:
        other.number_to_take(2, True)
    assert ledger.memory().number == 2


def test_a_transaction_that_never_ends_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.record.database.PATIENCE", 0.1)
    with Ledger.open(file) as ledger:
        blocker = sqlite3.connect(file, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="in use by another process"):
            ledger.number_to_take(1, True)
        blocker.execute("ROLLBACK")
        blocker.close()
        ledger.number_to_take(1, True)


def test_descriptors_do_not_pile_up(file: Path) -> None:
    Ledger.open(file).close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        with Ledger.open(file, readonly=True) as reader:
            reader.memory()
        with Ledger.open(file) as writer:
            writer.memory()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_sqlite_has_locked_stays_locked(tmp_path: Path) -> None:
    """Who opens and closes the file beside SQLite drops its locks, and the next process to close writes into our pages."""
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    with Ledger.open(path) as ledger:
        ledger.memory()
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        assert any(str(os.getpid()) in lock and lock[5].endswith(f":{path.stat().st_ino}") for lock in locks)
