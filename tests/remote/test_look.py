"""Looking: reports that cannot be confused, portions of logs, the doorbell, checks."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.remote.frames import Reader
from tests.remote.harness import BASH, HostUnderTest
from tests.waiting import until

RUN = "build-0123abcd-1"


def test_hostile_contents_do_not_confuse_the_records(host: HostUnderTest):
    worker = """
    ln -s 'state=failed;rc=1;t=1' result; ln -s x started; mkdir -p runs/evil-00000000-1
    ln -s 'state=succeeded;rc=0;t=1' runs/evil-00000000-1/result
    mkdir ../deep-00000000-1; ln -s 'state=succeeded;t=1' ../deep-00000000-1/result
    ln -s 'state=succeeded;t=1' $'../new\\nline'; ln -s x '../result-x'; touch $'../a\\tb'
    ln -s / ../everything; ln -s .. loop; mkfifo ../fifo; touch -- '-rf' '*'
    ln -sf $'why=x\\nl\\t_/runs/forged-00000000-1/result\\t1\\t1\\tstate=succeeded' ../cancel
    """
    host.run(RUN, worker)
    answer = host.observe()
    assert answer.code == 0
    assert answer.records() == {
        f"_/runs/{RUN}/owner": host.record(RUN, "owner"),
        f"_/runs/{RUN}/started": host.record(RUN, "started"),
        f"_/runs/{RUN}/phase": "work",
        f"_/runs/{RUN}/result": host.record(RUN, "result"),
        f"_/runs/{RUN}/cancel": "?",
    }
    paths = [line.split("\t")[1] for line in answer["records"].splitlines()]
    assert {path.split("/")[2] for path in paths} == {RUN}
    assert host.operate("cleanup", RUN).startswith("removed ")
    assert not list((host.root / "_/trash").iterdir())


def test_a_run_directory_with_an_odd_name_is_nobody_s(host: HostUnderTest):
    (host.root / "_/runs/Odd Name\n").mkdir()
    (host.root / "_/runs/link-00000000-1").symlink_to("/")
    answer = host.observe()
    assert answer["live"] == ""
    assert "Odd" not in answer["records"]
    assert "/link-00000000-1/" not in answer["records"]


def test_a_workspace_that_cannot_be_read_is_no_empty_one(host: HostUnderTest, tmp_path: Path):
    """A failed read must never look like nothing."""
    find = tmp_path / "bin/find"
    find.parent.mkdir()
    find.write_text('#!/bin/sh\n/usr/bin/find "$@"; exit 1\n')
    find.chmod(0o755)
    host.env = {**host.env, "PATH": f"{find.parent}:{host.env['PATH']}"}
    answer = host.observe()
    assert (answer.code, "records" in answer) == (5, False)
    assert "cannot be read in full" in answer["error"]


def test_a_workspace_that_is_a_file_is_refused(empty_host: HostUnderTest):
    empty_host.root.write_text("")
    for verb in ("observe", "take"):
        assert empty_host.call(verb).code == 5


def test_observing_writes_nothing(host: HostUnderTest):
    host.run(RUN, "true")
    before = {path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) for path in host.root.rglob("*")}
    for _ in range(2):
        host.observe()
        host.call("check")
        host.call("collect", [("run", f"_/runs/{RUN}"), ("limit", "10")])
    assert {path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) for path in host.root.rglob("*")} == before


def test_ages_and_sizes(host: HostUnderTest):
    host.run(RUN, "printf 12345")
    answer = host.observe()
    rows = {row[1]: row for row in (line.split("\t") for line in answer["records"].splitlines())}
    assert rows[f"_/runs/{RUN}/stdout.log"][:3] == ["f", f"_/runs/{RUN}/stdout.log", "5"]
    age = float(answer.pairs("workspace")["now"]) - float(rows[f"_/runs/{RUN}/result"][3])
    assert 0 <= age < 30
    assert int(answer["bell"]) == 3 * len(f"{RUN}\n")


def test_the_locks_of_many_runs_are_all_told(host: HostUnderTest):
    """Held, free, and one that is no lock at all, however many processes it takes to know."""
    names = [f"build{number}-0123abcd-1" for number in range(4)]
    for name in names:
        assert host.launch(name, "sleep 60") == "accepted"
    try:
        until(lambda: all(host.record(name, "started") for name in names))
        assert {line.split()[0]: line.split()[1] for line in host.observe()["live"].splitlines()} == {
            f"_/runs/{name}": "held" for name in names
        }
        (host.directory(names[0]) / "lock").rename(host.directory(names[0]) / "other")
        (host.directory(names[1]) / "lock").rename(host.directory(names[1]) / "other")
        (host.directory(names[1]) / "lock").symlink_to("other")
        (host.directory(names[2]) / "lock").rename(host.directory(names[2]) / "other")
        (host.directory(names[2]) / "lock").write_text("")
        lines = dict(line.rsplit(" ", 1) for line in host.observe()["live"].splitlines())
        assert {line.split()[0].split("/")[-1]: line.split()[1] for line in lines} == {
            **dict.fromkeys(names[:2], "free"),
            **dict.fromkeys(names[2:], "held"),  # another file in its place: its supervisor lives
        }
    finally:
        for name in names:
            (host.directory(name) / "lock").unlink(missing_ok=True)
            if (host.directory(name) / "other").exists():
                (host.directory(name) / "other").rename(host.directory(name) / "lock")
            host.operate("cancel", name, why="over")
            host.result(name)


# --- collect


def test_collect_brings_everything(host: HostUnderTest):
    host.run(RUN, """printf 'abc\\0def'; echo err >&2; echo '{}' >"$RECONCILER_RESULT_FILE"; echo why >BLOCKED.md""")
    answer = host.call("collect", [("run", f"_/runs/{RUN}"), ("limit", "1000")])
    assert dict(answer.frames) == {
        f"asked/{RUN}": b"{}",
        f"stdout/{RUN}": b"abc\0def",
        f"stderr/{RUN}": b"err\n",
        f"answer/{RUN}": b"{}\n",
        f"blocked/{RUN}": b"why\n",
        f"phase_log/{RUN}": b"",
    }


@pytest.mark.parametrize(
    "offset, limit, expected",
    [("0", "4", b"0123"), ("4", "4", b"4567"), ("8", "4", b"89"), ("10", "4", b""), ("99", "4", b""), ("3", "0", b"")],
)
def test_logs_come_in_portions(host: HostUnderTest, offset: str, limit: str, expected: bytes):
    run = host.directory(RUN)
    run.mkdir()
    (run / "stdout.log").write_bytes(b"0123456789")
    answer = host.call("collect", [("limit", limit), ("run", f"_/runs/{RUN}"), ("stdout_from", offset)])
    assert dict(answer.frames) == {f"stdout/{RUN}": expected}


def test_collecting_several_runs(host: HostUnderTest):
    for name in ("a", "b"):
        host.run(f"{name}-00000000-1", f"printf {name}{name}")
    fields = [("run", "_/runs/a-00000000-1"), ("limit", "9"), ("stdout_from", "1")]
    fields += [("run", "_/runs/gone-00000000-1"), ("run", "_/runs/b-00000000-1"), ("limit", "9")]
    frames = dict(host.call("collect", fields).frames)
    assert frames["stdout/a-00000000-1"] == b"a"
    assert frames["stdout/b-00000000-1"] == b"bb"
    assert frames["gone/gone-00000000-1"] == b""


def test_odd_files_are_not_collected(host: HostUnderTest):
    run = host.directory(RUN)
    run.mkdir()
    os.mkfifo(run / "stdout.log")
    (run / "answer.json").symlink_to("/etc/passwd")
    assert host.call("collect", [("run", f"_/runs/{RUN}"), ("limit", "9")]).frames == []


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537])
@pytest.mark.parametrize("text", [b"x", b"\0", b"\n", b"\xff"])
def test_what_is_collected_is_there_to_the_byte(host: HostUnderTest, size: int, text: bytes):
    """However it is read."""
    host.run(RUN, "true")
    (host.directory(RUN) / "stdout.log").write_bytes(b"ab" + text * size)
    frames = dict(host.call("collect", [("run", f"_/runs/{RUN}"), ("limit", "100000")]).frames)
    assert frames[f"stdout/{RUN}"] == b"ab" + text * size


@pytest.mark.parametrize("path", ["/etc", "_/runs/..", "_/runs/a/b", "_/done/x"])
def test_only_run_directories_are_collected(host: HostUnderTest, path: str):
    assert host.call("collect", [("run", path), ("limit", "9")]).code == 65


# --- the doorbell


class Channel:
    """An open doorbell: its lines so far."""

    def __init__(self, host: HostUnderTest, seconds: int, *more: tuple[str, str]) -> None:
        self.lines: list[str] = []
        self.frames: list[tuple[str, bytes]] = []
        self.process = subprocess.Popen(
            BASH, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(host.env)
        )
        assert self.process.stdin
        self.process.stdin.write(host.stdin("bell", [("ledger", host.ledger), ("seconds", str(seconds)), *more]))
        self.process.stdin.flush()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        reader = Reader("n0nce")
        for line in self.process.stdout:
            self.frames += reader.feed(line)
            self.lines.append(line.decode().rstrip("\n"))

    def say(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def ask(self, number: int) -> tuple[dict[str, str], int]:
        """The report under this number: frames by name, and its exit code."""
        begin = len(self.frames)
        self.say(f"{number}\n")
        until(lambda: [data for name, data in self.answers(begin) if name == "looked"])
        *report, (_, last) = self.answers(begin)
        assert last.split()[0] == b"%d" % number
        return {name.removeprefix("look/"): data.decode() for name, data in report}, int(last.split()[1])

    def answers(self, begin: int) -> list[tuple[str, bytes]]:
        return [frame for frame in self.frames[begin:] if frame[0].startswith("look")]

    def hang_up(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def ended(self, seconds: float = 5) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self.thread.join(5)
        return not self.thread.is_alive()


@contextmanager
def bell(host: HostUnderTest, seconds: int = 60) -> Iterator[Channel]:
    channel = Channel(host, seconds)
    until(lambda: "n0nce frame ready 0" in channel.lines)
    yield channel
    channel.hang_up()
    assert channel.ended()


def test_the_bell_rings_at_each_transition(host: HostUnderTest):
    with bell(host) as channel:
        host.run(RUN, "true")
        until(lambda: channel.lines.count(RUN) == 3)
    assert channel.lines[-1] == "n0nce end 0"
    assert host.observe().pairs("workspace")["holder"] == ""


def test_an_open_bell_reports_when_it_is_asked(host: HostUnderTest):
    """The same as `observe`, made after the question; the channel goes on, whatever comes of it."""
    host.run(RUN, "true")
    with bell(host) as channel:
        looked = host.observe()
        frames, code = channel.ask(7)
        assert code == 0
        assert set(frames) == {"workspace", "facts", "records", "live", "trash", "bell"}
        assert frames["records"] == looked["records"]
        assert frames["workspace"].split("now=")[0] == looked["workspace"].split("now=")[0]
        host.root.rename(host.root.with_name("elsewhere"))
        assert "\nid=\n" in f"\n{channel.ask(8)[0]['workspace']}\n"  # no workspace, and no error
        host.root.write_text("no directory")
        frames, code = channel.ask(9)
        assert (set(frames), code) == ({"error"}, 5)
        host.root.unlink()
        host.root.with_name("elsewhere").rename(host.root)
        assert channel.ask(10)[1] == 0
        host.run("again-0123abcd-1", "true")
        until(lambda: channel.lines.count("again-0123abcd-1") == 3)


def test_what_is_written_into_the_bell_is_no_question(host: HostUnderTest):
    with bell(host) as channel, (host.root / "_/bell").open("a") as file:
        for text in ("? 7\n", "!\n", "x" * 1000 + "\n", "- \n"):
            file.write(text)
            file.flush()
        until(lambda: ("bell", b"- ") in channel.frames)
        assert not channel.answers(0)
        file.write("in the middle of a line")
        file.flush()
        assert channel.ask(8)[1] == 0
        channel.say("x\n-1\n1 2\n")  # nor is that
        assert channel.ask(9)[1] == 0
    assert [data for name, data in channel.answers(0) if name == "looked"] == [b"8 0", b"9 0"]


def test_what_rang_long_ago_is_not_kept(host: HostUnderTest):
    file = host.root / "_/bell"
    file.write_bytes(b"old\n" * 20_000)
    with bell(host) as channel:
        assert file.stat().st_size == 0
        host.run(RUN, "true")
        until(lambda: channel.lines.count(RUN) == 3)
        assert 0 < file.stat().st_size < 1000


def test_the_bell_ends_by_itself(host: HostUnderTest):
    channel = Channel(host, 1)
    assert channel.ended()
    assert channel.lines[-1] == "n0nce end 0"


def test_an_open_bell_holds_the_fleet(host: HostUnderTest):
    other = replace(host, ledger="ffffffff", number=2)
    with bell(host):
        assert host.observe().pairs("workspace")["holder"] == host.ledger
        answer = other.take()
        assert (answer.code, answer["holder"]) == (3, host.ledger)
        assert replace(host, number=2).take().code == 0
        second = Channel(other, 60)
        assert second.ended()
        assert second.lines[-1] == "n0nce end 3"
        assert host.ledger in second.lines
    assert replace(other, number=3).take().code == 0


def test_taking_over_ends_the_other_bell(host: HostUnderTest):
    channel = Channel(host, 60)
    until(lambda: "n0nce frame ready 0" in channel.lines)
    other = replace(host, ledger="ffffffff", number=2)
    assert other.take(take_over="1").code == 0
    assert channel.ended()
    with bell(other):
        assert host.observe().pairs("workspace")["holder"] == "ffffffff"


def test_a_bell_may_take_over_too(host: HostUnderTest):
    first = Channel(host, 60)
    until(lambda: "n0nce frame ready 0" in first.lines)
    second = Channel(replace(host, ledger="ffffffff"), 60, ("take_over", "1"))
    until(lambda: "n0nce frame ready 0" in second.lines)
    assert first.ended()
    second.hang_up()
    assert second.ended()


def test_a_bell_that_was_killed_holds_nothing(host: HostUnderTest):
    channel = Channel(host, 60)
    until(lambda: "n0nce frame ready 0" in channel.lines)
    channel.process.kill()
    channel.process.wait()
    channel.hang_up()
    assert host.observe().pairs("workspace")["holder"] == ""
    assert replace(host, ledger="ffffffff", number=2).take().code == 0


def test_a_second_channel_of_the_same_ledger_replaces_the_first(host: HostUnderTest):
    first = Channel(host, 60)
    until(lambda: "n0nce frame ready 0" in first.lines)
    with bell(host):
        assert first.ended()


def test_no_bell_without_a_workspace(empty_host: HostUnderTest):
    channel = Channel(empty_host, 60)
    assert channel.ended()
    assert channel.lines[-1] == "n0nce end 5"


def test_nothing_of_a_bell_is_left(host: HostUnderTest):
    with bell(host):
        time.sleep(0.1)

    def listening() -> list[str]:
        found = []
        for file in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if os.readlink(file) == str(host.root):
                    found.append(file.parent.name)
            except OSError:
                continue
        return found

    until(lambda: not listening())


# --- check


def test_check(host: HostUnderTest):
    answer = host.call("check")
    assert answer.code == 0
    rows = [line.split(" ", 2) for line in answer["checks"].splitlines()]
    verdicts = {name: verdict for verdict, name, _ in rows}
    assert {"bash", "prelude", "programs", "find", "workspace", "disk", "secrets", "processes", "lock"} <= set(verdicts)
    assert "fail" not in verdicts.values()
    assert all(sentence for _, _, sentence in rows)
    facts = answer.pairs("facts")
    assert facts["tool.bash"].startswith("GNU bash")
    assert facts["tool.git"].startswith("git version")
    assert answer.pairs("workspace")["name"] == "h1"


def test_check_names_what_is_wrong(empty_host: HostUnderTest):
    empty_host.prelude = "echo oh dear; exit 3"
    answer = empty_host.call("check")
    assert "fail prelude shellPrelude ends with exit code 3: oh dear" in answer["checks"]
    assert not empty_host.root.exists()
