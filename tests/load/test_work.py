"""Projects, Agents and the tasks that use them: what they become, and what happens when one of them is wrong."""

from pathlib import Path

import pytest

from reconciler.load.documents import Document, Parser, Slot
from reconciler.load.fleet import Loaded, load
from reconciler.load.git import open_repository
from reconciler.model.agent import Agent
from reconciler.model.desired import Desired
from reconciler.model.project import Fork
from reconciler.model.task import AgentRef, Qa, QaStep, Secret, Start, StartKind, Template

from .repositories import FLEET, HOST, Work, agent, project, task, work_of

DEFAULTS = FLEET.replace("spec: {id: 4f9d2c7e81b3}", "spec: {id: 4f9d2c7e81b3, defaults: {task: {agent: %s}}}")
BASE: dict[str, str | bytes | None] = {"fleet.yaml": FLEET, "hosts.yaml": HOST, "web.yaml": project("web")}


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "fleet")


def loaded(work: Work, files: dict[str, str | bytes | None], remembered: Loaded | None = None) -> Loaded:
    """Commit files and load them as a controller that has just started, with the ledger of an earlier load."""
    commit = work.commit(files)
    memory: dict[Slot, Document] = {}
    for document in remembered.documents if remembered else ():
        memory[document.slot] = Document.from_json(document.to_json())
    return load(open_repository(str(work.path), work.path.parent / "cache"), commit, Parser(), memory)


def desired(found: Loaded) -> Desired:
    assert found.desired is not None
    return found.desired


def said(found: Loaded) -> list[str]:
    return [f"{p.file}:{p.line}:{p.column}: {p.path}: {p.message}" for p in found.problems]


def hints(found: Loaded) -> list[str]:
    return [problem.hint for problem in found.problems]


def test_everything_is_filled_in(work: Work) -> None:
    found = loaded(
        work,
        {
            **BASE,
            "web.yaml": project(
                "web",
                "gitUrl: git@github.com:example/web.git",
                "baseBranch: main",
                "fork: auto",
                "env: {A: '1'}",
                "secrets: [GH_TOKEN]",
                "setup: npm ci",
                "qa: [make test, {name: lint, run: make lint}]",
            ),
            "agents.yaml": agent(
                "writer",
                "tool: claude",
                "model: sonnet",
                "args: [--max-turns, '50']",
                "env: {B: '2'}",
                "secrets: [{name: KEY, from: KEY_WEB}]",
                "maxConcurrent: 3",
                "variants: {opus: {maxConcurrent: 1}}",
                "fallback: [codex, mine]",
                "budgetUsd: 5",
            )
            + "---\n"
            + agent("mine", "tool: command", "command: [my-agent, --headless]"),
            "a.yaml": work_of(
                "a",
                "title: Login",
                "base: {pullRequest: 7}",
                "issue: 15",
                "qa: []",
                "template: {name: security, persona: You are Ada., variables: {focus: the login}}",
                "followUps: [{request: more}, {request: and more}]",
                agent="writer:opus",
            ),
            "b.yaml": work_of("b", "idleTimeout: 5m", agent="gemini"),
            "c.yaml": task("c"),
        },
    )
    assert said(found) == []
    wanted = desired(found)
    web = wanted.projects["web"]
    assert (web.git_url, web.repo_url) == ("git@github.com:example/web.git", "https://github.com/example/web")
    assert (web.base_branch, web.fork, web.env, web.secrets) == (
        "main",
        Fork.AUTO,
        {"A": "1"},
        (Secret("GH_TOKEN", "GH_TOKEN"),),
    )
    assert (web.setup, web.qa) == ("npm ci", Qa(steps=(QaStep("make-test", "make test"), QaStep("lint", "make lint"))))
    writer = wanted.agents["writer"]
    assert (writer.tool, writer.model, writer.args, writer.env) == (
        "claude",
        "sonnet",
        ("--max-turns", "50"),
        {"B": "2"},
    )
    assert (writer.secrets, writer.fallback) == ((Secret("KEY", "KEY_WEB"),), ("codex", "mine"))
    assert (writer.max_concurrent, writer.variants, writer.budget_usd) == (3, {"opus": 1}, 5.0)
    assert wanted.agents["mine"].command == ("my-agent", "--headless")
    assert sorted(wanted.agents) == ["codex", "gemini", "mine", "writer"]
    assert wanted.agents["codex"] == Agent("codex", "codex")
    a, b, c = (wanted.tasks[name] for name in "abc")
    assert (a.project, a.agent, a.prompt, a.script) == ("web", AgentRef("writer", "opus"), "Do it.", "")
    assert (a.start, a.issue, a.qa) == (Start(StartKind.PULL, "7"), 15, Qa())
    assert a.template == Template("security", "You are Ada.", {"focus": "the login"})
    assert [step.request for step in a.steps] == ["", "more", "and more"]
    assert (a.idle_timeout, b.idle_timeout, c.idle_timeout) == (3600, 300, None)
    assert (b.agent, b.start, b.issue, b.qa, b.template) == (AgentRef("gemini"), None, None, None, Template())
    assert (c.project, c.agent, c.prompt) == ("", None, "")


