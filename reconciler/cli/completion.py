"""`reconciler completion`, and the names that shells complete."""

from collections.abc import Callable

import click

from reconciler.cli.context import Context

KINDS = ("task", "run", "host", "project", "agent")
PLURALS = tuple(f"{kind}s" for kind in KINDS)
SHELLS = ("bash", "zsh", "fish")
HINTS = {
    "bash": 'eval "$(reconciler completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(reconciler completion zsh)"   # in ~/.zshrc, after compinit',
    "fish": "reconciler completion fish | source   # in ~/.config/fish/config.fish",
}

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command(epilog="\b\n" + "\n".join(HINTS.values()))
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell, to be read by its start-up file."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    root = ctx.find_root().command
    # Only the script is wanted: click's own `source()` of bash starts a bash to ask for its version.
    script = found(root, {}, "reconciler", "_RECONCILER_COMPLETE")
    click.echo(script.source_template % script.source_vars())


def names(kind: str) -> Complete:
    """Take a kind (`task`, `host` …) and return what completes its names from the ledger; nothing when that fails."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        prefix, slash, rest = incomplete.rpartition("/")
        try:
            return [f"{prefix}{slash}{name}" for name in _known(ctx, kind) if name.startswith(rest)]
        except Exception:  # a Tab key must never print a traceback into the user's line
            return []

    return complete


def kinds_then_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """`get` and `describe`: first a kind, then names of that kind."""
    words = [str(word) for word in ctx.params.get(str(parameter.name)) or ()]
    if not words and "/" not in incomplete:
        singular = ctx.info_name == "describe"
        return [kind for kind in (KINDS if singular else PLURALS) if kind.startswith(incomplete)]
    kind = (words[0] if words else incomplete.partition("/")[0]).removesuffix("s")
    return names(kind)(ctx, parameter, incomplete) if kind in KINDS else []


def _known(ctx: click.Context, kind: str) -> list[str]:
    from reconciler.cli.opening import open_ledger

    root = {key: value for key, value in ctx.find_root().params.items() if key not in ("help", "version")}
    with open_ledger(Context.from_settings(root)) as ledger:
        from reconciler.cli.rows import rows_of

        return sorted(row.name for row in rows_of(kind, ledger))
