"""What a stand-in does: the last `stand-in:` line of what it was told. For the programs and for the model API.

    stand-in: [STEP …] [END] [key=value …]

STEPs are done in this order: `commit`, `push`, `dirty` (an uncommitted file), `survivors`, `slow SECONDS`. ENDs are
below; `success` and `pr` commit first, where they stand. `after=SECONDS` is when a limit ends, `cost=USD` what the work
cost, `number=N` the pull request's. The programs know two more, see `read_script`.
"""

import re
from dataclasses import dataclass, field

QUESTION = "Which database shall it be?"
# A command for the agent's shell for each step that has one.
COMMANDS = {
    "commit": 'echo "work of ${RECONCILER_RUN:-nobody}" >>WORK.md && git add WORK.md && git commit -qm "feat: the work"',
    "push": "git push -q origin HEAD",
    "dirty": 'echo "unfinished of ${RECONCILER_RUN:-nobody}" >>UNFINISHED.md',
    "survivors": (
        "(trap '' TERM; setsid -f sleep 7654 </dev/null >/dev/null 2>&1);"
        " (nohup sleep 7655 </dev/null >/dev/null 2>&1 &)"
    ),
    "blocked-file": f"echo '{QUESTION}' >BLOCKED.md",
    "tool-hang": "sleep 7656",
}
ALSO = {"success": "commit", "pr": "commit", "blocked-file": "blocked-file", "tool-hang": "tool-hang"}
FAULTS = ("429", "429-later", "quota", "401", "budget")
ENDS = {"success", "pr", "blocked", "blocked-file", "failed", "garbage", "empty", "hang", "tool-hang", *FAULTS}
# A JSON text has `\n` and `\"` where a prompt has a new line and a quotation mark.
LINE = re.compile(r"stand-in:[ \t]+([^\n\\\"`]+)")


@dataclass(frozen=True)
class Script:
    """One line, taken apart: names of steps (`slow` with its seconds) and how it ends."""

    steps: tuple[tuple[str, float], ...] = ()
    end: str = "success"
    options: dict[str, str] = field(default_factory=dict)

    def option(self, name: str, default: float) -> float:
        """A number given as `name=…`."""
        return float(self.options.get(name, default))


def parse(text: str) -> Script:
    """The script in a prompt; `success` without a commit when there is none.

    Raises ValueError for a word that is none: a typing error in a test shall not pass for success.
    """
    found = LINE.findall(text)
    words = found[-1].split() if found else []
    steps: list[tuple[str, float]] = []
    end = "success"
    options: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word == "slow":
            steps.append((word, float(words.pop(0))))
        elif "=" in word:
            key, _, options[key] = word.partition("=")
        elif word in ENDS:
            end = word
            steps += [(ALSO[word], 0)] if word in ALSO else []
        elif word in COMMANDS:
            steps.append((word, 0))
        else:
            raise ValueError(f"stand-in: what is {word!r}?")
    return Script(tuple(steps), end, options)


def answer(script: Script, worktree: str = "", branch: str | None = None, trouble: str = "") -> dict[str, object]:
    """The final answer of a task, as its result schema wants it. `trouble`: what a step's command said as it failed."""
    status = {"blocked": "blocked", "failed": "failed"}.get(script.end, "succeeded")
    number = script.options.get("number", "7")
    return {
        "status": "failed" if trouble else status,
        "summary": trouble or (QUESTION if status == "blocked" else f"The work is done ({script.end})."),
        "pullRequestUrl": f"https://github.com/acme/app/pull/{number}" if script.end == "pr" else None,
        "branchName": branch,
        "worktreePath": worktree,
        "notes": None,
    }
