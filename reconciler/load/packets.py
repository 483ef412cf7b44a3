"""OpenPGP's armor and packets, as far as it has to be known which key or signature something is. Pure."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE, SECRET_KEY, PUBLIC_KEY = 2, 5, 6
BLOCK = re.compile(r"-----BEGIN PGP ([A-Z ]+)-----[ \t]*\n(.*?)\n-----END PGP \1-----[ \t]*", re.DOTALL)


class Packet(NamedTuple):
    """One packet: its tag, its body, and all of it with the header."""

    tag: int
    body: bytes
    whole: bytes


def unarmored(text: str, kind: str) -> bytes:
    """Take an armored block of a kind (`SIGNATURE`) with nothing around it; return its bytes. Raises ValueError."""
    found = BLOCK.fullmatch(text.replace("\r\n", "\n").strip())
    if not found or found[1] != kind:
        raise ValueError(f"it is not one block that starts with -----BEGIN PGP {kind}-----")
    head, empty, body = found[2].partition("\n\n") if not found[2].startswith("\n") else ("", "\n", found[2][1:])
    if not empty or any(": " not in line for line in head.splitlines()):
        raise ValueError("an empty line is missing before its base64")
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    if lines and re.fullmatch(r"=[A-Za-z0-9+/]{4}", lines[-1]):
        lines.pop()  # a checksum; what matters is signed
    try:
        return base64.b64decode("".join(lines), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("its base64 cannot be read") from None


def packets(data: bytes) -> Iterator[Packet]:
    """Take bytes and yield their packets. Raises ValueError for what is no sequence of whole packets."""
    at = 0
    while at < len(data):
        start, first = at, data[at]
        if not first & 0x80:
            raise ValueError("its packets cannot be read")
        try:
            tag, at, length = _new(data, at) if first & 0x40 else _old(data, at)
        except IndexError:
            raise ValueError("it is cut short") from None
        if at + length > len(data):
            raise ValueError("it is cut short")
        yield Packet(tag, data[at : at + length], data[start : at + length])
        at += length


def fingerprint(key: Packet) -> str:
    """Take a public key of version 4 and return its fingerprint, 40 hex digits. Raises ValueError."""
    if key.body[:1] != b"\x04":
        raise ValueError(f"it is an OpenPGP key of version {key.body[0] if key.body else 0}, and only 4 is known here")
    counted = b"\x99" + len(key.body).to_bytes(2, "big") + key.body
    return hashlib.sha1(counted, usedforsecurity=False).hexdigest().upper()


def _old(data: bytes, at: int) -> tuple[int, int, int]:
    kind = data[at] & 3
    if kind == 3:
        raise ValueError("its packets cannot be read")
    size = 1 << kind
    if at + 1 + size > len(data):
        raise IndexError
    return (data[at] >> 2) & 15, at + 1 + size, int.from_bytes(data[at + 1 : at + 1 + size], "big")


def _new(data: bytes, at: int) -> tuple[int, int, int]:
    tag, first = data[at] & 63, data[at + 1]
    if first < 192:
        return tag, at + 2, first
    if first < 224:
        return tag, at + 3, ((first - 192) << 8) + data[at + 2] + 192
    if first < 255:
        raise ValueError("its packets cannot be read")  # partial lengths are for streams
    if at + 6 > len(data):
        raise IndexError
    return tag, at + 6, int.from_bytes(data[at + 2 : at + 6], "big")
