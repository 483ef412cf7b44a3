"""A host's report, line by line: what is read, and what is made of lines that nobody should have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.observed import LeaseMark, Seen, Unseen
from reconciler.model.run import Result, RunName, State
from reconciler.observe import records as lines
from reconciler.observe.parse import parse_facts, parse_report, parse_result, run_name

COMMIT = "deadbeef" * 5
NOW = 1_000_000.0
HOST_NOW = 5_000_000.0  # its clock is wrong by weeks, and that changes nothing
RUN = "build-1a2b3c4d-2"


def report(
    records: str = "",
    live: str = "",
    workspace: str = "",
    now: float = NOW,
    fleet_id: str = "f1234567",
    host_now: object = HOST_NOW,
) -> Seen | Unseen:
    marks = workspace or f"fleet=f1234567;main\nid=abc\nname=box1\nlease=7;0a0b0c0d\nrevision={COMMIT}\nholder=\n"
    frames = {
        "workspace": f"{marks}now={host_now}\n".encode(),
        "facts": b"boot_id=b\ndisk_free=1024\nload1=0.5\nuptime=x\n",
        "records": records.encode(),
        "live": live.encode(),
        "trash": b"2",
    }
    return parse_report(frames, fleet_id=fleet_id, now=now, asked_at=now)


def seen(records: str = "", live: str = "") -> Seen:
    sight = report(records, live)
    assert isinstance(sight, Seen), sight
    return sight


def line(record: str, text: str, age: float = 0, run: str = RUN) -> str:
    return f"l\t_/runs/{run}/{record}\t{len(text)}\t{HOST_NOW - age}\t{text}\n"


def clock(lie: dict[str, str]) -> dict[str, object]:
    return {"host_now": lie["now"]} if "now" in lie else {}


OWNER = line("owner", "l=0a0b0c0d;n=7;q=-;m=beef", age=60)
STARTED = line("started", "p=12;s=345;b=0123456789ab", age=50)
CASES = {
    "claimed": (OWNER, f"_/runs/{RUN} free 0", {"started": False, "alive": False, "claimed_at": NOW - 60}),
    "running": (
        OWNER + STARTED + line("phase", "work"),
        f"_/runs/{RUN} held 0",
        {"started": True, "alive": True, "phase": "work", "started_at": NOW - 50, "active": True},
    ),
    "cancelling": (
        OWNER + STARTED + line("cancel", "why=closed"),
        f"_/runs/{RUN} held 0",
        {"cancel": "closed", "alive": True},
    ),
    "dead, with survivors": (OWNER + STARTED, f"_/runs/{RUN} free 3", {"alive": False, "survivors": 3}),
    "a scan that cannot be trusted": (OWNER + STARTED, f"_/runs/{RUN} free -", {"alive": False, "survivors": -1}),
    "a lock that cannot be asked": (OWNER + STARTED, f"_/runs/{RUN} unknown 0", {"alive": None, "bad": ""}),
    "ended": (
        OWNER + STARTED + line("result", "state=failed;rc=3;r=ExitCode;t=1;last=1", age=10),
        "",
        {"result": Result(State.FAILED, "ExitCode", 3, last=True), "ended_at": NOW - 10, "active": False},
    ),
    "void": (OWNER + line("started", "void", age=5), "", {"void": True, "started": False, "active": False}),
    "a mark alone": (
        f"l\t_/done/{RUN}\t9\t1\tstate=succeeded;t={HOST_NOW - 100};q=11223344\n",
        "",
        {"done": True, "directory": "", "rerun_key": "11223344", "ended_at": NOW - 100, "active": False},
    ),
    "a garbled result": (OWNER + line("result", "state=fine"), "", {"result": None}),
    "a number that is none": (OWNER.replace("n=7", "n=x"), f"_/runs/{RUN} free 0", {"lease": 0}),
}


@pytest.mark.parametrize("records, live, expected", CASES.values(), ids=CASES)
def test_a_run(records: str, live: str, expected: dict[str, object]) -> None:
    run = seen(records, live).runs[RUN]
    assert {key: getattr(run, key) for key in expected} == expected


@pytest.mark.parametrize("name", ["a garbled result", "a number that is none"])
def test_a_bad_record_makes_its_run_unknown_and_no_other(name: str) -> None:
    records, live, _ = CASES[name]
    other = "other-00112233-1"
    sight = seen(records + line("owner", "l=a;n=1;q=-;m=b", run=other), f"{live}\n_/runs/{other} held 0".lstrip())
    assert sight.runs[RUN].bad
    assert not sight.runs[other].bad


def test_a_run_whose_lock_was_not_reported_is_unknown() -> None:
    assert "lock" in seen(OWNER + STARTED).runs[RUN].bad


def test_the_workspace() -> None:
    sight = seen()
    assert (sight.workspace_id, sight.host_name, sight.revision, sight.trash) == ("abc", "box1", COMMIT, 2)
    assert sight.lease == LeaseMark(7, "0a0b0c0d")
    assert (sight.facts.disk_free, sight.facts.load1, sight.facts.uptime) == (1024, 0.5, None)


def test_another_fleets_workspace_is_unseen_and_says_whose() -> None:
    sight = report(fleet_id="somebody-else")
    assert isinstance(sight, Unseen)
    assert "belongs to fleet main" in sight.why
    assert sight.answered


@pytest.mark.parametrize("gone", ["workspace", "records", "live", "facts"])
def test_a_report_with_a_frame_missing_is_unseen(gone: str) -> None:
    frames = {"workspace": b"now=1\n", "records": b"", "live": b"", "facts": b""}
    del frames[gone]
    assert isinstance(parse_report(frames, fleet_id="f", now=NOW, asked_at=NOW), Unseen)


LIES = {
    "a clock that says nan": {"now": "nan"},
    "a clock that says inf": {"now": "inf"},
    "a clock of another era": {"now": "1e300"},
    "a clock before all time": {"now": "-5"},
    "a lease number that fits nowhere": {"lease": f"{10**30};0a0b0c0d"},
    "a lease number in other digits": {"lease": "²;0a0b0c0d"},
    "a negative lease number": {"lease": "-7;0a0b0c0d"},
    "a revision that is an option": {"revision": "--output=/etc/passwd"},
    "a revision that is a branch": {"revision": "main"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_workspace_that_cannot_be_is_unseen(lie: dict[str, str]) -> None:
    lines = {"fleet": "f1234567;main", "id": "abc", "name": "box1", "lease": "7;0a0b0c0d", "revision": COMMIT, **lie}
    sight = report(workspace="".join(f"{key}={value}\n" for key, value in lines.items() if key != "now"), **clock(lie))
    assert isinstance(sight, Unseen)
    assert sight.why.startswith("its report is garbled (")


ODD = {
    "a time that is none": line("result", "state=failed;rc=1").replace(str(HOST_NOW), "soon"),
    "a time without end": line("result", "state=failed;rc=1").replace(str(HOST_NOW), "inf"),
    "an exit code that fits nowhere": line("result", f"state=failed;rc={10**30}"),
    "an exit code in other digits": line("result", "state=failed;rc=²"),
    "a reason that a terminal would obey": line("result", "state=failed;r=\x1b[2J"),
    "one key twice": line("result", "state=failed;state=succeeded"),
    "one record twice": line("cancel", "why=closed") + line("cancel", "why=drain"),
    "two directories": line("cancel", "why=closed").replace("_/runs", "web/runs"),
    "a lease of its owner that fits nowhere": line("owner", f"l=0a0b0c0d;n={10**30};q=-;m=beef", age=60),
}


@pytest.mark.parametrize("records", ODD.values(), ids=ODD)
def test_a_lie_about_a_run_makes_that_run_unknown_and_no_other(records: str) -> None:
    other = "other-00112233-1"
    quiet = line("owner", "l=a;n=1;q=-;m=b", run=other)
    live = f"_/runs/{RUN} held 0\n_/runs/{other} held 0"
    own = "" if "/owner" in records else OWNER
    sight = seen(own + STARTED + records + quiet, live)
    assert sight.runs[RUN].bad
    assert sight.runs[other] == seen(quiet, f"_/runs/{other} held 0").runs[other]


def test_what_is_still_to_come_counts_as_now() -> None:
    run = seen(line("owner", "l=a;n=1;q=-;m=b", age=-1e9), f"_/runs/{RUN} held 0").runs[RUN]
    assert run.claimed_at == NOW


def test_figures_that_cannot_be_are_not_known() -> None:
    facts = parse_facts(b"uptime=inf\nload1=nan\nmemory_free=1e400\nswap_free=-5\ndisk_free=1e300\ninodes_free=12\n")
    known = (facts.uptime, facts.load1, facts.memory_free, facts.swap_free, facts.disk_free, facts.inodes_free)
    assert known == (None, None, None, None, None, 12)


def test_a_host_with_more_runs_than_anybody_can_follow_is_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST", 1_000)
    marks = "".join(f"l\t_/done/build-1a2b3c4d-{number}\t9\t1\tstate=void\n" for number in range(1, 1_003))
    assert "more than 1000 runs" in str(report(marks))


@given(st.binary(), st.binary(), st.binary())
def test_nothing_that_a_host_says_breaks_the_reader(records: bytes, live: bytes, workspace: bytes) -> None:
    frames = {"workspace": workspace + b"\nnow=1\n", "records": records, "live": live, "facts": workspace}
    assert isinstance(parse_report(frames, fleet_id="f", now=NOW, asked_at=NOW), Seen | Unseen)


@given(st.text())
def test_nothing_breaks_the_readers_of_lines(text: str) -> None:
    run_name(text)
    parse_facts(text.encode(errors="replace"))


def test_run_names() -> None:
    assert run_name("a-b-1a2b3c4d-10") == RunName("a-b", "1a2b3c4d", 10)
    assert [run_name(text) for text in ("a-1a2b3c4d-0", "a-1a2b3c4-1", "-1a2b3c4d-1", "a-1a2b3c4d-1\n")] == [None] * 4


def test_a_result_without_a_state_is_no_result() -> None:
    with pytest.raises(ValueError, match="rc=1"):
        parse_result("rc=1")
