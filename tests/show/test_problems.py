"""Problems: text with the line and a caret, JSON with every key, GitHub annotations."""

from reconciler.model.problem import Problem, Severity
from reconciler.show import problems
from reconciler.show.paper import Paper

TYPO = Problem("tasks/a.yaml", 12, 3, "spec.timout", "unknown key", "did you mean timeout?", excerpt="  timout: 1h")
WARNING = Problem("fleet.yaml", 1, 1, "", "is executable", severity=Severity.WARNING)
NASTY = Problem("a,b:\n%.yaml", 1, 2, "x", "bad \x1b[31m\nthing", excerpt="é\x1b: 1")


def test_text_names_the_place_and_shows_the_line() -> None:
    assert problems.listing([TYPO, WARNING]) == (
        "tasks/a.yaml:12:3: spec.timout: unknown key\n"
        "  12 |   timout: 1h\n"
        "     |   ^\n"
        "     = did you mean timeout?\n"
        "fleet.yaml:1:1: warning: is executable\n"
    )


def test_hostile_text_is_shown_not_obeyed() -> None:
    shown = problems.listing([NASTY], Paper(color=False))
    assert "\x1b" not in shown
    assert shown.splitlines()[1:] == ["  1 | é\\x1b: 1", "    |  ^"]


def test_a_long_line_is_shown_around_its_fault() -> None:
    far = Problem("a.yaml", 1, 1001, "", "here", excerpt="x" * 1000 + "!" + "y" * 1000)
    _, line, caret = problems.listing([far]).splitlines()
    assert line[caret.index("^")] == "!"
    assert len(line) < 120


def test_json_has_every_key_and_only_errors_make_it_invalid() -> None:
    assert problems.body([TYPO])["valid"] is False
    assert problems.body([WARNING]) == {
        "valid": True,
        "problems": [
            {
                "severity": "warning",
                "file": "fleet.yaml",
                "line": 1,
                "column": 1,
                "path": None,
                "message": "is executable",
                "hint": None,
            }
        ],
    }


def test_github_annotations_are_escaped() -> None:
    assert problems.github([TYPO, WARNING, NASTY]) == (
        "::error file=tasks/a.yaml,line=12,col=3::spec.timout: unknown key%0Adid you mean timeout?\n"
        "::warning file=fleet.yaml,line=1,col=1::is executable\n"
        "::error file=a%2Cb%3A%0A%25.yaml,line=1,col=2::x: bad \\x1b[31m%0Athing\n"
    )


def test_one_sentence_at_the_end() -> None:
    assert problems.summary([]) == "valid: no problems"
    assert problems.summary([WARNING]) == "valid: 1 warning in 1 file"
    assert problems.summary([TYPO, TYPO, WARNING]) == "invalid: 2 errors, 1 warning in 2 files"
