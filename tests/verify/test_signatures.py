"""Which signatures count: by ssh-keygen and gpg, over exactly these bytes, with a key that is declared."""

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.load.git import open_repository
from reconciler.load.signers import read_key
from reconciler.model.trust import Signer
from reconciler.verify.trust import who
from tests.load.repositories import Work
from tests.verify.keys import MAKE, Keys, raw, signed, written

BLOCK = re.compile(rb"gpgsig (.*?\n)(?! )", re.DOTALL)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "work")


def judged(work: Work, keys: Keys, *names: str, key: str = "") -> tuple[str, str]:
    """Who has signed the head, or why nobody has."""
    allowed = [Signer(name, key or public(keys, name)) for name in names]
    return who(open_repository(str(work.path), work.path), work.git("rev-parse", "main"), allowed)


def public(keys: Keys, name: str) -> str:
    file = keys.folder / f"{name}.pub"
    return file.read_text().strip() if file.exists() else keys.exported(name)


@pytest.mark.parametrize(
    "options", [("-t", "rsa", "-b", "2048"), ("-t", "ecdsa"), ("-t", "ecdsa", "-b", "521")], ids=["rsa", "p256", "p521"]
)
def test_every_kind_of_ssh_key_counts(work: Work, keys: Keys, options: tuple[str, ...]) -> None:
    name = "-".join(options).strip("-")
    keys.ssh(name, *options)
    signed(work, keys, name, {"a": "a"})
    assert judged(work, keys, "jane", name) == (name, "")


