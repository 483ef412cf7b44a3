"""`reconciler task new`: the fields of a Task as options."""

import re
from collections.abc import Mapping
from typing import Any

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.editing import edit_options, finish, open_workplace, pairs
from reconciler.errors import UsageError

WHAT = "say what to do: --run SCRIPT or --run-file FILE (`-` for standard input), or --project, --agent and --prompt"
AGENTS_WORK = {"project": "--project", "agent": "--agent", "prompt": "--prompt", "prompt_file": "--prompt-file"}


@click.command()
@click.argument("name")
@click.option("--run", "script", metavar="SCRIPT", help="What to do: a shell script.")
@click.option("--run-file", type=click.File("r", encoding="utf-8"), help="Read the script from a file, or from `-`.")
@click.option("--project", help="The project that an agent works in.", shell_complete=names("project"))
@click.option(
    "--agent", metavar="NAME[:VARIANT]", help="Who works.  [the fleet's default]", shell_complete=names("agent")
)
@click.option("--prompt", metavar="TEXT", help="What the agent is told to do.")
@click.option("--prompt-file", type=click.File("r", encoding="utf-8"), help="Read that from a file, or from `-`.")
@click.option("--issue", type=int, metavar="N", help="The issue that it is about.")
@click.option("--base-branch", metavar="BRANCH", help="Start the worktree from this branch.  [the project's]")
@click.option("--base-tag", metavar="TAG", help="Start it from this tag.")
@click.option("--base-pull-request", type=int, metavar="N", help="Start it from this pull request.")
@click.option("--template", metavar="NAME", help="The prompt template.  [coding]")
@click.option("--persona", metavar="TEXT", help="Who the agent shall be; stands in front of the prompt.")
@click.option("--variable", multiple=True, metavar="KEY=VALUE", help="Fills the template. May be repeated.")
@click.option("--qa", multiple=True, metavar="auto|none|SCRIPT", help="What the work has to pass. May be repeated.")
@click.option("--title", help="One line for people.")
@click.option("--description", help="More for people.")
@click.option("--priority", type=click.Choice(["urgent", "high", "normal", "low"]), help="Who goes first.")
@click.option("--host", help="The host to run on.", shell_complete=names("host"))
@click.option("--host-selector", multiple=True, metavar="KEY=VALUE", help="Labels of the host. May be repeated.")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="Environment of the worker. May be repeated.")
@click.option("--secret", multiple=True, metavar="NAME[=FROM]", help="Name of a secret. May be repeated.")
@click.option("--timeout", metavar="DURATION", help="Longest time for one attempt.")
@click.option("--idle-timeout", metavar="DURATION", help="Longest time without output and work.")
@click.option("--retries", type=int, metavar="N", help="Further attempts after one that failed.")
@click.option("--backoff", metavar="DURATION", help="Wait before the first of them.")
@click.option("--max-backoff", metavar="DURATION", help="The longest wait between two.")
@click.option("--replace-after", metavar="DURATION", help="Start elsewhere when its host was unseen for so long.")
@click.option("--depends-on", multiple=True, metavar="TASK", help="Start after it succeeded. May be repeated.")
@click.option("--rerun", metavar="VALUE", help="A new value runs the task again.")
@click.option("--update-policy", type=click.Choice(["restart", "ignore"]), help="What an edit does to a run.")
@click.option("--suspend", is_flag=True, default=None, help="Start nothing yet.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="For `-l`. May be repeated.")
@edit_options
@click.pass_obj
def new(context: Context, /, name: str, label: tuple[str, ...], no_commit: bool, push: bool, **fields: Any) -> int:
    """Write tasks/NAME.yaml; the options are the fields of a Task (`reconciler explain task`).

    \b
    reconciler task new report --run 'make report'
    reconciler task new fix-login --project shop --agent claude --prompt 'Make the login work without JavaScript.'
    """
    name = bare(name, "task")
    place = open_workplace(context)
    place.add("Task", name, spec_of(fields), pairs(label, "--label"))
    then = "the next cycle starts it (`reconciler plan` shows where)"
    return finish(place, f"add task {name}", no_commit=no_commit, push=push, then=then)


def spec_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the fields of a Task's spec, in the order of a file; absent ones are left out. Raises UsageError."""
    script = _text("--run", fields["script"], fields["run_file"])
    work = [option for key, option in AGENTS_WORK.items() if fields[key] is not None]
    if script is None and not work:
        raise UsageError(WHAT)
    if script is not None and work:
        raise UsageError(f"--run is a script without an agent, {work[0]} is for an agent's work: use one of them")
    retries = {"limit": fields["retries"], "backoff": fields["backoff"], "maxBackoff": fields["max_backoff"]}
    selector = pairs(fields["host_selector"], "--host-selector")
    spec = {
        "title": fields["title"],
        "description": fields["description"],
        "project": fields["project"] and bare(fields["project"], "project"),
        "agent": fields["agent"] and bare(fields["agent"], "agent"),
        "priority": fields["priority"],
        "suspend": fields["suspend"],
        "host": fields["host"] and bare(fields["host"], "host"),
        "hostSelector": {"matchLabels": selector} if selector else None,
        "env": pairs(fields["env"], "--env"),
        "secrets": [_secret(text) for text in fields["secret"]],
        "timeout": fields["timeout"],
        "idleTimeout": fields["idle_timeout"],
        "retries": _present(retries),
        "replaceAfter": fields["replace_after"],
        "dependsOn": [bare(name, "task") for name in fields["depends_on"]],
        "updatePolicy": fields["update_policy"],
        "rerun": _number(fields["rerun"]),
        **_agents_work(fields),
        "run": script,
        "prompt": _text("--prompt", fields["prompt"], fields["prompt_file"]),
    }
    return _present(spec, "qa")


def _agents_work(fields: Mapping[str, Any]) -> dict[str, Any]:
    base = {
        "branch": fields["base_branch"],
        "tag": fields["base_tag"],
        "pullRequest": fields["base_pull_request"],
    }
    template = {
        "name": fields["template"],
        "persona": fields["persona"],
        "variables": pairs(fields["variable"], "--variable"),
    }
    return {
        "base": _present(base),
        "issue": fields["issue"],
        "template": _present(template),
        "qa": _checks(fields["qa"]),
    }


def _present(values: Mapping[str, Any], *empty: str) -> dict[str, Any]:
    """What was given; of the keys in `empty`, nothing is something too."""
    return {
        key: value for key, value in values.items() if value is not None and (key in empty or value not in ({}, []))
    }


def _checks(given: tuple[str, ...]) -> str | list[str] | None:
    """`auto`, a list of scripts, none at all (`none`), or what the project says (None). Raises UsageError."""
    words = [word for word in given if word in ("auto", "none")]
    if words and len(given) > 1:
        raise UsageError(f"--qa {words[0]} stands alone: leave the other checks out")
    if words:
        return "auto" if words == ["auto"] else []
    from reconciler.load.complaint import closest

    if len(given) == 1 and closest(given[0], ("auto",)):
        raise UsageError(f"--qa {given[0]}: did you mean auto? A script of that name is written ./{given[0]}")
    return list(given) or None


def _text(option: str, given: str | None, file: Any) -> str | None:
    """What an option or its twin for files gives; a file ends with a line break. Raises UsageError."""
    if given is not None and file is not None:
        raise UsageError(f"{option} and {option}-file are the same thing: use one of them")
    if given is None and file is None:
        return None
    try:
        text = given if given is not None else str(file.read())
    except UnicodeDecodeError:
        raise UsageError(f"{file.name} is not UTF-8: it has to be text") from None
    return text if text.endswith("\n") or "\n" not in text else f"{text}\n"


def _secret(text: str) -> str | dict[str, str]:
    name, equals, origin = text.partition("=")
    return {"name": name, "from": origin} if equals else name


def _number(text: str | None) -> int | str | None:
    return int(text) if text and re.fullmatch(r"\d{1,15}", text, re.ASCII) else text
