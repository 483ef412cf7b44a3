"""Whose commits are acted on, and why one is not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody whose commits are acted on: a name for messages, and a public key of SSH or GPG as it was written."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A commit that is not acted on. `passing`: what is in the way is on this machine, so it is tried again."""

    revision: str
    author: str
    why: str
    hint: str
    stands: str = ""  # the commit that is acted on in its place; empty for none
    passing: bool = False

    def __str__(self) -> str:
        stays = f"; {self.stands[:12]} stays in force" if self.stands else ""
        by = f" by {self.author}" if self.author else ""
        return f"commit {self.revision[:12]}{by} is not acted on: {self.why}{stays}: {self.hint}"
