"""`reconciler init`."""

import re
import shlex
from pathlib import Path

import click

from reconciler.cli.context import Context
from reconciler.errors import UsageError
from reconciler.home import expanded

STARTER = ("fleet.yaml", "hosts/local.yaml", "tasks/hello.yaml")


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def init(context: Context, folder: Path | None) -> int:
    """Write a starter fleet repository to DIR (here, without one) that runs at once on this machine.

    Makes a git repository when there is none, and the first commit when the folder was empty. Overwrites nothing.
    """
    from reconciler.load.edit_init import begin

    if folder is None:
        if ":" in context.repo and not Path(context.repo).exists():
            raise UsageError(f"{context.repo} is no folder: clone it, and name the clone")
        folder = expanded(context.repo)
    name = slug(folder.resolve().name)
    begun = begin(folder, starter(name), f"Start the fleet {name}\n")
    click.echo(f"wrote {', '.join(STARTER)}{f' to {folder}' if str(folder) != '.' else ''}: the fleet {name}")
    if begun.commit:
        note = ", as the user `reconciler`: git does not know who you are" if begun.nobody else ""
        click.echo(f"committed {begun.commit[:7]}: Start the fleet {name}{note}")
        if begun.nobody:
            click.echo("tell it with `git config --global user.name …` and user.email before you commit", err=True)
    click.echo("next:")
    if str(folder) != ".":
        click.echo(f"  cd {shlex.quote(str(folder))}")
    if not begun.commit:
        click.echo(f"  git add {' '.join(STARTER)} && git commit -m 'Start the fleet'")
    click.echo("  reconciler plan               # what would happen, and why")
    click.echo("  reconciler reconcile --wait   # make it so")
    click.echo("  reconciler logs hello         # what the worker wrote")
    return 0


def slug(text: str) -> str:
    """Take a folder's name and return the nearest name a fleet can have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "fleet"


def starter(name: str) -> dict[str, str]:
    """Take the fleet's name and return the starter's files by path, with an id, this machine's name
    and a workspace of the fleet's own in them."""
    import secrets
    import socket

    from reconciler.load.edit_text import set_value

    files = {path: (_folder() / path).read_text(encoding="utf-8") for path in STARTER}
    fleet = set_value(files["fleet.yaml"], 0, ("metadata", "name"), name)
    token = secrets.token_hex(8)
    files["fleet.yaml"] = set_value(fleet, 0, ("spec", "id"), token)
    host = files["hosts/local.yaml"]
    here = socket.gethostname()
    if re.fullmatch(r"(?!-)[A-Za-z0-9:._-]{1,253}", here):
        host = set_value(host, 0, ("spec", "address"), here)
    # A workspace belongs to one fleet, and a person tries things in more than one.
    files["hosts/local.yaml"] = set_value(host, 0, ("spec", "workspaceRoot"), f"~/.reconciler-{name}-{token[:6]}")
    return files


def _folder() -> Path:
    """The quickstart: in an installed package its copy, in a checkout the example itself."""
    package = Path(__file__).parents[1]
    packaged = package / "starter"
    return packaged if packaged.is_dir() else package.parent / "examples" / "quickstart"
