"""Every case of the corpus: its user is told exactly what the case says, and nothing else is touched.

`python -m tests.corpus.test_corpus NAME…` prints what is said now.
"""

import functools
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from reconciler.decide import decide
from reconciler.load.documents import Document, Parser, parse_file
from reconciler.load.fleet import Loaded, load
from reconciler.load.git import Repository, open_repository
from reconciler.model.change import Action, Options, Plan
from reconciler.model.desired import Desired
from reconciler.model.host import Facts
from reconciler.model.memory import Memory
from reconciler.model.observed import LeaseMark, Seen
from reconciler.model.problem import Problem, Severity
from reconciler.model.run import RunName, RunReport
from reconciler.show.problems import github, listing, valid

from .case import PLACE, cases
from .history import commit_all

CASES = {case.name: case for case in cases()}
SECRET = "s3cret"  # stands wherever a case has what nobody may see
NOW = 1_000_000.0
LEFT = "left-git"  # a task that no file declares any more


@dataclass(frozen=True)
class Outcome:
    """What loading made of a case: when all was well, now, and now for a controller without a ledger."""

    before: Desired
    now: Loaded
    stranger: Loaded


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> "functools._lru_cache_wrapper[Outcome]":
    """How to load a case by name."""
    return functools.cache(Corpus(tmp_path_factory.mktemp("corpus")).outcome)


class Corpus:
    """All cases in one real repository."""

    def __init__(self, folder: Path) -> None:
        self.commits = commit_all(folder, CASES.values())
        self.repository: Repository = open_repository(str(folder), folder / "cache")

    def outcome(self, name: str) -> Outcome:
        good, bad = self.commits[name]
        first = load(self.repository, good, Parser())
        assert valid(first.problems), first.problems
        assert first.desired is not None
        ledger = {document.slot: Document.from_json(document.to_json()) for document in first.documents}
        known = load(self.repository, bad, Parser(), ledger)
        return Outcome(first.desired, known, load(self.repository, bad, Parser()))


def shown(problem: Problem) -> str:
    """A problem as cases write it."""
    place = "" if problem.file == PLACE else f"{problem.file}:"
    hint = f" | {problem.hint}" if problem.hint else ""
    warning = "warning: " if problem.severity is Severity.WARNING else ""
    return f"{place}{problem.line}:{problem.column} {problem.path or '-'} {warning}{problem.message}{hint}"


@pytest.mark.parametrize("name", CASES)
def test_the_user_is_told(name: str, outcome: "functools._lru_cache_wrapper[Outcome]") -> None:
    found = outcome(name)
    assert [shown(problem) for problem in found.now.problems] == list(CASES[name].problems)
    assert found.stranger.problems == found.now.problems


@pytest.mark.parametrize("name", CASES)
def test_what_is_told_can_be_shown_and_gives_nothing_away(
    name: str, outcome: "functools._lru_cache_wrapper[Outcome]"
) -> None:
    problems = outcome(name).now.problems
    assert SECRET not in repr(problems)
    text = listing(problems) + github(problems)
    text.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", text)
    for problem in problems:
        for sentence in (problem.message, problem.hint, problem.path):
            assert len(sentence) <= 500
            assert not sentence.endswith(".")
        assert len(problem.excerpt) <= 161


@pytest.mark.parametrize("name", CASES)
def test_nothing_else_is_touched(name: str, outcome: "functools._lru_cache_wrapper[Outcome]") -> None:
    case, found = CASES[name], outcome(name)
    for loaded in (found.now, found.stranger):
        desired = loaded.desired
        assert desired is not None
        assert desired.complete is not case.incomplete
        assert desired.fleet == found.before.fleet
        for kind in ("hosts", "projects", "agents", "tasks"):
            before: Mapping[str, Any] = {n: each for n, each in getattr(found.before, kind).items() if each.source.file}
            now: Mapping[str, object] = getattr(desired, kind)
            assert {each: now.get(each) for each in before if each not in case.gone} == {
                each: thing for each, thing in before.items() if each not in case.gone
            }
        new = set(desired.tasks) - set(found.before.tasks)
        assert {word for word in case.new if any(fnmatch(name, word) for name in new)} == case.new
        assert not [name for name in new if not any(fnmatch(name, word) for word in case.new)]
        assert not set(found.before.tasks) & set(desired.invalid)
        plan = decided(desired, found.before)
        removed = {change.task for change in plan.changes if change.action in (Action.CANCEL, Action.CLEANUP)}
        assert removed <= {LEFT} | case.gone
        assert (LEFT in removed) is not case.incomplete


def decided(desired: Desired, before: Desired) -> Plan:
    """The plan while every task of the good fleet runs, and one that has left git."""
    runs = [RunReport(RunName(name, task.steps[0].digest, 1), alive=True) for name, task in before.tasks.items()]
    runs.append(RunReport(RunName(LEFT, "00000000", 1), alive=True))
    seen = Seen(
        "id-good", "good-host", LeaseMark(5, "0" * 8), taken=5, facts=Facts(), runs={str(run.name): run for run in runs}
    )
    empty = {name: Seen(f"id-{name}", name, LeaseMark(5, "0" * 8), taken=5) for name in desired.hosts}
    return decide(desired, {**empty, "good-host": seen}, Memory("0" * 8, 5, 1, whole=True), NOW, Options())


PLAIN = [
    name
    for name, case in CASES.items()
    if len(case.files) == 1 and case.files[0].plain and case.files[0].mode == "100644"
]


@pytest.mark.parametrize("name", PLAIN)
def test_windows_line_ends_and_a_byte_order_mark_move_no_problem(name: str) -> None:
    (file,) = CASES[name].files
    plain = parse_file(PLACE, "0" * 40, file.content)
    dressed = parse_file(PLACE, "0" * 40, b"\xef\xbb\xbf" + file.content.replace(b"\n", b"\r\n"))
    assert dressed.problems == plain.problems


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 250


if __name__ == "__main__":
    import sys

    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder))
        for asked in sys.argv[1:] or CASES:
            loaded = corpus.outcome(asked).now
            print(
                f"## {asked}",
                *map(shown, loaded.problems),
                "" if loaded.desired and loaded.desired.complete else "incomplete",
                sep="\n",
            )
