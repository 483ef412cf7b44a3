"""Scripts: every verb is one function, and a stream that is cut anywhere runs nothing."""

from itertools import combinations

import pytest

from reconciler.remote.process import run
from reconciler.remote.scripts import OPERATIONS, VERBS, script, supervisor

EVERYTHING = frozenset(OPERATIONS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_script_is_what_bash_can_read(verb: str) -> None:
    text = script(verb, EVERYTHING if verb == "act" else frozenset())
    assert run(["bash", "-n"], text.encode(), deadline=10).errors == ""
    assert text.startswith("main() {\n")
    assert text.endswith("\n}\nmain 3<&0 </dev/null; exit\n")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_comments_and_blank_lines_stay_here(verb: str) -> None:
    assert not [line for line in script(verb).splitlines() if not line.strip() or line.lstrip().startswith("#")]


def test_what_is_sent_depends_on_the_operations() -> None:
    sizes = {
        len(script("act", frozenset(chosen)))
        for count in range(len(OPERATIONS) + 1)
        for chosen in combinations(OPERATIONS, count)
    }
    assert len(sizes) == 2 ** len(OPERATIONS)
    assert max(sizes) == len(script("act", EVERYTHING))


def test_a_script_that_is_cut_runs_nothing() -> None:
    text = script("observe")
    for size in range(0, len(text) - 30, len(text) // 40):
        ended = run(["bash", "--noprofile", "--norc", "-p", "-s"], text[:size].encode(), piped=True, deadline=10)
        assert ended.output == b""


def test_the_supervisor_is_a_script_of_its_own() -> None:
    assert run(["bash", "-n"], supervisor().encode(), deadline=10).errors == ""
