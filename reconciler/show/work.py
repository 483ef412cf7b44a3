"""Words for what work came to: its cost, its pull request, its checks, and what a reset removed of it."""

import re
from collections.abc import Mapping

from reconciler.model.rows import QaOutcome
from reconciler.show.escape import safe
from reconciler.show.times import span

_NUMBERED = re.compile(r"https?://[^\s/]+/\S+/(pull|pulls|merge_requests)/(\d{1,9})/?\Z")
_REMOVED = {
    "runs": ("run directory", "run directories"),
    "worktrees": ("worktree", "worktrees"),
    "checkouts": ("checkout", "checkouts"),
    "cache": ("cache", "caches"),
    "trash": ("leftover of an earlier removal", "leftovers of earlier removals"),
    "left": ("thing is still being removed", "things are still being removed"),
    "unpushed": ("of the worktrees had work that was never pushed", "of the worktrees had work that was never pushed"),
    "kept": ("worktree's kept work that was never pushed", "worktrees' kept work that was never pushed"),
}


def cost(dollars: float | None) -> str:
    """`$0.42`; of less than a cent four digits (`$0.0031`); empty when it is not known."""
    if dollars is None:
        return ""
    return f"${dollars:.4f}" if 0 < dollars < 0.01 else f"${dollars:.2f}"


def pull_request(url: str) -> str:
    """`#12` (`!12` where they are merge requests); what is no URL of a numbered one stays as it is, made safe."""
    found = _NUMBERED.match(url)
    if found is None:
        return safe(url)
    return ("!" if found[1] == "merge_requests" else "#") + found[2]


def check(step: QaOutcome) -> str:
    """`build ok 2s`, `test failed with exit code 1 after 14s`."""
    took = span(step.seconds)
    if step.exit_code == 0:
        return f"{safe(step.name)} ok {took}"
    return f"{safe(step.name)} failed with exit code {step.exit_code} after {took}"


def removed(counts: Mapping[str, int]) -> str:
    """What a reset removed: `3 run directories, 2 worktrees`; empty when nothing was there."""
    known = sorted(counts, key=lambda key: list(_REMOVED).index(key) if key in _REMOVED else len(_REMOVED))
    parts = []
    for key in known:
        one, many = _REMOVED.get(key, (safe(key), safe(key)))
        parts += [f"{counts[key]} {one if counts[key] == 1 else many}"] if counts[key] else []
    return ", ".join(parts)
