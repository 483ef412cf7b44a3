"""validate: what is checked, how it is printed, how it exits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet

TYPO = """\
apiVersion: reconciler/v1
kind: Task
metadata: {name: a}
spec:
  run: echo
  timout: 5h
"""
TOLD = "tasks/a.yaml:6:3: spec.timout: unknown key\n  6 |   timout: 5h\n    |   ^\n    = did you mean timeout?\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_a_valid_fleet(fleet: Fleet) -> None:
    fleet.commit()
    shown = fleet.run("validate", check=0)
    assert (shown.stdout, shown.stderr) == ("", "valid: no problems\n")


def test_problems_are_data_and_the_count_is_not(fleet: Fleet) -> None:
    fleet.write("tasks/a.yaml", TYPO)
    fleet.commit()
    shown = fleet.run("validate", check=1)
    assert (shown.stdout, shown.stderr) == (TOLD, "invalid: 1 error in 1 file\n")


def test_json_and_github(fleet: Fleet) -> None:
    fleet.write("tasks/a.yaml", TYPO)
    head = fleet.commit()
    document = fleet.json("validate", check=1)
    assert list(document) == ["formatVersion", "exit", "revision", "valid", "problems"]
    assert (document["exit"], document["revision"], document["valid"]) == ({"code": 1, "name": "invalid"}, head, False)
    assert document["problems"] == [
        {
            "severity": "error",
            "file": "tasks/a.yaml",
            "line": 6,
            "column": 3,
            "path": "spec.timout",
            "message": "unknown key",
            "hint": "did you mean timeout?",
        }
    ]
    shown = fleet.run("validate", "-o", "github", check=1)
    assert shown.stdout == (
        "::error file=tasks/a.yaml,line=6,col=3::spec.timout: unknown key%0Adid you mean timeout?\n"
    )


def test_what_is_not_committed_is_checked_only_when_asked_for(fleet: Fleet) -> None:
    fleet.commit()
    fleet.write("tasks/a.yaml", TYPO)
    shown = fleet.run("validate", check=0)
    assert "1 file is changed but not committed: `reconciler validate --worktree` checks them" in shown.stderr
    assert fleet.run("validate", "--worktree", check=1).stdout == TOLD


@pytest.mark.parametrize("environment", [{}, {"PRE_COMMIT": "1"}])
def test_a_hook_checks_what_is_about_to_be_committed(fleet: Fleet, environment: dict[str, str]) -> None:
    fleet.commit()
    fleet.write("tasks/a.yaml", TYPO)
    fleet.environment = environment
    files = () if environment else ("fleet.yaml",)
    assert fleet.run("validate", *files, check=1).stdout == TOLD


def test_as_a_hook_of_git_itself(fleet: Fleet) -> None:
    fleet.commit()
    hook = fleet.repo / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!/bin/sh\nexport RECONCILER_STATE_DIR={fleet.state}\nexec {sys.executable} -m reconciler validate\n"
    )
    hook.chmod(0o755)
    fleet.write("tasks/a.yaml", TYPO)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        fleet.commit()
    assert TOLD in refused.value.stdout + refused.value.stderr
    fleet.write("tasks/a.yaml", TYPO.replace("timout", "timeout"))
    fleet.commit()


def test_before_the_first_commit_the_work_tree_is_checked(fleet: Fleet) -> None:
    fleet.run("validate", check=0)
    fleet.write("tasks/a.yaml", TYPO)
    assert json.loads(fleet.run("validate", "-o", "json", check=1).stdout)["revision"] is None


def test_what_cannot_be_read_is_one_sentence(fleet: Fleet, tmp_path: Path) -> None:
    fleet.commit()
    assert fleet.run("--ref", "nowhere", "validate", check=1).stderr.startswith("error: ")
    assert fleet.run("-C", str(tmp_path / "none"), "validate", check=1).stderr.startswith("error: ")


def test_nothing_is_written_anywhere(fleet: Fleet) -> None:
    fleet.commit()
    fleet.run("validate", check=0)
    assert not fleet.state.exists()
