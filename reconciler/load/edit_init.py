"""The beginning of a fleet repository: `git init` where there is none, files, and the first commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError, UsageError
from reconciler.load.edit import Workplace
from reconciler.load.git import open_repository
from reconciler.load.git_command import UNATTENDED, RepositoryError, call, reason

NOBODY = ("-c", "user.name=reconciler", "-c", "user.email=reconciler@localhost")


@dataclass(frozen=True, slots=True)
class Begun:
    """What was done. `commit` is empty when the folder held other files: the user decides what goes together."""

    created: bool  # the git repository is new
    commit: str = ""
    nobody: bool = False  # the commit was made as `reconciler`: git knows no user here


def begin(folder: Path, files: Mapping[str, str], message: str) -> Begun:
    """Take a folder (made when it is not there), files by path inside it, and the first commit's message.

    Raises UsageError when there is a fleet, or one of the files, already; RepositoryError when git refuses."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder")
    empty = not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir())
    taken = [path for path in files if (folder / path).exists()]
    if taken:
        raise UsageError(f"{', '.join(taken)}: there already, and not overwritten; choose another folder")
    created = not _inside_repository(folder)
    if not created:
        _refuse_fleet(folder)
    for path, text in files.items():
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise ReconcilerError(f"cannot write {folder / path}: {error.strerror}") from None
    if created:
        named = call(folder, ["config", "--get", "init.defaultBranch"]).code == 0
        output = call(folder, ["init", "--quiet", *(() if named else ("--initial-branch=main",))])
        if output.code:
            raise RepositoryError(f"cannot make a git repository in {folder}: {reason(output)}")
    return _commit(folder, list(files), message, created) if empty else Begun(created)


def _commit(folder: Path, paths: list[str], message: str, created: bool) -> Begun:
    identities = [call(folder, ["var", f"GIT_{who}_IDENT"]).code for who in ("AUTHOR", "COMMITTER")]
    nobody = NOBODY if any(identities) else ()
    output = call(folder, ["add", "--", *paths], environment=UNATTENDED)
    if not output.code:
        arguments = [*nobody, "commit", "--quiet", "--only", "-F", "-", "--", *paths]
        output = call(folder, arguments, stdin=message.encode(), environment=UNATTENDED)
    if output.code:
        raise RepositoryError(f"the files are there, but git refused to commit them: {reason(output)}")
    return Begun(created, call(folder, ["rev-parse", "HEAD"]).text, bool(nobody))


def _inside_repository(folder: Path) -> bool:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return call(existing, ["rev-parse", "--is-inside-work-tree"]).text == "true"


def _refuse_fleet(folder: Path) -> None:
    if not folder.exists():
        return
    place = Workplace(open_repository(str(folder), folder))
    fleet = next(iter(place.documents("Fleet")), None)
    if fleet is not None:
        raise UsageError(f"there is a fleet here already, {fleet.name}, in {fleet.source.file}: choose another folder")
