"""Hosts that lie, dozens at once: each costs itself alone. The real program, a real sshd, and a table of lies.

They are honest until every lease is taken, lie for a while, and are honest again: then all converges.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.agents import end
from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch
from tests.fuzz.harmless import harmless
from tests.hostile.lies import ALL, LIES
from tests.hostile.room import HONEST, SHORT, TIMED_OUT, Done, Room
from tests.machines.keys import make_key
from tests.machines.loopback import LoopbackHost, why_not_loopback
from tests.waiting import until

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

ROUNDS = int(os.environ.get("ROUNDS", "1"))  # of all lies at once; the screens and the daemon are some more
GARBLED = r"its report is garbled \("
CUT = "answer was cut short"
# Lie → why its host cannot be asked then; None: it can, and what it says of itself harms nobody.
WHY: dict[str, str | None] = {
    "garbage": CUT,
    "nothing": CUT,
    "silence": r"timed out after 3 s",
    "drip": r"timed out after 3 s",
    "gibibyte": r"answer was larger than 32 MiB",
    "gibibyte-of-errors": r"answer was larger than",
    "other-nonce": CUT,
    "begin-and-no-more": CUT,
    "cut-in-the-middle": CUT,
    "twice": None,
    "truth-and-then-a-gibibyte": r"answer was larger than 32 MiB",
    "without-end": r"answer was larger than 32 MiB",
    "one-endless-frame": r"answer was larger than 32 MiB",
    "smaller-than-it-says": CUT,
    "frames-twice": CUT,
    "refuses-with-escapes": r"no .*room",
    "dies-with-escapes": r"kex error",
    "no-records": GARBLED,
    "no-live": GARBLED,
    "other-fleet": r"its workspace belongs to fleet",
    "lease-of-31-digits": GARBLED,
    "lease-of-15-digits": r"its lease number is 999999999999999, which no controller can have reached",
    "revision-that-is-an-option": rf"{GARBLED}.*is no commit id",
    "clock-nan": GARBLED,
    "clock-of-another-era": GARBLED,
    "a-million-runs": r"answer was larger than 32 MiB|more than 100000 runs",
    "two-hundred-thousand-runs": r"more than 100000 runs",
    "other-paths": None,
    "figures-without-end": None,
    "escapes-in-every-text": None,
    "lines-in-live": GARBLED,
    **{name: None for name in ALL if name.partition("-")[0] in ("act", "collect", "bell")},
}
# An answer to what was to be done has a report in it; one without is no report.
EITHER = frozenset(name for name in ALL if name.startswith("act-"))
# What becomes of a task although all is well again: its host said that it had started, and it never did; or that its
# worker asks something.
LOST = "act-accepts-and-does-nothing"
TOLD = {LOST: "Lost", "collect-deep-answers": "Blocked", "collect-escapes": "Blocked"}
SCREENS = (
    *(
        ["get", "hosts", "-o", "wide"],
        ["get", "tasks", "-o", "wide"],
        ["get", "runs", "-o", "wide"],
        ["events"],
        ["plan"],
    ),
    *(["get", "hosts", "-o", "yaml"], ["get", "runs", "-o", "json"], ["reconcile"]),
    *(["describe", "host", "escapes-in-every-text"], ["describe", "host", "refuses-with-escapes"]),
    *(
        ["describe", "task", "of-collect-escapes"],
        ["logs", "of-collect-escapes"],
        ["logs", "of-act-fails-with-escapes"],
    ),
    *(["host", "check", "refuses-with-escapes", "dies-with-escapes"], ["host", "reset", "refuses-with-escapes"]),
    *(["logs", "of-collect-endless-logs", "--tail", "1"], ["events", "-o", "json"]),
)
WORK = 'echo "$RECONCILER_RUN" >>{folder}/starts; {more}\n'


@dataclass
class Story:
    """What was seen while it went on."""

    first: Done
    lied: list[Done]
    stranger: Done
    healed: Done
    phases: dict[str, str]
    starts: list[str]
    screens: dict[str, str] = field(default_factory=dict)
    watched: int = 0  # MiB that the daemon had at most
    log: str = ""
    left: str = ""  # processes of the controllers that were left when all had ended


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    if why := why_not_loopback():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("hostile")
    make_key(folder / "id_ed25519")
    sshd = LoopbackHost(folder / "sshd", "sshd", folder / "id_ed25519").start()
    try:
        yield _told(Room(Fleet(folder), sshd, folder))
    finally:
        sshd.delete()
        end(folder)


def _told(room: Room) -> Story:
    fleet, work = room.fleet, WORK.format(folder=room.folder, more="{more}")
    room.let_in()
    room.declare()
    fleet.task("first", work.format(more="true"), host=HONEST)
    fleet.task("long", work.format(more=f"until test -e {room.folder}/go; do sleep 0.5; done"), host="no-live")
    fleet.commit()
    first = room.run("reconcile", "-o", "json")
    room.lie(True)
    room.deadlines = dict.fromkeys(TIMED_OUT, SHORT)
    room.declare()
    fleet.task("good", work.format(more="true"), host=HONEST)
    for name in room.names:
        fleet.task(f"of-{name}", work.format(more="echo out; echo err >&2"), host=name)
    fleet.commit()
    lied = [room.run("reconcile", "-o", "json") for _ in range(ROUNDS)]
    screens = {" ".join(words): room.screen(*words) for words in SCREENS}
    fresh = Room(fleet.other_controller("stranger"), room.sshd, room.folder)
    stranger = fresh.run("reconcile", "-o", "json")
    told = Story(first, lied, stranger, first, {}, [], screens)
    _watch(room, told, work)
    room.lie(False)
    room.deadlines = {}
    room.declare()
    fleet.commit()
    (room.folder / "go").touch()
    room.run("reconcile", "--wait", "--timeout", "90s", "-o", "json")
    told.healed = room.run("reconcile", "-o", "json")
    told.phases, told.starts = fleet.phases(), room.starts()
    told.left = _left(str(fleet.state))
    return told


def _left(state: str) -> str:
    """The command lines of the processes that name this state folder: every ssh of ours does."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [words] if state in words else []
    return "\n".join(found)


