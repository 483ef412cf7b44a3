"""What workers do in the midst of it: short and long, failing, resisting a cancel, leaving children, as agents."""

from pathlib import Path
from random import Random
from typing import Any

from tests.e2e.agents import says
from tests.standins import __file__ as standins

# A worker says when it begins and ends, in a file that no reboot, full disk or wiped workspace touches.
SAYS = """\
say() {{ printf '%s %s %s %s\\n' "$1" "$(date +%s.%N)" "$(hostname)" "$RECONCILER_RUN" >>{diary}; }}
"""
BEGIN = """\
trap 'say -' EXIT
say +
echo "this is $RECONCILER_RUN"
"""
# `long` work ends when the faults do, so that it is there while they last, and nobody waits for it after.
LONG = "until [[ -e {release} ]]; do sleep 0.3; done\n"
SCRIPTS = {
    "short": "sleep 0.{digit}\n",
    "noisy": "head -c 300000 /dev/zero | tr '\\0' 'x' | fold -w 100\n",
    "long": LONG,
    "stubborn": "trap '' TERM\n(trap '' TERM; setsid -f sleep 7001)\n" + LONG,
    "litter": "(trap '' TERM; setsid -f sleep 7002)\nnohup sleep 7003 >/dev/null 2>&1 &\nsleep 0.{digit}\n",
    "flaky": "case $RECONCILER_RUN in *-1) exit 3;; esac\nsleep 0.{digit}\n",
    "failing": "exit 4\n",
    "agent": "success",
    "slow-agent": "slow {digit} success",
}
RETRIES = {"limit": 3, "backoff": "1s", "maxBackoff": "2s"}


class Works:
    """Makes the specs of tasks. `diary` is what workers write to, `release` ends the long ones."""

    def __init__(self, folder: Path) -> None:
        self.diary = folder / "diary"
        self.release = folder / "release"
        self.bin = folder / "bin"
        self.diary.touch()
        self.bin.mkdir()
        self._script(self.bin / "codex")

    def _script(self, path: Path) -> None:
        """The stand-in for codex; as a worker it says so first."""
        says_it = SAYS.format(diary=self.diary)
        program = Path(standins).with_name("codex")
        path.write_text(f'#!/bin/bash\n{says_it}[[ $RECONCILER_RUN && $* == *exec* ]] && say +\nexec {program} "$@"\n')
        path.chmod(0o755)

    def spec(self, kind: str, dice: Random) -> dict[str, Any]:
        """A task of that kind that was never there before."""
        words = {"digit": dice.randint(1, 9), "release": self.release}
        script = SCRIPTS[kind].format(**words)
        retries = RETRIES if kind != "failing" else {**RETRIES, "limit": 1}
        common = {"retries": retries, "env": {"NUMBER": str(dice.randrange(10**6))}}
        if "agent" in kind:
            return {"project": "app", "agent": "codex", "prompt": says(script), **common}
        return {"run": SAYS.format(diary=self.diary) + BEGIN + script, **common}
