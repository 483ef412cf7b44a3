"""What users and scripts rely on: verbs, options, exit codes and JSON keys stay; new ones are added to contract.json.

`python -m tests.test_contract` writes the file anew; a line that goes away from it breaks somebody's script.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from reconciler.cli.main import cli
from reconciler.errors import Exit
from reconciler.model.change import Action, Change, Plan, Wait
from reconciler.model.host import Facts
from reconciler.model.problem import Problem
from reconciler.model.rows import AgentRow, Event, EventType, HostRow, ProjectRow, QaOutcome, RunRow, TaskRow
from reconciler.model.run import State
from reconciler.observe.check import Check
from reconciler.show import checks, items, lines, plans, problems
from reconciler.show.document import envelope, line

FILE = Path(__file__).parent / "contract.json"


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Each command with its options and (in capitals) arguments."""
    words = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            words += [*parameter.opts, *parameter.secondary_opts]
        else:
            words.append(str(parameter.name).upper())
    yield " ".join(path), sorted(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


def keys(document: dict[str, Any]) -> list[str]:
    return sorted(document)


def twins() -> list[str]:
    """The environment variables that stand for options."""
    found = set()
    for command in (cli, *(cli.get_command(click.Context(cli), name) for name in ("validate", "plan"))):
        assert command is not None
        found |= {str(option.envvar) for option in command.params if isinstance(option, click.Option) and option.envvar}
    return sorted(found)


def contract() -> dict[str, Any]:
    """The contract as the code has it."""
    plan = Plan(
        changes=(Change(Action.LAUNCH, "a", "a-1", "h", "new"),),
        waits=(Wait("b", "needs a"),),
        unreachable={"h": "timed out"},
    )
    planned: Any = plans.body(plan)
    task: Any = items.task_items([TaskRow("a", State.PENDING)])[0]
    run: Any = items.run_items([RunRow("a-0-1", "a", "0", 1, State.RUNNING, qa=(QaOutcome("test", 0, 1),))], {})[0]
    host: Any = items.host_items([HostRow("h", facts=Facts())])[0]
    project: Any = items.project_items([ProjectRow("p")])[0]
    agent: Any = items.agent_items([AgentRow("claude")])[0]
    found: Any = problems.body([Problem("f", 1, 1, "", "wrong")])
    around = json.loads(line(envelope({})))
    return {
        "commands": dict(commands(cli)),
        "environment": twins(),
        "exitCodes": {code.name: int(code) for code in Exit},
        "events": sorted(EventType),
        "phases": sorted(State),
        "actions": sorted(Action),
        "json": {
            "every answer": keys(around),
            "exit": keys(around["exit"]),
            "validate": keys(found),
            "problems": keys(found["problems"][0]),
            "plan, reconcile": keys(planned),
            "changes": keys(planned["changes"][0]),
            "waits": keys(planned["waits"][0]),
            "unreachable": keys(planned["unreachable"][0]),
            "summary": keys(planned["summary"]),
            "tasks": keys(task),
            "runs": keys(run),
            "qa": keys(run["qa"][0]),
            "hosts": keys(host),
            "projects": keys(project),
            "agents": keys(agent),
            "facts": keys(host["facts"]),
            "events": keys(lines.event_item(Event(0.0, EventType.SEEN))),
            "checks": keys(checks.items([Check("h", "login", True, "answered")])[0]),
        },
    }


def text() -> str:
    return json.dumps(contract(), indent=1, ensure_ascii=False) + "\n"


def test_nothing_that_was_promised_is_gone_and_all_that_is_new_is_written_down() -> None:
    promised, real = json.loads(FILE.read_text()), json.loads(text())
    assert promised["commands"].keys() == real["commands"].keys()
    for command, words in promised["commands"].items():
        assert words == real["commands"][command], command
    assert promised == real


def test_a_removed_option_is_noticed() -> None:
    promised = json.loads(FILE.read_text())
    assert "--wait" in promised["commands"]["reconcile"]
    assert "--address" in promised["commands"]["host add"]
    assert promised["exitCodes"]["HELD"] == 4


if __name__ == "__main__":
    FILE.write_text(text())
