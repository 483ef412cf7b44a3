"""Public keys of SSH and GPG as people write them down. Pure; errors never hold the key, which may be a private one."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reconciler.load.complaint import Complaint
from reconciler.load.packets import PUBLIC_KEY, SECRET_KEY, fingerprint, packets, unarmored
from reconciler.model.trust import Signer

SMALLEST_RSA = 2048  # bits
SSH_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
PRIVATE = (
    "is a private key: it is known to everybody who reads this repository, so make a new one and never use it again"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: `data` is SSH's blob, or the packets of GPG; `text` is how SSH writes it."""

    kind: Literal["ssh", "gpg"]
    fingerprint: str  # SHA256:… or 40 hex digits
    data: bytes
    text: str = ""


def read_key(text: str) -> Key:
    """Take a line of a .pub file or an armored GPG key and return the key. Raises ValueError, without the text."""
    if "PRIVATE KEY" in text:
        raise ValueError(PRIVATE)
    return _gpg(text) if "BEGIN PGP" in text else _ssh(text.strip())


def signers(spec: Mapping[str, Any]) -> tuple[Signer, ...]:
    """Take a Fleet's spec and return whose commits are acted on; nobody's when everybody's are."""
    listed = spec.get("verify", {}).get("allowedSigners", ())
    return tuple(Signer(entry["name"], entry["key"]) for entry in listed)


def complaints(spec: Mapping[str, Any]) -> list[Complaint]:
    """Take a Fleet's spec and return what is wrong with the keys in it."""
    found: list[Complaint] = []
    names: set[str] = set()
    owners: dict[str, str] = {}
    for index, signer in enumerate(signers(spec)):
        path = ("spec", "verify", "allowedSigners", index)
        if signer.name in names:
            found.append(Complaint((*path, "name"), f"the signer {signer.name} is given twice", "rename one of them"))
        names.add(signer.name)
        try:
            key = read_key(signer.key)
        except ValueError as problem:
            hint = "write the line of a .pub file, or what `gpg --armor --export NAME` prints"
            found.append(Complaint((*path, "key"), str(problem), hint))
            continue
        owner = owners.setdefault(key.fingerprint, signer.name)
        if owner != signer.name:
            message = f"the key {key.fingerprint} is that of {owner}, too"
            found.append(Complaint((*path, "key"), message, "remove one of them"))
    return found


def ssh_fingerprint(blob: bytes) -> str:
    """Take the blob of an SSH key and return its fingerprint as `ssh-keygen -l` writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def strings(data: bytes) -> list[bytes]:
    """Take a sequence of SSH strings (RFC 4251) and return them. Raises ValueError when it is no such thing."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 4 + size > len(data):
            raise ValueError("it is cut short")
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def _ssh(text: str) -> Key:
    words = text.split(None, 2)
    if "\n" in text or len(words) < 2:
        raise ValueError("is no public key of SSH or GPG")
    kind, encoded = words[:2]
    if "-cert-" in kind:
        raise ValueError("is a certificate: write the key itself")
    if kind not in SSH_TYPES:
        raise ValueError(f"is of no kind that is known here: {', '.join(SSH_TYPES)}")
    try:
        blob = base64.b64decode(encoded, validate=True)
        parts = strings(blob)
    except (binascii.Error, ValueError):
        raise ValueError("is no SSH key: its base64 is damaged or cut short") from None
    fields = {"ssh-ed25519": 2, "sk-ecdsa-sha2-nistp256@openssh.com": 4}.get(kind, 3)
    if len(parts) != fields or parts[0] != kind.encode() or (kind == "ssh-ed25519" and len(parts[1]) != 32):
        raise ValueError("is no SSH key: its base64 is not of the kind that its first word names")
    bits = int.from_bytes(parts[-1], "big").bit_length()
    if kind == "ssh-rsa" and bits < SMALLEST_RSA:
        raise ValueError(f"is an RSA key of {bits} bits: {SMALLEST_RSA} is the least")
    return Key("ssh", ssh_fingerprint(blob), blob, f"{kind} {encoded}")


def _gpg(text: str) -> Key:
    try:
        data = unarmored(text, "PUBLIC KEY BLOCK")
        found: Sequence[Any] = list(packets(data))
        if any(packet.tag == SECRET_KEY for packet in found):
            raise ValueError(PRIVATE)
        keys = [fingerprint(packet) for packet in found if packet.tag == PUBLIC_KEY]
        if not keys or found[0].tag != PUBLIC_KEY:
            raise ValueError("it holds no key")
    except ValueError as problem:
        said = str(problem)
        raise ValueError(said if said == PRIVATE else f"is no GPG key: {said}") from None
    if len(keys) > 1:
        raise ValueError(f"holds {len(keys)} GPG keys: give each an entry of its own")
    return Key("gpg", keys[0], data)


def is_armor(line: str) -> bool:
    """Whether a line begins an armored GPG key."""
    return re.match(r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*$", line) is not None
