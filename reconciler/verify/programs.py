"""ssh-keygen and gpg say whether a signature is right, from declared keys alone; nothing of the user's is read."""

import base64
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconciler.load.signers import Key, read_key, ssh_fingerprint
from reconciler.model.trust import Signer
from reconciler.remote.scarcity import CannotStart
from reconciler.verify.signature import Commit, Odd, Signature, signature

if TYPE_CHECKING:
    from reconciler.remote.process import Ended

DEADLINE = 30.0  # seconds for one signature
# No agent is started, no server asked, no option or trust of anybody read.
GPG = (
    *("gpg", "--batch", "--no-tty", "--no-options", "--no-autostart", "--no-auto-key-retrieve", "--no-auto-key-locate"),
    *("--disable-dirmngr", "--no-auto-check-trustdb", "--lock-never", "--trust-model", "always", "--status-fd", "1"),
)
# The first that gpg says of a signature is why it is not accepted.
REFUSED = {
    "BADSIG": "its signature does not fit its content",
    "EXPKEYSIG": "the key of {name} has expired",
    "REVKEYSIG": "the key of {name} was revoked",
    "EXPSIG": "its signature has expired",
}


class Checker:
    """Checks signatures; a context manager, for it keeps files for gpg while it is used."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._keys: dict[tuple[Signer, ...], list[tuple[str, Key]]] = {}
        self._homes: dict[tuple[Signer, ...], Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def signer(self, commit: Commit, allowed: Sequence[Signer]) -> str:
        """Return which of those allowed has signed a commit. Raises Odd when nobody has, CannotStart without gpg."""
        found, signers = signature(commit), tuple(allowed)
        if signers not in self._keys:
            self._keys[signers] = list(_readable(signers))
        keys = self._keys[signers]
        if found.kind == "ssh":
            return _ssh(found, commit.payload, {key.data: (name, key) for name, key in keys if key.kind == "ssh"})
        names = {key.fingerprint: name for name, key in keys if key.kind == "gpg"}
        return _gpg(found, commit.payload, names, self._home(signers, keys))

    def _home(self, signers: tuple[Signer, ...], keys: Sequence[tuple[str, Key]]) -> Path:
        """A home for gpg with the declared keys in it, and nothing else."""
        if signers not in self._homes:
            home = Path(self._stack.enter_context(TemporaryDirectory(prefix="reconciler-gpg-")))
            for _, key in keys:
                if key.kind == "gpg":
                    _run([*GPG, "--homedir", str(home), "--import"], key.data, home)
            self._homes[signers] = home
        return self._homes[signers]


def _readable(signers: Sequence[Signer]) -> Iterator[tuple[str, Key]]:
    """The keys; what an older version remembered and this one cannot read has signed nothing."""
    for signer in signers:
        with suppress(ValueError):
            yield signer.name, read_key(signer.key)


def _ssh(found: Signature, payload: bytes, keys: Mapping[bytes, tuple[str, Key]]) -> str:
    if found.key not in keys:
        raise Odd(f"it is signed by a key that is not allowed, {ssh_fingerprint(found.key)}")
    name, key = keys[found.key]
    with TemporaryDirectory(prefix="reconciler-ssh-") as folder:
        allowed, armored = Path(folder) / "allowed", Path(folder) / "signature"
        allowed.write_text(f'signer namespaces="git" {key.text}\n')
        body = "\n".join(textwrap.wrap(base64.b64encode(found.data).decode(), 70))
        armored.write_text(f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n")
        files = ("-f", str(allowed), "-s", str(armored))
        ended = _run(["ssh-keygen", "-Y", "verify", "-n", "git", "-I", "signer", *files], payload, Path(folder))
    if ended.code != 0:
        raise Odd("its signature does not fit its content")
    return name


def _gpg(found: Signature, payload: bytes, names: Mapping[str, str], home: Path) -> str:
    with TemporaryDirectory(prefix="reconciler-sig-") as folder:
        file = Path(folder) / "signature"
        file.write_bytes(found.data)
        ended = _run([*GPG, "--homedir", str(home), "--verify", "--", str(file), "-"], payload, home)
    said = [line.split()[1:] for line in ended.output.decode("utf-8", "replace").splitlines()]
    said = [words for words in said if words]
    whose = {words[0]: words for words in said}
    if "ERRSIG" in whose:
        key = whose["ERRSIG"][7] if len(whose["ERRSIG"]) > 7 else whose["ERRSIG"][1]
        unknown = "NO_PUBKEY" in whose
        raise Odd(f"it is signed by a key that is not allowed, {key}" if unknown else "its signature cannot be read")
    valid = whose.get("VALIDSIG", [])
    name = names.get(valid[10], "") if len(valid) > 10 else ""
    for word, why in REFUSED.items():
        if word in whose:
            raise Odd(why.format(name=name or "its author"))
    kinds = [words[0] for words in said]
    if ended.code != 0 or kinds.count("GOODSIG") != 1 or kinds.count("VALIDSIG") != 1 or valid[9] != "00":
        raise Odd("its signature does not fit its content")
    if not name:
        raise Odd(f"it is signed by a key that is not allowed, {valid[1]}")
    return name


def _run(argv: Sequence[str], stdin: bytes, home: Path) -> "Ended":
    from reconciler.remote.process import run  # where nothing is signed, none of what it brings is imported

    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(home)}
    ended = run(argv, stdin, deadline=DEADLINE, environment=environment, directory=home, cap=1 << 20)
    if ended.expired:
        raise CannotStart(f"{argv[0]} did not end within {DEADLINE:.0f} s")
    return ended
