"""The global options, and what they open."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

# option -> takes a value; they are accepted anywhere on the line.
GLOBAL_OPTIONS = {
    "-C": True,
    "--repo": True,
    "--ref": True,
    "--state-dir": True,
    "--ssh-config": True,
    "--identity-file": True,
    "--allowed-signers": True,
    "--log-format": True,
    "--log-level": True,
    "--color": False,
    "--no-color": False,
}
OUTPUT_OPTIONS = ("-o", "--output")
OUTPUTS = ("table", "wide", "json", "yaml")


@dataclass(frozen=True)
class Context:
    """Where the fleet is and how to reach it; opened lazily by the commands that need it."""

    repo: str = "."
    ref: str | None = None
    state_dir: Path | None = None
    ssh_config: Path | None = None
    identity_file: Path | None = None
    allowed_signers: Path | None = None
    log_format: str = "text"
    log_level: str = "info"
    color: bool | None = None  # None: a terminal decides
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: dict[str, object]) -> "Context":
        """Click's parameters as a Context."""
        given = {key: value for key, value in settings.items() if value is not None}
        return replace(cls(), **given)  # type: ignore[arg-type]

    @cached_property
    def state_root(self) -> Path:
        """The folder of everything this controller remembers, all fleets together."""
        if self.state_dir is not None:
            from reconciler.home import expanded

            return expanded(self.state_dir).resolve()
        from platformdirs import user_state_path

        return user_state_path("reconciler")


def global_options(command: F) -> F:
    """The options that stand before the verb, each with its environment twin."""
    options = [
        click.option(
            "-C",
            "--repo",
            metavar="DIR|URL",
            show_envvar=True,
            envvar="RECONCILER_REPO",
            help="The fleet repository.  [default: .]",
        ),
        click.option(
            "--ref",
            show_envvar=True,
            envvar="RECONCILER_REF",
            help="Branch to follow.  [default: the one checked out at the first start]",
        ),
        click.option(
            "--state-dir",
            type=click.Path(path_type=Path),
            show_envvar=True,
            envvar="RECONCILER_STATE_DIR",
            help="What this controller remembers.  [default: ~/.local/state/reconciler]",
        ),
        click.option(
            "--ssh-config",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            show_envvar=True,
            envvar="RECONCILER_SSH_CONFIG",
            help="Let ssh read this configuration; addresses may be aliases in it.",
        ),
        click.option(
            "--identity-file",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            show_envvar=True,
            envvar="RECONCILER_IDENTITY_FILE",
            help="Use this key for every host.",
        ),
        click.option(
            "--allowed-signers",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            show_envvar=True,
            envvar="RECONCILER_ALLOWED_SIGNERS",
            help="Act only on commits signed by a key in this file, whatever the fleet says.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            show_envvar=True,
            envvar="RECONCILER_LOG_FORMAT",
            help="How log lines look.  [default: text]",
        ),
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error", "crash"]),
            metavar="debug|info|warning|error",
            show_envvar=True,
            envvar="RECONCILER_LOG_LEVEL",
            help="How much is logged.  [default: info]",
        ),
        click.option(
            "--color/--no-color", default=None, help="Colour, or none.  [default: on a terminal, without NO_COLOR]"
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def output_option(command: F) -> F:
    """`-o table|wide|json|yaml`, wherever something is listed."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(OUTPUTS),
        default="table",
        show_envvar=True,
        envvar="RECONCILER_OUTPUT",
        show_default=True,
        help="How to print it.",
    )(command)
