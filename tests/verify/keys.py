"""Real keys of SSH and GPG, and commits signed with them."""

import os
import subprocess
from pathlib import Path

from tests.load.repositories import Work

MAKE = ("gpg", "--batch", "--passphrase", "")  # without one, nothing has to be worked out to protect a key


class Keys:
    """Keys in a folder; its gpg has a home and an agent of its own, which `close` ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "gnupg"
        self.home.mkdir(parents=True, mode=0o700)
        self._public: dict[str, str] = {}

    def close(self) -> None:
        self._run("gpgconf", "--kill", "all")

    def ssh(self, name: str, *options: str) -> str:
        """Make a key of SSH; gives the line of its .pub file."""
        self._run(
            "ssh-keygen", "-q", "-N", "", "-C", "", "-f", str(self.folder / name), *(options or ("-t", "ed25519"))
        )
        self._public[name] = (self.folder / f"{name}.pub").read_text().strip()
        return self._public[name]

    def gpg(self, name: str, algorithm: str = "ed25519", expires: str = "never") -> str:
        """Make a key of GPG; gives it armored."""
        self._run(*MAKE, "--quick-gen-key", f"{name} <{name}@example.org>", algorithm, "cert,sign", expires)
        return self.exported(name)

    def exported(self, name: str) -> str:
        """The public key of GPG as it is now."""
        return self._run("gpg", "--armor", "--export", f"{name}@example.org")

    def fingerprint(self, name: str) -> str:
        """Of a key of GPG."""
        listed = self._run("gpg", "--with-colons", "--list-keys", f"{name}@example.org")
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    def by(self, name: str) -> tuple[str, ...]:
        """What makes git sign as somebody."""
        if (self.folder / name).exists():
            options = ("gpg.format=ssh", f"user.signingKey={self.folder / name}")
        else:
            options = ("gpg.format=openpgp", f"user.signingKey={self.fingerprint(name)}", f"gpg.program={self._gpg()}")
        return tuple(word for option in (*options, "commit.gpgSign=true") for word in ("-c", option))

    def run(self, *words: str, stdin: bytes = b"") -> bytes:
        """Run a program with the home of this gpg."""
        environment = {**os.environ, "GNUPGHOME": str(self.home), "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(words, input=stdin, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _run(self, *words: str) -> str:
        return self.run(*words).decode()

    def _gpg(self) -> Path:
        program = self.folder / "gpg"
        if not program.exists():
            program.write_text(f'#!/bin/sh\nGNUPGHOME={self.home} exec gpg "$@"\n')
            program.chmod(0o755)
        return program


def fleet(signers: dict[str, str], *lines: str, id: str = "4f9d2c7e81b3") -> str:
    """A Fleet document that allows these."""
    listed = "".join(
        f"      - name: {name}\n        key: |-\n" + "".join(f"          {line}\n" for line in key.splitlines())
        for name, key in signers.items()
    )
    verify = f"  verify:\n    allowedSigners:\n{listed}" if signers else ""
    more = "".join(f"  {line}\n" for line in lines)
    return f"apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {{name: home}}\nspec:\n  id: {id}\n{verify}{more}"


def signed(work: Work, keys: Keys, name: str, files: dict[str, str | None], message: str = "change") -> str:
    """Commit files, signed by somebody (by nobody without a name); gives the id."""
    work.write(files)
    work.git("add", "--all")
    who = keys.by(name) if name else ("-c", "commit.gpgSign=false")
    work.git(*who, "commit", "--quiet", "--allow-empty", "-m", message)
    return work.git("rev-parse", "HEAD")


def written(work: Work, data: bytes) -> str:
    """Put a commit object into a repository byte by byte and the branch at it; gives its id."""
    done = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        cwd=work.path,
        input=data,
        capture_output=True,
        check=True,
    )
    found = done.stdout.decode().strip()
    work.git("update-ref", "refs/heads/main", found)
    return found


def raw(work: Work, commit: str = "HEAD") -> bytes:
    """The bytes of a commit."""
    done = subprocess.run(["git", "cat-file", "commit", commit], cwd=work.path, capture_output=True, check=True)
    return done.stdout
