"""Words of git, of files, of programs here, and of the command line itself: on a terminal they are spelled out.

One fleet in which every text that somebody else may choose is one that terminals obey; then everything is looked at.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import end
from tests.e2e.fleet import Fleet
from tests.fuzz.harmless import harmless
from tests.hostile.room import screen

# What YAML lets through is less than what git and programs do.
TURNED = "txt.\u202eexe\u2066 \u200f"
TERMINAL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u2028\x08" + TURNED
LOOKS = {
    "problems of files": ["validate"],
    "problems for GitHub": ["validate", "-o", "github"],
    "problems as JSON": ["validate", "-o", "json"],
    "files that are not committed": ["plan"],
    "what is done": ["reconcile"],
    "a plan of the work tree": ["plan"],
    "tasks with authors": ["get", "tasks", "-o", "wide"],
    "runs": ["get", "runs", "-o", "wide"],
    "projects": ["get", "projects", "-o", "wide"],
    "agents": ["get", "agents", "-o", "wide"],
    "tasks as YAML": ["get", "tasks", "-o", "yaml"],
    "a task": ["describe", "task", "work"],
    "a task whose secret cannot be had": ["describe", "task", "locked"],
    "events": ["events"],
    "events as JSON": ["events", "-o", "json"],
    "a prompt": ["task", "prompt", "asked"],
    "logs": ["logs", "work"],
    "a name that is not known": ["describe", "task", TERMINAL],
    "a branch that is not known": ["--ref", TERMINAL, "plan"],
    "a repository that is none": ["-C", TERMINAL, "plan"],
    "an option that is none": [f"--{TERMINAL}"],
    "a verb that is none": [TERMINAL],
    "a selector that is none": ["get", "tasks", "-l", f"{TERMINAL}=x="],
    "a plan that is none": ["reconcile", "--plan", "odd.json"],
    "a field that is none": ["explain", f"task.{TERMINAL}"],
    "an edit of a file with that name": ["task", "close", TERMINAL],
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("words")
    made = Fleet(folder, environment={"GIT_AUTHOR_NAME": TERMINAL.replace("\x00", ""), "COLUMNS": "200"})
    yield _filled(made)
    end(folder)


def _filled(fleet: Fleet) -> Fleet:
    fleet.local()
    fleet.task(
        "work", f"printf '%b' '{TERMINAL!r}'; printf '{TERMINAL.encode('unicode_escape').decode()}'", title=TURNED
    )
    fleet.task("locked", "true", secrets=["TOKEN"], description=TURNED, labels={"team": "web"})
    fleet.write(
        "tasks/asked.yaml", fleet.document("Task", "asked", {"project": "web", "agent": "claude", "prompt": TURNED})
    )
    fleet.write("projects/web.yaml", fleet.document("Project", "web", {"repoUrl": "https://github.com/example/web"}))
    fleet.write(f"tasks/{TERMINAL}.yaml", "apiVersion: reconciler/v1\nkind: Tusk\n")
    fleet.write(
        "tasks/bad.yaml",
        f"apiVersion: reconciler/v1\nkind: Task\nmetadata: {{name: '{TURNED}'}}\nspec: {{'{TURNED}': 1}}\n",
    )
    config = fleet.room / "config" / "reconciler"
    config.mkdir(parents=True)
    complaint = TERMINAL.encode().decode("latin-1").encode("unicode_escape").decode()
    (config / "secrets.yaml").write_text(
        f"TOKEN: {{command: [bash, -c, \"printf '{complaint}' >&2; exit 1\"]}}\n".replace("\\", "\\\\")
    )
    fleet.git("add", "--all")
    os.environ.pop("GIT_AUTHOR_NAME", None)
    fleet.git(
        "-c", f"user.name={TERMINAL}", "commit", "--quiet", f"--author={TERMINAL} <x@example.org>", "-m", TERMINAL
    )
    fleet.write(f"{TERMINAL}-loose.yaml", "x: 1\n")
    Path(fleet.repo / "odd.json").write_text(f'{{"revision": "{TURNED}", "changes": []}}')
    fleet.run("reconcile", "--wait", "--timeout", "30s")
    return fleet


@pytest.mark.parametrize("look", LOOKS)
def test_no_terminal_obeys_words_of_others(fleet: Fleet, look: str) -> None:
    seen = screen(fleet, *LOOKS[look])
    assert seen.strip()
    harmless(seen)
    assert "Traceback" not in seen
    assert "this should not happen" not in seen
