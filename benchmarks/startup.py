"""Figure 9: what it costs to start, beside the interpreter, the libraries that are needed, and other tools."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figure import Figure, Goal, Scale
from benchmarks.machine import ROOT, program
from benchmarks.room import folder
from benchmarks.turns import Wall, take_turns, timed
from tests.load.repositories import Work

OURS = str(Path(sys.executable).with_name("reconciler"))
EXAMPLE = ROOT / "examples/fleet"
MINIMAL = "import click; click.command()(lambda: None)(['--help'])"
LIBRARIES = "import click, git, jsonschema, ruamel.yaml"


def measure(scale: Scale) -> Iterator[Figure]:
    """Everything in turns, files in the page cache."""
    rounds = scale.pick(40, 10)
    ansible = program("ansible")
    found = take_turns(
        rounds,
        {
            "ours": command(OURS, "--help"),
            "python -c pass": command(sys.executable, "-c", "pass"),
            "a bare click command": command(sys.executable, "-c", MINIMAL),
            "git --help": command("git", "--help"),
            "ansible --help": command(ansible, "--help") if ansible else None,
        },
    )
    yield Figure(9, "reconciler --help", "s", found.pop("ours") or (), found, (Goal(0.15),), key="help")
    with folder() as room:
        work = Work(room / "fleet")
        files = {str(file.relative_to(EXAMPLE)): file.read_bytes() for file in EXAMPLE.rglob("*") if file.is_file()}
        work.commit(files)
        found = take_turns(
            rounds,
            {
                "ours": command(OURS, "-C", str(work.path), "--state-dir", str(room / "state"), "validate"),
                "import of its libraries": command(sys.executable, "-c", LIBRARIES),
            },
        )
    what = "reconciler validate, the example fleet"
    yield Figure(9, what, "s", found.pop("ours") or (), found, (Goal(0.4),), key="validate")


def command(*words: str) -> Wall:
    """A measure of how long a program takes; it raises CalledProcessError when that fails."""
    return timed(lambda: run(words))


def run(words: Sequence[str]) -> None:
    """Run it, and see nothing of what it says."""
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
