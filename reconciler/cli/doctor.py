"""`reconciler doctor`."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.context import Context, output_option
from reconciler.errors import Exit, ReconcilerError

if TYPE_CHECKING:
    from reconciler.engine.desired import Wanted
    from reconciler.model.desired import Desired
    from reconciler.observe.check import Check


@click.command()
@output_option
@click.pass_obj
def doctor(context: Context, output: str) -> int:
    """Check this machine, the repository and every host. Exit 0, or 3 when something is missing."""
    from reconciler.cli.host_remote import check_hosts, print_checks
    from reconciler.cli.opening import load_secrets, open_fleet
    from reconciler.model.problem import Severity
    from reconciler.observe.check import Check
    from reconciler.record.ledger import Ledger

    checks = [
        Check("", "python", sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}"),
        *(
            Check("", name, bool(path), path or f"{name} is not on PATH: install it")
            for name in ("git", "ssh", "bash")
            for path in [shutil.which(name)]
        ),
    ]
    try:
        load_secrets()
        checks.append(Check("", "secrets", True, "the secrets configuration can be read"))
    except ReconcilerError as problem:
        checks.append(Check("", "secrets", False, str(problem)))
    revision = None
    try:
        fleet = open_fleet(context)
        with Ledger.open(fleet.folder / "ledger.db", readonly=True) as ledger:
            desired, _ = fleet.wanted.read(ledger)
        errors = sum(problem.severity is Severity.ERROR for problem in desired.problems)
        found = f"tasks: {len(desired.tasks)}, hosts: {len(desired.hosts)}, at {desired.revision[:12]}"
        checks.append(Check("", "repository", True, found))
        why = f"{errors} problems: run `reconciler validate`" if errors else "every document is valid"
        checks.append(Check("", "documents", not errors, why))
        checks += _signed(fleet.wanted, desired)
        checks.append(_state(fleet.folder))
        revision, found_there = check_hosts(context, fleet, ())
        checks += found_there
    except ReconcilerError as problem:
        checks.append(Check("", "repository", False, str(problem)))
    code = Exit.OK if all(item.ok for item in checks) else Exit.PARTIAL
    print_checks(context, checks, output, code, revision)
    return code


def _signed(wanted: "Wanted", desired: "Desired") -> "list[Check]":
    """Whether the newest commit is acted on, where commits have to be signed."""
    from reconciler.observe.check import Check
    from reconciler.verify.trust import who

    allowed = wanted.pinned or desired.fleet.signers
    if desired.refused:
        return [Check("", "signatures", False, str(desired.refused))]
    if not allowed:
        return []
    name, why = who(wanted.repository, desired.revision, allowed)
    said = f"is signed by {name}" if name else f"counts because a person vouched for it: {why}"
    return [Check("", "signatures", True, f"{desired.revision[:12]} {said}")]


def _state(folder: Path) -> "Check":
    """Whether the ledger can be written where it is, or will be."""
    from reconciler.observe.check import Check

    there = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(there, os.W_OK):
        return Check("", "state", True, str(folder))
    return Check("", "state", False, f"{there} cannot be written: check who owns it, or use another --state-dir")