BASES = {
    "branch: release-2": Start(StartKind.BRANCH, "release-2"),
    "tag: v1.2.0": Start(StartKind.TAG, "v1.2.0"),
    "pullRequest: 7": Start(StartKind.PULL, "7"),
}


@pytest.mark.parametrize("text, start", BASES.items())
def test_a_worktree_starts_from(work: Work, text: str, start: Start) -> None:
    assert desired(loaded(work, {**BASE, "a.yaml": work_of("a", f"base: {{{text}}}")})).tasks["a"].start == start


QA = {
    "auto": Qa(auto=True),
    "[]": Qa(),
    "[make test]": Qa(steps=(QaStep("make-test", "make test"),)),
    "[a, a, a]": Qa(steps=(QaStep("a", "a"), QaStep("a-2", "a"), QaStep("a-3", "a"))),
    "[a b, {name: a-b, run: c}]": Qa(steps=(QaStep("a-b-2", "a b"), QaStep("a-b", "c"))),
    '["#!/bin/sh\\n\\nmake lint\\n", "…"]': Qa(
        steps=(QaStep("make-lint", "#!/bin/sh\n\nmake lint\n"), QaStep("step", "…"))
    ),
}


@pytest.mark.parametrize("text, qa", QA.items())
def test_qa_steps_have_names_of_their_own(work: Work, text: str, qa: Qa) -> None:
    assert desired(loaded(work, {**BASE, "a.yaml": work_of("a", f"qa: {text}")})).tasks["a"].qa == qa


def test_the_fleet_says_who_works_when_the_task_does_not(work: Work) -> None:
    files = {**BASE, "fleet.yaml": DEFAULTS % "'codex:mini'", "a.yaml": work_of("a", agent=""), "b.yaml": work_of("b")}
    found = loaded(work, {**files, "c.yaml": task("c")})
    assert said(found) == []
    assert [desired(found).tasks[name].agent for name in "abc"] == [AgentRef("codex", "mini"), AgentRef("claude"), None]
    assert sorted(desired(found).agents) == ["claude", "codex"]
    changed = loaded(work, {"fleet.yaml": DEFAULTS % "claude"})
    assert desired(changed).tasks["a"].steps == desired(found).tasks["a"].steps  # a default is no new work


WRONG = {
    "nobody works": (
        work_of("a", agent=""),
        "x.yaml:4:1: spec.agent: is missing: say who works",
        "write for example `agent: claude`, here or in the Fleet's defaults.task",
    ),
    "an unknown project": (
        work_of("a", project="webb"),
        "x.yaml:5:3: spec.project: there is no Project webb",
        "did you mean web?",
    ),
    "an unknown agent": (
        work_of("a", agent="cluade:opus"),
        "x.yaml:6:3: spec.agent: there is no Agent cluade",
        "did you mean claude?",
    ),
    "an agent like nothing": (
        work_of("a", agent="me"),
        "x.yaml:6:3: spec.agent: there is no Agent me",
        "declare it, or remove the name here",
    ),
    "a command without a document": (
        work_of("a", agent="command"),
        "x.yaml:6:3: spec.agent: there is no Agent command",
        "write an Agent with `tool: command` that says which command, and name that",
    ),
    "an unknown fallback": (
        agent("a", "tool: claude", "fallback: [codex, codx]"),
        "x.yaml:6:21: spec.fallback[1]: there is no Agent codx",
        "did you mean codex?",
    ),
    "itself as fallback": (
        agent("a", "tool: claude", "fallback: [a]"),
        "x.yaml:6:14: spec.fallback[0]: an Agent cannot be its own fallback",
        "name another one",
    ),
}


@pytest.mark.parametrize("content, message, hint", WRONG.values(), ids=WRONG)
def test_references_that_lead_nowhere(work: Work, content: str, message: str, hint: str) -> None:
    found = loaded(work, {**BASE, "x.yaml": content})
    assert (said(found), hints(found)) == ([message], [hint])
    assert desired(found).tasks == {}


def test_an_agent_document_may_have_the_name_of_a_tool(work: Work) -> None:
    found = loaded(work, {**BASE, "x.yaml": agent("claude", "tool: codex"), "a.yaml": work_of("a")})
    assert said(found) == []
    assert desired(found).agents["claude"].tool == "codex"


