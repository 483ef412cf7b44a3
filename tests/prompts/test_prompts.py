"""What workers are told, and how they have to answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from reconciler.prompts.brief import BASE_BRANCH, WORKTREE, Brief
from reconciler.prompts.brief import NAMES as VARIABLES
from reconciler.prompts.builtin import NAMES, part, result_schema, template
from reconciler.prompts.render import check, render

FULL = Brief(
    prompt="Make the login page work without JavaScript.\n",
    task="login",
    title="Login without JavaScript",
    description="Some of our users have it switched off.\n",
    request="Cover the password reset, too.\n",
    before="Blocked: Which pages?",
    project="web",
    repo_url="https://github.com/example/web",
    git_url="git@github.com:example/web.git",
    base_branch="main",
    start="pull request 7",
    branch="reconciler/login-0123abcd-1",
    worktree="/srv/web/worktrees/login-0123abcd-1",
    pull_request_url="https://github.com/example/web/pull/7",
    issue=15,
    issue_text="## Issue #15\n\n> Login needs JavaScript",
    persona="You are Ada.",
)
LEAST = Brief(prompt="Do it.", project="web", git_url="/srv/git/web.git", branch="reconciler/a-1")
ANSWER: dict[str, Any] = {
    "status": "succeeded",
    "summary": "Done.",
    "pullRequestUrl": None,
    "branchName": "reconciler/a-1",
    "worktreePath": "/srv/a-1",
    "notes": None,
}


def told(name: str, brief: Brief, **own: str) -> str:
    return render(template(name, {}), brief, own)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_known_is_said(name: str) -> None:
    text = told(name, FULL)
    for value in FULL.values().values():
        assert value.strip() in text
    assert "Closes #15" in text
    assert "JSON only" in text
    assert text.startswith("You are Ada.\n\n# ")
    assert text.index(FULL.title) < text.index(FULL.description) < text.index(FULL.prompt) < text.index(FULL.issue_text)
    assert text.index(FULL.issue_text) < text.index(f"> {FULL.before}") < text.index(FULL.request)
    assert text.index(FULL.request) < text.index("JSON only")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_what_is_not_there(name: str) -> None:
    text = told(name, LEAST)
    for word in ("issue", "Closes", "pull request", "`gh`", "Started from", "What is asked now", "None"):
        assert word not in text
    assert WORKTREE in text
    assert BASE_BRANCH in text
    assert "Do it." in text
    assert "\n\n\n" not in text
    assert "{" not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_template_that_comes_with_it_needs_no_variables(name: str) -> None:
    assert check(template(name, {})).required <= LEAST.values().keys()


def test_the_page_about_agents_lists_what_templates_can_say() -> None:
    page = (Path(__file__).parents[2] / "docs/agents.md").read_text()
    assert [name for name in VARIABLES if f"`{name}`" not in page] == []


def test_sections_are_where_they_belong() -> None:
    without = Brief(prompt="x", repo_url="https://github.com/o/r", git_url="g", branch="b")
    assert "Existing pull request" not in told("coding", without)
    assert "Open the pull request against" in told("coding", without)
    assert "Open the pull request against" not in told("coding", FULL)
    assert "pushed to `origin`" in told("coding", LEAST)


def test_variables_say_more() -> None:
    assert "Look first at the login." in told("security", LEAST, focus="the login")
    assert "in this order: docs/style.md, what" in told("conventions", LEAST, guide="docs/style.md")


def test_a_fleets_own_template_wins_and_may_build_on_ours() -> None:
    own = {"coding": '{% extends "_frame.md.j2" %}{% block role %}You are {{ who }}.\n{% endblock %}'}
    text = render(template("coding", own), LEAST, {"who": "a gardener"})
    assert "You are a gardener.\nNobody answers" in text
    assert "You work alone" not in text
    with pytest.raises(KeyError):
        template("codng", own)


def test_only_what_comes_with_it_can_be_taken_in() -> None:
    assert part("_frame.md.j2")
    assert part("coding.md.j2")
    assert part("../../pyproject.toml") is None
    assert part("_frame") is None


def test_a_persona_goes_where_the_template_wants_it() -> None:
    brief = Brief(prompt="Do it.", persona="You are Ada.\n")
    assert render("{{ prompt }}\n", brief, {}) == "You are Ada.\n\nDo it.\n"
    assert render("{{ prompt }}\n{{ persona }}", brief, {}) == "Do it.\nYou are Ada.\n"


def test_what_people_write_is_text_and_no_template() -> None:
    text = "{{ secret }} {% include 'x' %} {# note #}"
    assert render("{{ prompt }}|{{ own }}", Brief(prompt=text), {"own": text}) == f"{text}|{text}"


def test_the_schema_of_answers_is_a_strict_one() -> None:
    """Strict as OpenAI's structured outputs ask for: every key is required, no others are allowed."""
    schema = json.loads(result_schema())
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"]) == list(ANSWER)
    assert set(schema) == {"type", "properties", "required", "additionalProperties"}
    for rules in schema["properties"].values():
        assert set(rules) <= {"type", "enum", "description"}


@pytest.mark.parametrize("status", ["succeeded", "failed", "blocked"])
def test_answers_that_fit(status: str) -> None:
    Draft202012Validator(json.loads(result_schema())).validate({**ANSWER, "status": status, "notes": "x"})


@pytest.mark.parametrize(
    "change",
    [{"status": "done"}, {"summary": None}, {"worktreePath": None}, {"more": 1}, {"notes": 1}, {"branchName": []}],
)
def test_answers_that_do_not_fit(change: dict[str, Any]) -> None:
    validator = Draft202012Validator(json.loads(result_schema()))
    with pytest.raises(ValidationError):
        validator.validate({**ANSWER, **change})
    for key in ANSWER:
        with pytest.raises(ValidationError):
            validator.validate({name: value for name, value in ANSWER.items() if name != key})