def test_a_key_on_a_token_counts(work: Work, keys: Keys, tmp_path: Path) -> None:
    """A token signs the hash of its application, a flag that somebody touched it, a counter, and the message's hash."""
    secret, der = tmp_path / "secret.pem", tmp_path / "public.der"
    keys.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(secret))
    keys.run("openssl", "pkey", "-in", str(secret), "-pubout", "-outform", "DER", "-out", str(der))
    kind, application = b"sk-ssh-ed25519@openssh.com", b"ssh:"
    blob = _strings(kind, der.read_bytes()[-32:], application)
    line = f"{kind.decode()} {base64.b64encode(blob).decode()}"
    signed(work, keys, "", {"a": "a"})
    payload = raw(work)

    def sha(algorithm: str, data: bytes) -> bytes:
        return keys.run("openssl", "dgst", f"-{algorithm}", "-binary", stdin=data)

    message = b"SSHSIG" + _strings(b"git", b"", b"sha512", sha("sha512", payload))
    touched, counter = b"\1", b"\0\0\0\7"
    (tmp_path / "told").write_bytes(sha("sha256", application) + touched + counter + sha("sha256", message))
    words = ("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(secret), "-in", str(tmp_path / "told"))
    own = _strings(kind, keys.run(*words))
    for said, expected in ((touched + counter, ("token", "")), (b"\5" + counter, ("", DOES_NOT_FIT))):
        data = b"SSHSIG\0\0\0\1" + _strings(blob, b"git", b"", b"sha512", own + said)
        armor = b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(data) + b"-----END SSH SIGNATURE-----"
        written(work, _with(payload, armor))
        assert judged(work, keys, "token", key=line) == expected


def test_every_kind_of_gpg_key_counts_and_a_subkey_for_its_key(work: Work, keys: Keys) -> None:
    keys.gpg("rsa", "rsa2048")
    keys.run(*MAKE, "--quick-add-key", keys.fingerprint("rsa"), "ed25519", "sign", "1y")
    for name in ("gil", "rsa"):
        signed(work, keys, name, {"a": name})
        assert judged(work, keys, "jane", "gil", "rsa") == (name, "")
    assert judged(work, keys, "gil")[1].startswith("it is signed by a key that is not allowed, ")


def test_a_gpg_key_that_is_over_does_not_count(work: Work, keys: Keys) -> None:
    keys.gpg("late", expires="seconds=3600")
    signed(work, keys, "late", {"a": "a"})
    assert judged(work, keys, "late") == ("late", "")
    keys.run(
        *MAKE,
        "--faked-system-time",
        "20200101T000000",
        "--quick-gen-key",
        "old <old@example.org>",
        "ed25519",
        "cert,sign",
        "seconds=3600",
    )
    program = keys.folder / "early"
    program.write_text(f'#!/bin/sh\nGNUPGHOME={keys.home} exec gpg --faked-system-time 20200101T000500 "$@"\n')
    program.chmod(0o755)
    by = [*keys.by("old"), "-c", f"gpg.program={program}"]
    work.git(*by, "commit", "--quiet", "--allow-empty", "--date=2020-01-01T00:05:00Z", "-m", "early")
    assert judged(work, keys, "old") == ("", "the key of old has expired"), (
        "judged by now, not by the date in the commit"
    )


def test_a_revoked_gpg_key_does_not_count(work: Work, keys: Keys) -> None:
    keys.gpg("gone")
    signed(work, keys, "gone", {"a": "a"})
    print_ = keys.fingerprint("gone")
    certificate = (keys.home / "openpgp-revocs.d" / f"{print_}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    keys.run("gpg", "--batch", "--import", stdin=certificate.encode())
    assert judged(work, keys, "gone") == ("", "the key of gone was revoked")


def test_nothing_of_gpg_is_left_behind(work: Work, keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "home" / "gnupg"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    signed(work, keys, "gil", {"a": "a"})
    assert judged(work, keys, "gil") == ("gil", "")
    assert not [*(tmp_path / "home").iterdir(), *(tmp_path / "temporary").iterdir()]
    lines = [path.read_bytes() for path in _command_lines() if path.exists()]
    assert not [line for line in lines if b"gpg-agent" in line and str(tmp_path).encode() in line]


def _command_lines() -> Iterator[Path]:
    return Path("/proc").glob("[0-9]*/cmdline")


# --- attacks ---------------------------------------------------------------------------------------------------------

NOT_SIGNED = "it is not signed"
DOES_NOT_FIT = "its signature does not fit its content"
CANNOT_READ = "its signature cannot be read"


def _strings(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _with(data: bytes, armor: bytes, header: bytes = b"gpgsig") -> bytes:
    """A commit's bytes with one more signature."""
    head, blank, message = data.partition(b"\n\n")
    return head + b"\n" + header + b" " + armor.strip().replace(b"\n", b"\n ") + blank + message


def _armor(data: bytes) -> bytes:
    found = re.search(rb"gpgsig (.*?-----END [A-Z ]+-----)", data, re.DOTALL)
    assert found
    return found[1].replace(b"\n ", b"\n")


def _inside(work: Work, keys: Keys, data: bytes) -> bytes:
    """Signed content inside of what pretends to be a signature."""
    whole = keys.run("gpg", "--armor", "--sign", "--local-user", "gil@example.org", stdin=b"tree")
    return _with(raw(work, "HEAD"), whole.replace(b"PGP MESSAGE", b"PGP SIGNATURE"))


def _of_a_tag(work: Work, keys: Keys, data: bytes) -> bytes:
    work.git(*keys.by("jane"), "tag", "-s", "-m", "v1", "v1", "HEAD")
    tag = subprocess.run(["git", "cat-file", "tag", "v1"], cwd=work.path, capture_output=True, check=True).stdout
    return _with(raw(work, "HEAD"), tag[tag.index(b"-----BEGIN") :])


def _of_a_file(work: Work, keys: Keys, data: bytes) -> bytes:
    plain = raw(work, "HEAD")
    return _with(
        plain, keys.run("ssh-keygen", "-Y", "sign", "-n", "file", "-f", str(keys.folder / "jane"), stdin=plain)
    )


def _of_a_certificate(work: Work, keys: Keys, data: bytes) -> bytes:
    keys.run(
        "ssh-keygen", "-q", "-s", str(keys.folder / "jane"), "-I", "x", "-n", "x", str(keys.folder / "mallory.pub")
    )
    plain, file = raw(work, "HEAD"), str(keys.folder / "mallory-cert.pub")
    try:
        return _with(plain, keys.run("ssh-keygen", "-Y", "sign", "-n", "git", "-f", file, stdin=plain))
    except AssertionError:
        pytest.skip("this ssh-keygen signs with no certificate")


Attack = Callable[[Work, Keys, bytes], bytes]
ATTACKS: dict[str, tuple[Attack, str]] = {
    "copied to another tree": (
        lambda work, keys, data: data.replace(data[:45], b"tree " + work.git("write-tree").encode(), 1),
        DOES_NOT_FIT,
    ),
    "copied to another message": (lambda work, keys, data: data.replace(b"change", b"chance"), DOES_NOT_FIT),
    "copied to another parent": (
        lambda work, keys, data: data.replace(b"\nauthor", b"\nparent " + b"0" * 40 + b"\nauthor", 1),
        DOES_NOT_FIT,
    ),
    "a header more": (lambda work, keys, data: data.replace(b"\ngpgsig", b"\nx-more a\ngpgsig", 1), DOES_NOT_FIT),
    "two signatures": (lambda work, keys, data: _with(data, _armor(data)), "it carries more than one signature"),
    "two blocks in one": (
        lambda work, keys, data: _with(_bare(data), _armor(data) + b"\n" + _armor(data)),
        CANNOT_READ,
    ),
    "for another kind of repository": (
        lambda work, keys, data: _with(_bare(data), _armor(data), b"gpgsig-sha256"),
        "its signature is for another kind of repository",
    ),
    "huge": (
        lambda work, keys, data: _with(_bare(data), _armor(data).replace(b"\n", b"\n" * 70000, 1)),
        "its signature has ",
    ),
    "cut short": (lambda work, keys, data: _with(_bare(data), _armor(data)[:-90] + _armor(data)[-29:]), CANNOT_READ),
    "empty": (lambda work, keys, data: _with(_bare(data), b""), NOT_SIGNED),
    "in the message": (lambda work, keys, data: _bare(data) + b"\ngpgsig " + _armor(data), NOT_SIGNED),
    "X.509": (
        lambda work, keys, data: _with(
            _bare(data), b"-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----"
        ),
        "it is signed with X.509, and only SSH and GPG are known here",
    ),
    "signed content in it": (_inside, CANNOT_READ),
    "of a tag": (_of_a_tag, DOES_NOT_FIT),
    "made for files": (_of_a_file, "its signature was made for something else than git"),
    "of a certificate": (_of_a_certificate, "it is signed by a key that is not allowed, SHA256:"),
}


def _bare(data: bytes) -> bytes:
    return re.sub(rb"gpgsig .*?-----END [A-Z ]+-----\n( \n)*", b"", data, count=1, flags=re.DOTALL)


@pytest.mark.parametrize("attack, why", ATTACKS.values(), ids=ATTACKS)
def test_a_signature_that_is_not_over_this_commit_does_not_count(
    work: Work, keys: Keys, attack: Attack, why: str
) -> None:
    signed(work, keys, "", {"z": "z"})
    signed(work, keys, "jane", {"a": "a"})
    data = raw(work)
    assert judged(work, keys, "jane", "gil") == ("jane", "")
    work.git("reset", "--quiet", "--hard", "HEAD^")
    written(work, attack(work, keys, data))
    name, said = judged(work, keys, "jane", "gil")
    assert name == ""
    assert said.startswith(why)


def test_line_ends_of_windows_in_the_signature_change_nothing(work: Work, keys: Keys) -> None:
    for name in ("jane", "gil"):
        signed(work, keys, name, {"a": name})
        data = raw(work)
        written(work, _with(_bare(data), _armor(data).replace(b"\n", b"\r\n")))
        assert judged(work, keys, "jane", "gil") == (name, "")


def test_an_object_that_is_not_what_its_id_says_does_not_count(work: Work, keys: Keys) -> None:
    """As somebody could write it who may write into the folder of the repository, or an alternate of it."""
    signed(work, keys, "", {"a": "evil"})
    evil = work.git("rev-parse", "HEAD")
    good = signed(work, keys, "jane", {"a": "a"})
    objects = work.path / ".git" / "objects"
    (objects / good[:2] / good[2:]).unlink()
    (objects / good[:2] / good[2:]).write_bytes((objects / evil[:2] / evil[2:]).read_bytes())
    assert judged(work, keys, "jane") == ("", "what git has under its id is something else")


def test_without_gpg_it_is_said_what_is_missing(work: Work, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    signed(work, keys, "gil", {"a": "a"})
    from reconciler.remote import process

    program = f"{process.__name__}.find"
    monkeypatch.setattr(program, lambda name: (_ for _ in ()).throw(process.CannotStart(f"{name} is not installed")))
    assert judged(work, keys, "gil") == ("", "gpg is not installed")


@pytest.mark.parametrize("name", ["jane", "gil"])
def test_a_key_is_known_by_the_fingerprint_that_its_program_shows(keys: Keys, name: str) -> None:
    key = read_key(public(keys, name))
    if key.kind == "ssh":
        assert key.fingerprint in keys.run("ssh-keygen", "-lf", str(keys.folder / f"{name}.pub")).decode()
    else:
        assert key.fingerprint == keys.fingerprint(name)
