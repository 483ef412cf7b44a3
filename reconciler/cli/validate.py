"""`reconciler validate`."""

import os
from typing import TYPE_CHECKING

import click

from reconciler.cli.context import OUTPUTS, Context
from reconciler.cli.printing import note

if TYPE_CHECKING:
    from reconciler.load.fleet import Loaded
    from reconciler.load.git import Repository


@click.command()
@click.argument("files", nargs=-1)
@click.option("--worktree", is_flag=True, help="Check the files as they are, committed or not.")
@click.option(
    "-o",
    "--output",
    type=click.Choice([*OUTPUTS, "github"]),
    default="table",
    envvar="RECONCILER_OUTPUT",
    show_default=True,
    help="How to print it; `github` annotates a pull request.",
)
@click.pass_obj
def validate(context: Context, files: tuple[str, ...], worktree: bool, output: str) -> int:
    """Check every file of what is checked out (or of --ref) and show all problems with their lines.

    As a pre-commit hook, or when FILES are named, the work tree is checked: always all of it, since a change in one
    file may break another.
    """
    from reconciler.load.git import open_repository
    from reconciler.show import problems
    from reconciler.show.document import INVALID, OK, envelope, text

    repository = open_repository(context.repo, context.state_root / "repositories")
    loaded, revision = _load(context, repository, worktree or bool(files) or _in_a_hook())
    loaded = _with_signature(context, repository, loaded, revision)
    valid = problems.valid(loaded.problems)
    if output in ("json", "yaml"):
        document = envelope(problems.body(loaded.problems), OK if valid else INVALID, revision)
        click.echo(text(document, output), nl=False)
    elif output == "github":
        click.echo(problems.github(loaded.problems), nl=False)
    else:
        from reconciler.cli.printing import paper

        click.echo(problems.listing(loaded.problems, paper(context)), nl=False, color=True)
        click.echo(problems.summary(loaded.problems), err=True)
    return OK.code if valid else INVALID.code


def _with_signature(context: Context, repository: "Repository", loaded: "Loaded", revision: str | None) -> "Loaded":
    """Where commits have to be signed: a warning when this one is not, by whom the commit before it allows.

    A warning, for what is validated is often a proposal, and it is the merge of it that gets signed."""
    from reconciler.cli.pins import pinned_signers

    fleet = next((document for document in loaded.documents if document.kind == "Fleet"), None)
    pinned = pinned_signers(context)
    own = loaded.desired.fleet.signers if loaded.desired else ()
    if fleet is None or not (pinned or own):
        return loaded
    if revision is None:
        click.echo("note: files that are not committed have no signature: nothing was verified", err=True)
        return loaded
    from dataclasses import replace

    from reconciler.load.documents import Parser
    from reconciler.load.fleet import signers_at
    from reconciler.model.problem import Problem, Severity
    from reconciler.verify.trust import proposed, who

    if pinned:
        why = who(repository, revision, pinned)[1]
    else:
        why = proposed(repository, revision, own, lambda commit: signers_at(repository, commit, Parser()))
    if not why:
        return loaded
    message = f"commit {revision[:12]} would not be acted on: {why}"
    hint = "have it, or the merge of it, signed by somebody who may"
    warning = Problem(fleet.source.file, fleet.source.line, 1, "spec.verify", message, hint, Severity.WARNING)
    return replace(loaded, problems=tuple(sorted((*loaded.problems, warning))))


def _load(context: Context, repository: "Repository", worktree: bool) -> "tuple[Loaded, str | None]":
    """What is to be checked, and the commit it is of; None for files that nobody has committed."""
    from reconciler.load.documents import Parser
    from reconciler.load.fleet import load, load_worktree
    from reconciler.load.git_command import Damaged, RepositoryError

    if not worktree:
        repository.fetch()
        try:
            commit = repository.resolve(context.ref)
        except RepositoryError as failure:
            # Before the first commit there is only one thing that can be meant.
            meant = context.ref is None and repository.work_tree is not None and repository.branch() is not None
            if isinstance(failure, Damaged) or not meant:
                raise
        else:
            changed = repository.uncommitted() if context.ref is None else []
            if changed:
                named = f"{len(changed)} file{'s are' if len(changed) > 1 else ' is'} changed but not committed"
                note(f"{named}: `reconciler validate --worktree` checks them")
            return load(repository, commit, Parser(), {}), commit
    return load_worktree(repository, Parser(), {}), None


def _in_a_hook() -> bool:
    """Whether git or pre-commit runs us before a commit: what counts then is what is about to be committed."""
    return bool(os.environ.get("PRE_COMMIT") or os.environ.get("GIT_INDEX_FILE"))
