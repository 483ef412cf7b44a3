"""Command lines, word by word. Pure."""

from reconciler.agents.adapter import Word, WordKind

PROMPT = "prompt.md"
WORKTREE = Word(WordKind.WORKTREE)
RESULT = Word(WordKind.FILE, "result.json")
SCHEMA = Word(WordKind.FILE, "result-schema.json")


def words(*parts: str | Word) -> tuple[Word, ...]:
    """Takes texts and words; returns them as words."""
    return tuple(part if isinstance(part, Word) else Word(WordKind.TEXT, part) for part in parts)


def option(flag: str, value: str) -> tuple[str, ...]:
    """Takes a flag and its value; returns both, nothing when there is no value."""
    return (flag, value) if value else ()
