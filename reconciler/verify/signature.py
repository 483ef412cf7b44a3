"""A commit's bytes → what was signed, and the signature. Pure, and stricter than git: what is odd is refused."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from reconciler.load.complaint import quoted
from reconciler.load.packets import SIGNATURE, packets, unarmored
from reconciler.load.signers import strings

LARGEST = 64 << 10  # bytes of a signature
HEADERS = {40: b"gpgsig", 64: b"gpgsig-sha256"}  # by the length of an id
SSH = re.compile(r"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----")


class Odd(Exception):
    """No signature that could be checked; the text says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """`data` as ssh-keygen or gpg take it without armor; `key` is the SSH key that it names."""

    kind: Literal["ssh", "gpg"]
    data: bytes
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Commit:
    """What its own bytes say; `armor` is empty when it is not signed."""

    id: str
    parents: tuple[str, ...]
    author: str
    payload: bytes
    armor: str


def read(commit_id: str, data: bytes) -> Commit:
    """Take an id and the bytes that git gave for it. Raises Odd when they are another object, or no sound commit."""
    algorithm = hashlib.sha256 if len(commit_id) == 64 else hashlib.sha1
    if algorithm(b"commit %d\0" % len(data) + data).hexdigest() != commit_id:
        raise Odd("what git has under its id is something else")
    head, blank, message = data.partition(b"\n\n")
    headers: list[list[bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and headers:
            headers[-1].append(line[1:])
        else:
            headers.append([line])
    signed = [lines for lines in headers if lines[0].split(b" ")[0] in HEADERS.values()]
    if len(signed) > 1:
        raise Odd("it carries more than one signature")
    if signed and not signed[0][0].startswith(HEADERS[len(commit_id)] + b" "):
        raise Odd("its signature is for another kind of repository")
    rest = [lines for lines in headers if lines not in signed]
    parents = [lines[0][7:].decode("ascii", "replace") for lines in rest if lines[0].startswith(b"parent ")]
    author = next((lines[0][7:] for lines in rest if lines[0].startswith(b"author ")), b"")
    armor = b"\n".join(signed[0]).partition(b" ")[2] if signed else b""
    if len(armor) > LARGEST:
        raise Odd(f"its signature has {len(armor)} bytes, more than {LARGEST}")
    payload = b"\n".join(b"\n ".join(lines) for lines in rest) + blank + message
    return Commit(commit_id, tuple(parents), _name(author), payload, armor.decode("ascii", "replace"))


def signature(commit: Commit) -> Signature:
    """Take a commit and return its signature. Raises Odd when it has none that can be checked."""
    armor = commit.armor.replace("\r", "").strip()
    if not armor:
        raise Odd("it is not signed")
    try:
        if armor.startswith("-----BEGIN SSH SIGNATURE-----"):
            return _ssh(armor)
        if armor.startswith("-----BEGIN PGP SIGNATURE-----"):
            data = unarmored(armor, "SIGNATURE")
            if [packet.tag for packet in packets(data)] != [SIGNATURE]:
                raise Odd("its signature is not a single one")
            return Signature("gpg", data)
    except (ValueError, binascii.Error):
        raise Odd("its signature cannot be read") from None
    if "BEGIN SIGNED MESSAGE" in armor or "BEGIN CMS" in armor:
        raise Odd("it is signed with X.509, and only SSH and GPG are known here")
    raise Odd("its signature is of a kind that is not known here")


def _ssh(armor: str) -> Signature:
    found = SSH.fullmatch(armor)
    data = base64.b64decode(found[1].replace("\n", ""), validate=True) if found else b""
    if data[:10] != b"SSHSIG\0\0\0\1":
        raise Odd("its signature cannot be read")
    parts = strings(data[10:])
    if len(parts) != 5:
        raise Odd("its signature cannot be read")
    if parts[1] != b"git":
        raise Odd("its signature was made for something else than git")
    return Signature("ssh", data, parts[0])


def _name(author: bytes) -> str:
    found = re.match(r"(.*?>)", author.decode("utf-8", "replace"))
    return quoted(found[1].strip() if found else "")
