"""The door to git: one process a call, constants, literal paths and hex ids in its command line, nothing kept open."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import git
import git.exc

from reconciler.errors import ReconcilerError

NETWORK_DEADLINE = 60.0  # seconds for a question to a remote
FETCH_DEADLINE = 900.0  # seconds for the objects themselves

# Nothing of a repository's configuration may run a program or start a daemon while we look at it.
QUIET = (
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "advice.detachedHead=false",
)
NO_HOOKS = ("-c", "core.hooksPath=/dev/null")

UNATTENDED: Mapping[str, str] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",  # a path is a path, never a pattern
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
}
READING: Mapping[str, str] = {
    **UNATTENDED,
    "LC_ALL": "C.UTF-8",  # what git says is read, and shown
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit is what its id says, and follows what it names
    "GIT_GRAFT_FILE": os.devnull,
}
OWN_CLONE: Mapping[str, str] = {**READING, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


class RepositoryError(ReconcilerError):
    """The fleet repository cannot be read or written."""


class Damaged(RepositoryError):
    """Objects or refs of the fleet repository are broken or missing."""


class Output(NamedTuple):
    """What git answered."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as one stripped line; bytes that are not UTF-8 survive as surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape").strip("\n")


def call(
    directory: Path,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] = READING,
    stdin: bytes = b"",
    deadline: float | None = None,
) -> Output:
    """Run `git ARGUMENTS` in a directory and take its code, output and messages; raise RepositoryError without git."""
    try:
        with tempfile.TemporaryFile() as stream:
            stream.write(stdin)
            stream.seek(0)
            code, stdout, stderr = git.Git(directory).execute(
                ["git", *QUIET, *arguments],
                istream=stream,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                env=dict(environment),
                kill_after_timeout=deadline,
            )
    except git.exc.GitCommandNotFound:
        raise RepositoryError("git is not installed: install it, or put it on PATH") from None
    except (OSError, RuntimeError) as problem:  # no descriptor, process, thread or disk left for it
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise RepositoryError(f"git cannot be started: {why}; see `ulimit -a` and {tempfile.gettempdir()}") from None
    return Output(code, stdout if isinstance(stdout, bytes) else str(stdout).encode(), redacted(str(stderr)))


def redacted(text: str) -> str:
    """Take a message of git and return it without the credentials that its URLs may carry."""
    return re.sub(r"(://)[^/\s]*@", r"\1…@", text)


def reason(output: Output) -> str:
    """Take an answer that failed and return the sentence git gave for it."""
    if output.stderr.startswith("Timeout:"):
        return "it did not answer in time"
    said = (line.strip() for line in output.stderr.splitlines())
    lines = [line for line in said if line and not line.startswith("hint:")]
    for prefix in ("fatal: ", "error: "):
        for line in lines:
            if line.startswith(prefix):
                return line.removeprefix(prefix).rstrip(".")
    return lines[-1].rstrip(".") if lines else f"git ended with exit code {output.code}"


def ssh_environment(directory: Path) -> Mapping[str, str]:
    """Return what keeps ssh below git from asking anything, unless the user has an ssh command of their own."""
    if "GIT_SSH_COMMAND" in os.environ or "GIT_SSH" in os.environ:
        return {}
    if call(directory, ["config", "--get", "core.sshCommand"]).stdout.strip():
        return {}
    return {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15"}
