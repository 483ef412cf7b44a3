"""Secrets whose every form can be told from anything else on this machine, and where files have one."""

import base64
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

# Nobody else on this machine has such a word; it stands in every line of every value.
TAG = f"canary{uuid.uuid4().hex[:14]}"
# Name -> value: what regular expressions, shells, JSON, YAML and URLs each have a meaning for.
VALUES = {
    "TOKEN": f"^{TAG}.*[a-z]+$(x|y)/one+two==",
    "KEY": f"-----BEGIN {TAG}-----\nfirst of {TAG}/+ a\nsecond of {TAG}== b\n-----END {TAG}-----",
    "PHRASE": f'{TAG}\'four "quoted" \\back {{x: %s}} ünïcödé ✓ 🐦',
}


def _shifted(word: bytes, shift: int) -> bytes:
    """The characters of base64 that `word` alone decides, where it begins `shift` bytes into a group of three."""
    return base64.b64encode(b"\0" * shift + word)[(shift * 8 + 5) // 6 :].rstrip(b"=")[:-1]


NEEDLES = re.compile(
    b"|".join([TAG.encode(), TAG.encode().hex().encode(), *(_shifted(TAG.encode(), shift) for shift in range(3))]),
    re.IGNORECASE,
)


def has(data: bytes | str) -> bool:
    """Whether some form of a canary is in there."""
    return NEEDLES.search(data if isinstance(data, bytes) else data.encode(errors="surrogatepass")) is not None


def holders(*folders: Path) -> list[str]:
    """The files below some folders with a canary in their bytes, their name or what they link to."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            with suppress(OSError):
                if (
                    has(path.name)
                    or (has(os.readlink(path)) if path.is_symlink() else False)
                    or (path.is_file() and not path.is_symlink() and has(path.read_bytes()))
                ):
                    found.append(str(path))
    return sorted(found)


def strays(since: float, *folders: Path) -> list[str]:
    """Files right in folders that everybody uses, written since then, with a canary."""
    found = []
    for folder in folders:
        for path in folder.iterdir():
            with suppress(OSError):
                if path.is_file() and path.stat().st_mtime >= since - 1 and has(path.read_bytes()):
                    found.append(str(path))
    return found
