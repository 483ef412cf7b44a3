"""Scripts: every verb is one function, and a stream that is cut anywhere runs nothing."""

import os
import shutil
from itertools import combinations

import pytest

from reconciler.remote.process import run
from reconciler.remote.scripts import LOAD, OPERATIONS, VERBS, script, supervisor

EVERYTHING = frozenset(OPERATIONS)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_script_is_what_bash_can_read(verb: str) -> None:
    text = script(verb, EVERYTHING if verb == "act" else frozenset())
    assert run(["bash", "-n"], text.encode(), deadline=10).errors == ""
    load, main = text.split("\n", 1)
    assert main.startswith("main() {\n")
    assert main.endswith("\n}\nmain 3<&0 </dev/null; exit\n")
    assert load == LOAD % main.index("main 3<&0")
    assert text.isascii()  # `read -N` counts characters


@pytest.mark.parametrize("environment", [{"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C"}, {"gate_mode": "act"}])
@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"gate"}))
def test_a_script_runs_however_it_was_read(verb: str, environment: dict[str, str]) -> None:
    """The payload behind it is left alone: here it is one that no verb can take."""
    environment = {"PATH": os.environ["PATH"], **environment}
    stdin = f"{script(verb)}n0nce 3\nx y".encode()
    ended = run(["bash", "--noprofile", "--norc", "-p", "-s"], stdin, piped=True, deadline=10, environment=environment)
    sentence = "the payload has a field that cannot be read: at byte 0"
    assert ended.output.decode() == f"\nn0nce begin\nn0nce frame error {len(sentence)}\n{sentence}\nn0nce end 65\n"
    assert ended.errors == ""


def test_a_script_is_not_read_byte_by_byte() -> None:
    """Nor does bash let anything of it stand that would be run after main."""
    text = script("act", EVERYTHING)
    counting = ["strace", "-f", "-e", "trace=read", "-o", "/dev/stdout", "bash", "--noprofile", "--norc", "-p", "-s"]
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    ended = run(counting, f"{text}n0nce 0\n".encode(), piped=True, deadline=30)
    assert ended.output.count(b"read(") < len(text) / 20


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
