"""The commands. Modules are imported when their command is used, so that `--help` is instant."""

import gc
import importlib
import os
import sys
from io import TextIOWrapper
from typing import NoReturn

import click

from reconciler import __version__
from reconciler.cli.context import GLOBAL_OPTIONS, OUTPUT_OPTIONS, Context, global_options
from reconciler.cli.failing import guarded
from reconciler.errors import UsageError

# name -> (module:attribute, one line of help); the order is that of a first day's work.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init:init", "Write a starter fleet repository that runs at once on this machine."),
    "validate": ("validate:validate", "Check every file and show all problems with their lines."),
    "plan": ("plan:plan", "Show what would change, and why. Changes nothing anywhere."),
    "reconcile": ("reconcile:reconcile", "Run one cycle; with --wait, until nothing is left to do."),
    "watch": ("watch:watch", "Converge for ever: the daemon."),
    "get": ("get:get", "List hosts, tasks, runs, projects or agents."),
    "describe": ("describe:describe", "Everything about one host, task, run, project or agent."),
    "events": ("events:events", "What happened, newest last."),
    "logs": ("logs:logs", "Print what a task's worker wrote."),
    "wait": ("wait:wait", "Wait until a task runs or has ended, or a commit was acted on."),
    "exec": ("execute:execute", "Open a shell, or run a command, where a task's worker works."),
    "host": ("host:host", "Add, remove, check, gate, cordon, drain or reset hosts."),
    "task": ("task:task", "Write, close, reopen, rerun or follow up tasks; see a prompt."),
    "suspend": ("suspend:suspend", "Start nothing more of some tasks or of the whole fleet."),
    "resume": ("suspend:resume", "Take a suspension back."),
    "cleanup": ("cleanup:cleanup", "Remove what nothing owns any more, on every host."),
    "doctor": ("doctor:doctor", "Check this machine, the repository and all hosts."),
    "explain": ("explain:explain", "Explain a kind or one of its fields."),
    "schema": ("explain:schema", "Print the JSON Schema of a kind."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
    "version": ("version:version", "Print the version."),
}


ANYWHERE = "Options of all commands (-C, --ref, --state-dir …) may stand anywhere: see `reconciler --help`."


# After so many more objects than went, Python looks for those that hold only each other. Its own 700 is meant for small
# programs: a fleet of 10,000 tasks is decided on in a third less time, and of such objects there are next to none.
COLLECT_AFTER = 10_000


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{module}"), attribute)
        if not command.epilog:
            command.epilog = ANYWHERE
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is told with the one that was meant."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from reconciler.show.selector import did_you_mean

            hint = did_you_mean(args[0], COMMANDS) or ": `reconciler --help` lists them all"
            raise UsageError(f"there is no command '{args[0]}'{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok · 1 error or invalid · 2 changes · 3 partial · 4 held · 5 task failed · 6 timeout · "
    "7 lease · 64 usage · 70 bug · 130 interrupted.",
)
@click.version_option(__version__, message="%(version)s")
@global_options
@click.pass_context
def cli(ctx: click.Context, /, **settings: object) -> None:
    """Tasks and hosts in git, workers on your machines over SSH."""
    ctx.obj = Context.from_settings(settings)
    if ctx.obj.log_level == "crash":
        raise RuntimeError("raised on purpose: --log-level crash")


def main() -> NoReturn:
    """The `reconciler` command."""
    _prepare()
    sys.exit(guarded(cli, hoisted(sys.argv[1:])))


def reconcile_main() -> NoReturn:
    """The `reconcile` command: `reconciler reconcile` by a name of its own."""
    _prepare()
    sys.exit(guarded(cli, hoisted(["reconcile", *sys.argv[1:]])))


def _prepare() -> None:
    gc.set_threshold(COLLECT_AFTER)
    _speak_anyway()


def _speak_anyway() -> None:
    """A terminal that lacks a character gets `?` for it, instead of a traceback; what is closed leads nowhere, so that
    no other file takes its number and gets what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def hoisted(arguments: list[str]) -> list[str]:
    """Global options may stand anywhere on the line, and `-o` before the verb, as in kubectl; click is stricter.

    What a verb has under the same name is the verb's own after it: `host add box1 --identity-file KEY`.
    """
    before: list[str] = []
    rest: list[str] = []
    after: list[str] = []  # `-o json` from before the verb: the verb's own option
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*before, *rest, *after, word, *words]
        name, equals, _ = word.partition("=")
        early = not rest and (name in OUTPUT_OPTIONS or (word.startswith("-o") and not word.startswith("--")))
        if (name not in GLOBAL_OPTIONS and not early) or (name in GLOBAL_OPTIONS and name in _own(rest)):
            rest.append(word)
            continue
        place = after if early else before
        place.append(word)
        if word in OUTPUT_OPTIONS or (GLOBAL_OPTIONS.get(name) and not equals):
            place.extend(value for value in [next(words, None)] if value is not None)
    return [*before, *rest, *after]


def _own(words: list[str]) -> set[str]:
    """The options of the verb that a line begins with; none while there is no verb."""
    command: click.Command | None = cli
    with click.Context(cli) as context:
        for word in words:
            if not isinstance(command, click.Group):
                break
            command = command.get_command(context, word)
    return {option for each in command.params for option in each.opts} if command and words else set()
