"""A host's report: frames → verdicts → ledger → what is shown. A lie may cost its run, never the truth."""

import tempfile
from pathlib import Path

from reconciler.decide import decide
from reconciler.model.change import Options
from reconciler.model.desired import Desired
from reconciler.model.host import Host
from reconciler.model.observed import Seen
from reconciler.observe.parse import parse_report
from reconciler.record.ledger import Ledger
from reconciler.show import describe, document, items, lines
from reconciler.show.tables import host_table, run_table
from tests.fuzz.harmless import harmless
from tests.fuzz.sections import read, written
from tests.record.builders import DIGEST, desired, task

NOW, HOST_NOW = 1_800_000_000.0, 1_799_000_000.0
FLEET = "demo-fleet"
TASKS = ("build", "test", "other")


def record(run: str, record: str, text: str, age: float = 60, place: str = "_") -> str:
    return f"l\t{place}/runs/{run}/{record}\t{len(text)}\t{HOST_NOW - age}\t{text}\n"


def directory(run: str, *lines: str, place: str = "_") -> str:
    return f"d\t{place}/runs/{run}\t0\t{HOST_NOW - 70}\t\n" + "".join(lines)


def owned(run: str, place: str = "_") -> str:
    return record(run, "owner", "l=0badcafe;n=7;q=-;m=beef", place=place)


def started(run: str, place: str = "_") -> str:
    return record(run, "started", "p=12;s=345;b=0123456789ab", 50, place)


def report(records: str, live: str = "", **more: str) -> dict[str, str]:
    """The frames of a report of the fleet's own workspace."""
    workspace = f"fleet={FLEET};demo\nid=w1\nname=h1\nlease=7;0badcafe\nrevision={'c' * 40}\nholder=\nnow={HOST_NOW}"
    facts = "boot_id=6c1d\nhostname=h1\nuptime=5123.4\nload1=0.25\nmemory_free=8123456512\nswap_free=0\n"
    facts += "disk_free=123456789012\ninodes_free=123456\ntool.git=git version 2.39\nprogram.claude=1\n"
    base = {"live": live, "workspace": workspace, "records": records, "bell": "0", "trash": "2", "facts": facts}
    return {**base, **more}


ONE, TWO, THREE = f"build-{DIGEST}-1", f"build-{DIGEST}-2", f"test-{DIGEST}-1"
RUNNING = directory(
    ONE, owned(ONE), started(ONE), record(ONE, "phase", "work"), f"f\t_/runs/{ONE}/stdout.log\t812\t{HOST_NOW}\t\n"
)
ENDED = directory(
    TWO, owned(TWO), started(TWO), record(TWO, "result", "state=failed;rc=3;r=ExitCode;t=1799000000;last=1", 5)
)
WORKING = directory(
    THREE,
    owned(THREE, "web"),
    started(THREE, "web"),
    record(THREE, "worker", f"a=claude;w={DIGEST}-1", place="web"),
    record(THREE, "phase", "qa", place="web"),
    record(THREE, "cancel", "why=closed", place="web"),
    record(THREE, "stuck", "n=2", place="web"),
    f"d\tweb/worktrees/{THREE}\t0\t{HOST_NOW}\t\n",
    place="web",
)
MARKS = f"l\t_/done/other-{DIGEST}-1\t9\t1\tstate=succeeded;rc=0;t=1798999000;q=11223344\n"
VOID = directory(TWO, owned(TWO), record(TWO, "started", "void", 5))
SEEDS = [
    written(report(RUNNING + ENDED + MARKS, f"_/runs/{ONE} held 0\n")),
    written(report(RUNNING + VOID + WORKING, f"_/runs/{ONE} free 3\nweb/runs/{THREE} held -\n")),
    written(report("")),
    written(report(MARKS, workspace=f"fleet=\nid=\nname=\nlease=\nrevision=\nholder=\nnow={HOST_NOW}")),
]
WORDS = (
    *(b"@@records\n", b"@@live\n", b"@@workspace\n", b"result", b"owner", b"done", b"runs", b"void", b"held", b"free"),
    *(
        ONE.encode(),
        TWO.encode(),
        b"state=succeeded;rc=0",
        b"lease=",
        b"now=",
        b"1e400",
        b"\t",
        b"inf",
        b"-0",
        b"2147483648",
    ),
)


def check(data: bytes) -> None:
    """What a report may do to a controller."""
    sight = parse_report(read(data), fleet_id=FLEET, now=NOW, asked_at=NOW - 1)
    assert sight == parse_report(read(data), fleet_id=FLEET, now=NOW, asked_at=NOW - 1)
    if isinstance(sight, Seen):
        _followed(sight)


def _followed(sight: Seen) -> None:
    """Believed as far as it goes: remembered, decided on, shown."""
    box = Host("h1", address="10.0.0.1")
    wanted = desired(*(task(name) for name in TASKS), hosts=(box,))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        with Ledger.open(file) as ledger:
            _cycle(ledger, wanted, sight)
            known = ledger.memory().runs
            for name, run in sight.runs.items():
                if run.bad:
                    assert known[name].result is None, "a run that cannot be read did not end"
        with Ledger.open(file) as ledger:  # as the next controller finds it
            _cycle(ledger, wanted, sight)
            runs = ledger.run_rows(include_cleaned=True)
            hosts = ledger.host_rows()
            events = ledger.events()
    pages = [describe.run(row, events, NOW) for row in runs] + [describe.host(row, runs, events, NOW) for row in hosts]
    for text in (*run_table(runs, NOW, wide=True), *host_table(hosts, NOW, wide=True), *pages):
        harmless(text)
    for output in ("json", "yaml"):
        harmless(document.text({"items": [*items.run_items(runs, {}), *items.host_items(hosts)]}, output))
    for event in events:
        harmless(lines.event_json(event))


def _cycle(ledger: Ledger, wanted: Desired, sight: Seen) -> None:
    ledger.observe(wanted.hosts["h1"], sight, NOW)
    observed = {"h1": sight}
    plan = decide(wanted, observed, ledger.memory(), NOW, Options())
    assert plan == decide(wanted, observed, ledger.memory(), NOW, Options())
    bad = {name for name, run in sight.runs.items() if run.bad}
    for change in plan.changes:
        assert change.run not in bad, f"{change.action} on a run that cannot be read"