def test_a_default_agent_that_is_nobody_stops_its_own_tasks_alone(work: Work) -> None:
    files = {"fleet.yaml": DEFAULTS % "nobody", "a.yaml": work_of("a", agent=""), "b.yaml": work_of("b")}
    found = loaded(work, {**BASE, **files})
    assert said(found) == ["fleet.yaml:4:44: spec.defaults.task.agent: there is no Agent nobody"]
    assert sorted(desired(found).tasks) == ["a", "b"]
    assert sorted(desired(found).agents) == ["claude"]  # the task a waits for one


def test_a_broken_project_stands_at_its_last_good_version(work: Work) -> None:
    before = loaded(work, {**BASE, "a.yaml": work_of("a")})
    for memory in (before, None):
        found = loaded(work, {"web.yaml": project("web", "gitUrl: ext::sh")}, memory)
        assert [problem.file for problem in found.problems] == ["web.yaml"]
        assert desired(found).projects == desired(before).projects
        assert desired(found).tasks == desired(before).tasks
        assert desired(found).frozen == {}


def test_a_project_that_was_never_good_makes_no_task_bad(work: Work) -> None:
    found = loaded(work, {**BASE, "web.yaml": project("web", "gitUrl: ext::sh"), "a.yaml": work_of("a")})
    assert [problem.file for problem in found.problems] == ["web.yaml"]
    assert desired(found).projects == {}
    assert list(desired(found).tasks) == ["a"]


def test_a_project_that_is_gone_freezes_its_tasks(work: Work) -> None:
    before = loaded(work, {**BASE, "a.yaml": work_of("a")})
    found = loaded(work, {"web.yaml": None}, before)
    assert said(found) == ["a.yaml:5:3: spec.project: there is no Project web"]
    assert list(desired(found).tasks) == list(desired(found).frozen) == ["a"]


def test_a_broken_agent_is_never_replaced_by_its_tools_defaults(work: Work) -> None:
    limited, broken = agent("claude", "tool: claude", "budgetUsd: 5"), agent("claude", "tool: claude", "budgetUsd: 0")
    never = loaded(work, {**BASE, "x.yaml": broken, "a.yaml": work_of("a")})
    assert desired(never).agents == {}
    before = loaded(work, {"x.yaml": limited})
    for memory in (before, None):
        found = loaded(work, {"x.yaml": broken}, memory)
        assert desired(found).agents["claude"].budget_usd == 5


def test_a_broken_task_stands_with_all_of_its_steps(work: Work) -> None:
    before = loaded(work, {**BASE, "a.yaml": work_of("a", "followUps: [{request: more}]")})
    found = loaded(work, {"a.yaml": work_of("a", "followUps: [{request: more}, {request: ''}]")}, before)
    assert desired(found).tasks == desired(before).tasks
    assert list(desired(found).frozen) == ["a"]


def test_while_the_fleet_is_broken_nobody_is_told_that_an_agent_is_missing(work: Work) -> None:
    before = loaded(work, {**BASE, "fleet.yaml": FLEET})
    files = {"fleet.yaml": (DEFAULTS % "claude").replace("4f9d2c7e81b3", "short"), "a.yaml": work_of("a", agent="")}
    found = loaded(work, {**files}, before)
    assert [problem.file for problem in found.problems] == ["fleet.yaml"]
    assert list(desired(found).invalid) == ["a"]


def test_a_last_good_version_that_relied_on_a_default_which_is_gone_waits(work: Work) -> None:
    before = loaded(work, {**BASE, "fleet.yaml": DEFAULTS % "claude", "a.yaml": work_of("a", agent="")})
    found = loaded(work, {"fleet.yaml": FLEET}, before)
    assert said(found) == ["a.yaml:4:1: spec.agent: is missing: say who works"]
    assert (list(desired(found).tasks), list(desired(found).invalid)) == ([], ["a"])
    again = loaded(work, {"fleet.yaml": DEFAULTS % "claude"}, found)
    assert desired(again).tasks == desired(before).tasks


def test_while_a_file_cannot_be_read_no_name_counts_as_unknown(work: Work) -> None:
    found = loaded(work, {**BASE, "h.yaml": "x: : y", "a.yaml": work_of("a", agent="me", project="other")})
    assert {problem.file for problem in found.problems} == {"h.yaml"}
    assert list(desired(found).tasks) == ["a"]


def test_documents_survive_the_ledger(work: Work) -> None:
    found = loaded(work, {**BASE, "x.yaml": agent("me", "tool: claude", "budgetUsd: 0.5"), "a.yaml": work_of("a")})
    assert {document.kind for document in found.documents} == {"Fleet", "Host", "Project", "Agent", "Task"}
    for document in found.documents:
        assert Document.from_json(document.to_json()).to_json() == document.to_json()
