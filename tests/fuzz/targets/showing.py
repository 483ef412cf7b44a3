"""Any text, shown: in tables, events, problems, pages, JSON and YAML it is on its line, and no terminal obeys it."""

import json

from ruamel.yaml import YAML

from reconciler.cli.log_printer import readable
from reconciler.model.problem import Problem
from reconciler.model.rows import Event, EventType, HostRow, RunRow, TaskRow
from reconciler.model.run import State
from reconciler.show import describe, document, escape, items, lines, paper, problems, tables, work
from tests.fuzz.harmless import harmless

NOW = 1_800_000_000.0
SEEDS = [
    "build",
    "fix: a\tb\nc",
    "\x1b[2J\u202etxt.exe",
    "日本語 e\u0301 \U0001f468\u200d\U0001f469",
    "https://x/y/pull/12",
    "…" * 300,
]
SEEDS = [text.encode() for text in SEEDS]  # type: ignore[misc,assignment]
WORDS = (
    b"\x1b]0;x\x07",
    b"\xe2\x80\xae",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\r",
    b"\x08" * 40,
    b"%0A::error::",
    b"::set-output",
    b"0x10",
    b"no",
)


def check(data: bytes) -> None:
    """What holds for any text that others chose."""
    for text in (data.decode(errors="replace"), data.decode(errors="surrogateescape"), data.decode("latin-1")):
        _shown(text[:600])


def _shown(text: str) -> None:
    for said in (escape.safe(text), escape.first_line(text), work.pull_request(text)):
        harmless(said)
        assert "\n" not in said
        assert "\t" not in said
    harmless(escape.safe_lines(text))
    assert escape.safe(escape.safe(text)) == escape.safe(text)
    task = TaskRow(
        name=text, project=text, agent=text, state=State.BLOCKED, why=text, reason=text, summary=text, host=text
    )
    run = RunRow(
        name=text,
        task=text,
        digest="1a2b3c4d",
        attempt=1,
        host=text,
        state=State.FAILED,
        summary=text,
        notes=text,
        branch=text,
        reason=text,
    )
    host = HostRow(name=text, address=text, why=text, reachable=False)
    event = Event(NOW, EventType.UNSEEN, text, text, text, text, text)
    for width in (20, 80, None):
        sheet = paper.Paper(width)
        for line in (
            *tables.task_table([task], NOW, sheet),
            *tables.run_table([run], NOW, sheet),
            *tables.host_table([host], NOW, sheet),
        ):
            harmless(line)
            assert "\n" not in line
        assert len(tables.task_table([task], NOW, sheet, wide=True)) == 2
    for page in (
        describe.task(task, [run], [event], NOW),
        describe.run(run, [event], NOW),
        describe.host(host, [run], [event], NOW),
    ):
        harmless(page)
    harmless(lines.event_line(event))
    assert "\n" not in lines.event_line(event)
    harmless(lines.trouble_line(text, "warning", NOW))
    _problem(text)
    _documents(
        text,
        [*items.task_items([task]), *items.run_items([run], {}), *items.host_items([host]), lines.event_item(event)],
    )
    harmless(readable(text.encode(errors="replace"), lambda line: line).decode())


def _problem(text: str) -> None:
    found = Problem(text, 3, 7, text, text, text, excerpt=text.replace("\n", " "))
    harmless(problems.one(found))
    commands = problems.github([found])
    harmless(commands)
    assert commands.count("\n") == 1, "one problem, one workflow command"


def _documents(text: str, rows: list[object]) -> None:
    body = {"items": rows, "text": text}
    shown = document.text(body, "json")
    harmless(shown)
    assert json.loads(shown)["text"] == text
    harmless(document.text(body, "yaml"))
    told = document.text({"text": text}, "yaml")
    if not any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        assert YAML(typ="safe", pure=True).load(told)["text"] == text
