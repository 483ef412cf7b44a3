"""Keys that are pinned outside the repository: lines as in git's allowed_signers, and armored GPG keys. Pure."""

import re
from datetime import UTC, datetime

from reconciler.errors import UsageError
from reconciler.load.complaint import quoted
from reconciler.load.signers import is_armor, read_key
from reconciler.model.trust import Signer

END = re.compile(r"-----END PGP ")
TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)\Z")


def pinned(text: str, name: str, now: float) -> tuple[Signer, ...]:
    """Take a file's text, its name for messages, and the time; return whose commits are acted on.

    Keys whose time is over or has not come are left out. Raises UsageError, which names the line."""
    found: list[Signer] = []
    lines = enumerate(text.splitlines(), 1)
    for number, line in lines:
        try:
            if is_armor(line):
                block = [line]
                for _, more in lines:
                    block.append(more)
                    if END.match(more):
                        break
                key = "\n".join(block)
                found.append(Signer(read_key(key).fingerprint[-16:], key))
            elif line.strip() and not line.lstrip().startswith("#"):
                found += _line(line, now)
        except ValueError as problem:
            raise UsageError(f"{name}:{number}: {problem}") from None
    if not found:
        raise UsageError(f"{name}: no key in it counts now: write lines like `jane@example.org ssh-ed25519 AAAA…`")
    return tuple(found)


def _line(line: str, now: float) -> list[Signer]:
    """`principals [options] type base64 [comment]`, as ssh-keygen(1) says."""
    if line.count('"') % 2:
        raise ValueError("a quote is not closed")
    principals, *words = re.findall(r'(?:[^\s"]|"[^"]*")+', line)
    options = words.pop(0) if words and not _is_type(words[0]) else ""
    if len(words) < 2:
        raise ValueError("write it like `jane@example.org ssh-ed25519 AAAA…`, or an armored GPG key")
    for option in filter(None, re.findall(r'(?:[^,"]|"[^"]*")+', options)):
        word, _, value = option.partition("=")
        value = value.strip('"')
        match word.lower():
            case "namespaces":
                if "git" not in value.split(","):
                    return []
            case "valid-after":
                if now < _time(value):
                    return []
            case "valid-before":
                if now >= _time(value):
                    return []
            case _:
                raise ValueError(
                    f"the option {quoted(word)} is not known here: list the key itself, with valid-before at most"
                )
    key = " ".join(words[:2])
    read_key(key)
    return [Signer(principals.strip('"'), key)]


def _is_type(word: str) -> bool:
    return re.match(r"(ssh|ecdsa|sk)-[a-z]", word) is not None


def _time(value: str) -> float:
    found = TIME.match(value)
    if not found:
        raise ValueError(f"{quoted(value)} is no time: write YYYYMMDD or YYYYMMDDHHMMSSZ")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return (moment if found[7] else moment.replace(tzinfo=None)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{quoted(value)} is no time: write YYYYMMDD or YYYYMMDDHHMMSSZ") from None