def _watch(room: Room, told: Story, work: str) -> None:
    """A daemon among liars: it starts what is new on the honest host at once."""
    with Watch(room.fleet, "--interval", "5s") as watch:
        room.fleet.task("newer", work.format(more="true"), host=HONEST)
        room.fleet.commit()
        until(lambda: any(run.startswith("newer-") for run in room.starts()), 60)
        status = Path(f"/proc/{watch.pid}/status").read_text()
        told.watched = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10  # type: ignore[index]
        assert watch.end(timeout=15) == 0
    told.log = watch.log


def test_every_lie_has_its_expectation() -> None:
    assert WHY.keys() == ALL.keys()


@pytest.mark.parametrize("lie", LIES)
def test_who_lies_is_not_believed_and_it_is_said_why(story: Story, lie: str) -> None:
    for report in story.lied:
        unseen = {host["host"]: host["why"] for host in report.json["unreachable"]}
        expected = WHY[lie] if lie not in EITHER else GARBLED if lie in unseen else None
        assert (lie in unseen) == (expected is not None), unseen.get(lie)
        if expected is not None:
            assert re.search(expected, unseen[lie]), unseen[lie]
            assert len(unseen[lie]) <= 500


def test_the_others_converge_in_time(story: Story) -> None:
    assert [report.code for report in story.lied] == [3] * ROUNDS
    assert HONEST not in str([report.json["unreachable"] for report in story.lied])
    assert any(run.startswith("good-") for run in story.starts)
    assert "good" in [change["task"] for change in story.lied[0].json["changes"] if change["action"] == "launch"]


def test_memory_and_time_are_bounded(story: Story) -> None:
    used = [(round(report.seconds, 1), report.mebibytes) for report in story.lied]
    print(f"hostile hosts={len(LIES)} seconds_and_mebibytes={used} watched_mebibytes={story.watched}")
    assert max(mebibytes for _, mebibytes in used) < 700
    assert story.watched < 700
    assert max(seconds for seconds, _ in used) < 60


def test_a_controller_that_is_new_starts_nothing_among_liars(story: Story) -> None:
    assert story.stranger.code in (3, 7)
    assert not [change for change in story.stranger.json["changes"] if change["action"] != "collect"]


@pytest.mark.parametrize("screen", [" ".join(words) for words in SCREENS])
def test_no_terminal_obeys_a_host(story: Story, screen: str) -> None:
    assert story.screens[screen].strip()
    harmless(story.screens[screen])
    assert "Traceback" not in story.screens[screen]
    assert "this should not happen" not in story.screens[screen]


def test_neither_does_a_log_file(story: Story) -> None:
    harmless(story.log)
    for report in (*story.lied, story.healed):
        harmless(report.errors)
        harmless(report.out)


def test_when_they_are_honest_again_everything_converges(story: Story) -> None:
    expected = {f"of-{name}": TOLD.get(name, "Succeeded") for name in LIES}
    expected |= {"first": "Succeeded", "good": "Succeeded", "newer": "Succeeded", "long": "Succeeded"}
    assert story.phases == expected
    assert story.healed.json["changes"] == []
    assert story.healed.json["unreachable"] == []


def test_nothing_ran_twice(story: Story) -> None:
    tasks = Counter(run.rpartition("-")[0].rpartition("-")[0] for run in story.starts)
    assert {task: count for task, count in tasks.items() if count > 1} == {}
    assert set(tasks) == story.phases.keys() - {f"of-{LOST}"}


def test_no_ssh_of_a_controller_is_left(story: Story) -> None:
    assert story.left == ""
