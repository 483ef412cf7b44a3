"""Where secret values come from, at launch only: `secrets.yaml` of the controller, else the environment."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.record.redactor import Redactor

__all__ = ["Redactor", "SecretError", "Secrets"]

MOST = 64 * 1024  # bytes of one value: what an environment surely takes

Run = Callable[[Sequence[str]], bytes]


class SecretError(ReconcilerError):
    """A secret cannot be had, or `secrets.yaml` does not say how; never shows a value."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How one secret is had; exactly one of the four is set."""

    env: str = ""
    file: str = ""
    command: tuple[str, ...] = ()
    gone: bool = False  # it was revoked: nobody gets it, and what it was need not be masked


class Secrets:
    """Resolves names. Nothing is kept here: every call asks anew."""

    def __init__(
        self,
        sources: Mapping[str, object],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        run: Run | None = None,
    ) -> None:
        """`sources`: secrets.yaml as parsed; `folder`: what relative paths in it start from; `run`: runs a command,
        gives its stdout and raises ReconcilerError when it fails. Raises SecretError for a wrong entry."""
        self._origins = {name: _origin(name, entry) for name, entry in sources.items()}
        self._environment = os.environ if environment is None else environment
        self._folder = folder or Path()
        self._run = run

    def resolve(self, names: Iterable[str]) -> dict[str, str]:
        """The values of `names`. Raises SecretError that names the first one missing."""
        return {name: self._value(name) for name in names}

    def missing(self, names: Iterable[str]) -> dict[str, str]:
        """Which of `names` cannot be had, and what to do; runs no command, so one that will fail is not found here."""
        found = {}
        for name in names:
            if self._of(name).command:
                continue
            try:
                self._value(name)
            except SecretError as problem:
                found[name] = str(problem)
        return found

    def asks(self, name: str) -> bool:
        """Whether a command has to be run for it, which may take its time."""
        return bool(self._of(name).command)

    def gone(self, name: str) -> bool:
        """Whether it was said to be no secret any more."""
        return self._of(name).gone

    def _of(self, name: str) -> Origin:
        return self._origins.get(name) or Origin(env=name)

    def _value(self, name: str) -> str:
        origin = self._of(name)
        if origin.env:
            raw = self._environment.get(origin.env, "").encode("utf-8", "surrogateescape")
            lacking = f"secret {name} is missing: set {origin.env} in the controller's environment"
            if name not in self._origins:
                lacking += f", or say in secrets.yaml where {name} comes from"
        elif origin.gone:
            raise SecretError(f"secret {name} is gone, as secrets.yaml says: take it out of what still names it")
        elif origin.file:
            raw, lacking = self._read(name, origin.file), f"secret {name} is missing: {origin.file} is empty"
        else:
            raw, lacking = self._ask(name, origin.command), f"secret {name} is missing: its command printed nothing"
        return _checked(name, raw, lacking)

    def _read(self, name: str, file: str) -> bytes:
        path = self._folder / file
        try:
            path = self._folder / Path(file).expanduser()
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise SecretError(f"secret {name} is missing: {path} is no regular file")
            with path.open("rb") as stream:
                return stream.read(MOST + 2)
        except (OSError, RuntimeError) as problem:
            why = problem.strerror if isinstance(problem, OSError) else str(problem)
            raise SecretError(f"secret {name} is missing: {path}: {why}") from None

    def _ask(self, name: str, command: Sequence[str]) -> bytes:
        if self._run is None:
            raise SecretError(f"secret {name} comes from a command, and commands are not run here")
        try:
            return self._run(command)
        except ReconcilerError as problem:
            raise SecretError(f"secret {name} is missing: {problem}") from None


def _origin(name: str, entry: object) -> Origin:
    wrong = SecretError(
        f"secrets.yaml: {name} needs exactly one of `env: NAME`, `file: PATH`, `command: [PROGRAM, ARGUMENT …]` "
        "and `gone: true`"
    )
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise wrong
    (key, value), *_ = entry.items()
    if key in ("env", "file") and isinstance(value, str) and value:
        return Origin(env=value) if key == "env" else Origin(file=value)
    if key == "gone" and value is True:
        return Origin(gone=True)
    words = value if key == "command" and isinstance(value, Sequence) and not isinstance(value, str) else ()
    if words and words[0] and all(isinstance(word, str) for word in words):
        return Origin(command=tuple(words))
    raise wrong


def _checked(name: str, raw: bytes, lacking: str) -> str:
    value = raw.removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise SecretError(lacking)
    if len(value) > MOST:
        raise SecretError(f"secret {name} is longer than {MOST} bytes: give the worker a path instead")
    if b"\0" in value:
        raise SecretError(f"secret {name} has a NUL byte in it: an environment cannot carry that, encode it as base64")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise SecretError(f"secret {name} is not UTF-8 text: encode it as base64") from None
