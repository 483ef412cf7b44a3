"""`reconciler host gate`: bind the key that the controller comes with to reconciler's own scripts."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names as known_names
from reconciler.cli.context import Context
from reconciler.cli.reading import unknown
from reconciler.errors import PartialFailure, UsageError

if TYPE_CHECKING:
    from reconciler.model.host import Host
    from reconciler.remote.transport import Remote

_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}={0,3}(?: [^\x00-\x1f\x7f]*)?\Z")


@click.command()
@click.argument("name", shell_complete=known_names("host"))
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Public key to bind (a .pub file).  [default: renew the gate, and bind none]",
)
@click.option("--observe", is_flag=True, help="The key may look, and change nothing.")
@click.option("--only", is_flag=True, help="Scripts of other versions are not allowed any more.")
@click.option("--install", is_flag=True, help="Run it on the host, over a login that has a shell there.")
@click.option("--worktree", is_flag=True, help="Read the files as they are, committed or not.")
@click.pass_obj
def gate(
    context: Context, name: str, key: Path | None, observe: bool, only: bool, install: bool, worktree: bool
) -> int:
    """Print the script that binds a key to reconciler's scripts on a host, or run it there.

    Such a key gives no shell: no `exec`, no sftp, no forwarding. The host's workspaceRoot, its shellPrelude and the
    fleet are fixed with it. After an upgrade, or when one of them changes, run it again; until then the scripts of the
    version before stay allowed, unless --only. It takes a key with a shell: --identity-file names it for --install.
    """
    from reconciler.cli.opening import open_fleet
    from reconciler.model.host import Transport
    from reconciler.record.ledger import Ledger
    from reconciler.remote.gate import Gate, installer

    name = bare(name, "host")
    if observe and not key:
        raise UsageError("--observe says what a key may do: name the key with --key")
    fleet = open_fleet(context, worktree=worktree)
    with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
        desired, _ = fleet.wanted.read(ledger)
    if name not in desired.hosts:
        raise unknown("host", name, desired.hosts)
    host = desired.hosts[name]
    if host.transport is not Transport.SSH:
        raise UsageError(f"{name} is reached without ssh: there is no key to bind")
    bound = Gate(host, desired.fleet.name, desired.fleet.id, _public(key) if key else "", observe, only)
    text = installer(bound)
    if not install:
        click.echo(text, nl=False)
        return 0
    from reconciler.remote.transport import Remote, Unknown

    remote = Remote(fleet.folder, ssh_config=context.ssh_config, identity_file=context.identity_file)
    try:
        reply = remote.call(host, "gate", [("installer", text)], deadline=host.deadline)
    finally:
        remote.close()
    if isinstance(reply, Unknown):
        raise PartialFailure(f"{name}: {reply.why} (it takes a login with a shell: name its key with --identity-file)")
    if reply.code:
        raise PartialFailure(f"{name}: {' '.join(reply.text('error').split())}")
    click.echo(reply.text("said"))
    if key:
        click.echo(_tried(Remote(fleet.folder, ssh_config=context.ssh_config), host, key, bound.mode))
    return 0


def _tried(remote: "Remote", host: "Host", key: Path, mode: str) -> str:
    """Log in with the key that was bound; return what came of it. Raises PartialFailure when it is not bound there."""
    from reconciler.observe.gate import unproven

    private = key.with_suffix("").absolute()
    try:
        if key.suffix != ".pub" or not private.is_file():
            return (
                f"not confirmed by a login, as the private half of {key} is not beside it: "
                f"`reconciler host check {host.name}` from where it is tries it"
            )
        why = unproven(remote, replace(host, identity_file=str(private)), mode)
    finally:
        remote.close()
    if why:
        raise PartialFailure(
            f"{host.name}: the line was written, but a login with {private} did not come through the gate ({why}): "
            "where AuthorizedKeysFile in its sshd_config names another file, put that line there; "
            f"`reconciler host check {host.name}` tries again"
        )
    return f"a login with {private} came through it"


def _public(path: Path) -> str:
    """The line of a .pub file. Raises UsageError for a private key, and for several keys."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not _KEY.match(text):
        raise UsageError(f"--key: {path} is not the public half of one key, as ssh-keygen writes it into a .pub file")
    return text
