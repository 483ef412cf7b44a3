"""What the verbs that edit the fleet repository have in common: their options, where they work, how they end."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli.context import Context
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.load.edit import Workplace

F = TypeVar("F", bound=Callable[..., Any])


def edit_options(command: F) -> F:
    """`--no-commit` and `--push`."""
    command = click.option("--push", is_flag=True, help="Push the commit, too.")(command)
    return click.option("--no-commit", is_flag=True, help="Only change the file; you commit it.")(command)


def open_workplace(context: Context) -> "Workplace":
    """The work tree to edit. Raises UsageError for a URL or a bare repository: they have none."""
    from reconciler.load.edit import Workplace
    from reconciler.load.git import open_repository

    return Workplace(open_repository(context.repo, context.state_root / "repositories"))


def finish(place: "Workplace", what: str, *, no_commit: bool, push: bool, then: str, done: str = "") -> int:
    """Save the edits and say what was done (`what`) and what comes next; `done` is said when there was nothing to do.

    Raises ReconcilerError when the edit is refused; nothing was changed then."""
    if no_commit and push:
        raise UsageError("--push needs the commit that --no-commit leaves out: use one of them")
    saved = place.save(what, commit=not no_commit, push=push)
    if not saved.paths:
        click.echo(f"nothing to do: {done or 'it is so already'}")
    elif saved.commit:
        click.echo(f"committed {saved.commit[:7]}: {what}{' (pushed)' if push else ''}")
        _warn_unless_signed(place, saved.commit)
        click.echo(f"next: {then}", err=True)
    else:
        click.echo(f"changed {', '.join(saved.paths)}: {what}")
        click.echo(f"next: commit it; then {then}", err=True)
    return 0


def _warn_unless_signed(place: "Workplace", commit: str) -> None:
    from reconciler.cli.pins import pinned_signers
    from reconciler.verify.trust import who

    allowed = pinned_signers(click.get_current_context().find_object(Context) or Context()) or place.signers
    why = who(place.repository, commit, allowed)[1] if allowed else ""
    if why:
        advice = "`git commit --amend -S` signs it, `git config commit.gpgSign true` all that follow"
        click.echo(f"warning: {commit[:7]} will not be acted on: {why}; {advice}", err=True)


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """Take `KEY=VALUE` texts and return them as a mapping. Raises UsageError for what is no pair, or given twice."""
    found: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not key or not equals:
            raise UsageError(f"{option} {value!r}: write it like KEY=VALUE")
        if key in found:
            raise UsageError(f"{option} {key} is given twice: keep one of them")
        found[key] = text
    return found


def listed(names: Sequence[str]) -> str:
    """Names for a sentence: the first few, and how many more."""
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
