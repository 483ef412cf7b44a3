"""`reconciler host …`: edit Host documents; the verbs that talk to hosts are in modules of their own."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from reconciler.cli.arguments import bare
from reconciler.cli.completion import names
from reconciler.cli.context import Context
from reconciler.cli.editing import edit_options, finish, listed, open_workplace, pairs
from reconciler.errors import ReconcilerError

LAZY = {"check": "host_remote", "gate": "host_gate", "reset": "host_remote"}


class HostGroup(click.Group):
    """The group; it imports the verbs that talk to hosts only to run them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The edit verbs in the order of this file, then the others."""
        return [*self.commands, *LAZY]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; None for an unknown name."""
        if cmd_name in LAZY:
            command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{LAZY[cmd_name]}"), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=HostGroup)
def host() -> None:
    """Add, remove, check, gate, cordon, drain or reset hosts."""


@host.command()
@click.argument("name")
@click.option("--address", help="Name or address to connect to.")
@click.option("--user", help="Login name on the host.")
@click.option("--port", type=int, help="Port of its sshd.")
@click.option("--transport", type=click.Choice(["ssh", "local"]), help="How it is reached.")
@click.option("--identity-file", help="Private key on the controller.")
@click.option("--host-key", multiple=True, metavar="'TYPE BASE64'", help="Its public key, pinned. May be repeated.")
@click.option("--proxy-jump", help="Hosts to go through, as `ssh -J` takes them.")
@click.option("--ssh-option", multiple=True, metavar="KEY=VALUE", help="An option of ssh. May be repeated.")
@click.option("--deadline", metavar="DURATION", help="How long it may take to answer.")
@click.option("--min-free", metavar="SIZE", help="Disk space below which nothing new starts.")
@click.option("--workspace-root", metavar="DIR", help="Folder on the host for everything of this fleet.")
@click.option("--shell-prelude", metavar="SCRIPT", help="Runs before every worker: PATH, toolchains.")
@click.option("--slots", type=int, help="How many runs may be active there at once.")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="Environment of its workers. May be repeated.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="For selectors. May be repeated.")
@click.option("--cordon", is_flag=True, default=None, help="Start nothing on it yet.")
@edit_options
@click.pass_obj
def add(context: Context, /, name: str, label: tuple[str, ...], no_commit: bool, push: bool, **fields: Any) -> int:
    """Write hosts/NAME.yaml; the options are the fields of a Host (`reconciler explain host`)."""
    name = bare(name, "host")
    place = open_workplace(context)
    place.add("Host", name, spec_of(fields), pairs(label, "--label"))
    then = f"`reconciler host check {name}` tries the way there, the next cycle uses it"
    return finish(place, f"add host {name}", no_commit=no_commit, push=push, then=then)


@host.command()
@click.argument("name", shell_complete=names("host"))
@click.option("--force", is_flag=True, help="Even while work is on it: that work is cancelled.")
@edit_options
@click.pass_obj
def remove(context: Context, name: str, force: bool, no_commit: bool, push: bool) -> int:
    """Remove a Host document. Refused while work is on the host; drain it first."""
    name = bare(name, "host")
    place = open_workplace(context)
    site = place.find("Host", name)
    if not force:
        _refuse_work(context, name)
    place.remove(site)
    then = "the next cycle cancels what still runs there and cleans its workspace, as soon as the host answers"
    return finish(place, f"remove host {name}", no_commit=no_commit, push=push, then=then)


@host.command()
@click.argument("name", shell_complete=names("host"))
@edit_options
@click.pass_obj
def cordon(context: Context, name: str, no_commit: bool, push: bool) -> int:
    """Start nothing new on a host; what runs there goes on."""
    name = bare(name, "host")
    place = open_workplace(context)
    place.set(place.find("Host", name), ("spec", "cordon"), True)
    then = f"nothing new starts on {name} until `reconciler host uncordon {name}`"
    return finish(
        place, f"cordon host {name}", no_commit=no_commit, push=push, then=then, done=f"{name} is cordoned already"
    )


@host.command()
@click.argument("name", shell_complete=names("host"))
@edit_options
@click.pass_obj
def uncordon(context: Context, name: str, no_commit: bool, push: bool) -> int:
    """Let work start on a host again; this ends a drain, too."""
    name = bare(name, "host")
    place = open_workplace(context)
    site = place.find("Host", name)
    for key in ("cordon", "drain"):
        if site.spec.get(key):
            place.unset(site, ("spec", key))
    then = f"the next cycle may start work on {name}"
    return finish(
        place, f"uncordon host {name}", no_commit=no_commit, push=push, then=then, done=f"{name} is open already"
    )


@host.command()
@click.argument("name", shell_complete=names("host"))
@click.option("--deadline", metavar="DURATION", help="How long what runs may go on; 0s, or never.  [1h]")
@edit_options
@click.pass_obj
def drain(context: Context, name: str, deadline: str | None, no_commit: bool, push: bool) -> int:
    """Start nothing new on a host; what still runs at the deadline is cancelled and started elsewhere."""
    name = bare(name, "host")
    place = open_workplace(context)
    place.set(place.find("Host", name), ("spec", "drain"), {"deadline": deadline} if deadline else True)
    then = f"nothing new starts on {name}; it is empty when `reconciler get runs` shows none there"
    return finish(
        place, f"drain host {name}", no_commit=no_commit, push=push, then=then, done=f"{name} is draining already"
    )


def spec_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the fields of a Host's spec, in the order of a file; absent ones are left out. Raises UsageError."""
    spec = {
        "address": fields["address"],
        "transport": fields["transport"],
        "user": fields["user"],
        "port": fields["port"],
        "identityFile": fields["identity_file"],
        "hostKeys": list(fields["host_key"]),
        "proxyJump": fields["proxy_jump"],
        "sshOptions": pairs(fields["ssh_option"], "--ssh-option"),
        "deadline": fields["deadline"],
        "minFree": fields["min_free"],
        "workspaceRoot": fields["workspace_root"],
        "shellPrelude": fields["shell_prelude"],
        "slots": fields["slots"],
        "env": pairs(fields["env"], "--env"),
        "cordon": fields["cordon"],
    }
    return {key: value for key, value in spec.items() if value is not None and value not in ({}, [])}


def _refuse_work(context: Context, name: str) -> None:
    from reconciler.cli.opening import open_ledger
    from reconciler.model.run import ENDED

    with open_ledger(context) as ledger:
        active = [row.name for row in ledger.run_rows() if row.host == name and row.state not in ENDED]
    if active:
        raise ReconcilerError(
            f"{name} has work on it ({listed(active)}): `reconciler host drain {name}` first, or use --force"
        )
