"""Prompt templates of the fleet repository: what is read, what is said about them, and what happens to their tasks."""

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.load.documents import Document, Parser
from reconciler.load.fleet import Loaded, load, load_worktree
from reconciler.load.git import open_repository
from reconciler.model.desired import Desired

from .repositories import FLEET, HOST, Work, project, task, work_of

BASE: dict[str, str | bytes | None] = {"fleet.yaml": FLEET, "hosts.yaml": HOST, "web.yaml": project("web")}
MINE = "Do this for {{ who }}:\n{{ prompt }}\n"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "fleet")


def loaded(work: Work, files: dict[str, str | bytes | None], remembered: Loaded | None = None) -> Loaded:
    """Commit files and load them as a controller that has just started, with the ledger of an earlier load."""
    commit = work.commit(files)
    memory = {d.slot: Document.from_json(d.to_json()) for d in (remembered.documents if remembered else ())}
    return load(open_repository(str(work.path), work.path.parent / "cache"), commit, Parser(), memory)


def desired(found: Loaded) -> Desired:
    assert found.desired is not None
    return found.desired


def said(found: Loaded) -> list[str]:
    return [f"{p.file}:{p.line}:{p.column}: {p.path}: {p.message}" for p in found.problems]


def uses(name: str, **variables: str) -> str:
    given = ", ".join(f"{key}: {value}" for key, value in variables.items())
    return work_of("a", f"template: {{name: {name}, variables: {{{given}}}}}")


def test_files_below_prompts_are_templates(work: Work) -> None:
    files: dict[str, str | bytes | None] = {
        "prompts/mine.md.j2": MINE,
        "prompts/plain.md": "{{ prompt }}",
        "prompts/README.md": "This is {{ no template.",
        "prompts/notes.txt": "{{",
        "prompts/.hidden.md.j2": "{{",
        "prompts/deep/other.md.j2": "{{",
        "prompts/old.md.j2": "{{",
        "other/prompts/x.md.j2": "{{",
        ".reconcilerignore": "prompts/old*\n",
        "a.yaml": uses("mine", who="Ada"),
        "b.yaml": work_of("b", "template: {name: plain}"),
        "coding.yaml": work_of("c", "template: {persona: x}"),
    }
    found = loaded(work, {**BASE, **files})
    assert said(found) == []
    assert desired(found).prompts == {"mine": MINE, "plain": "{{ prompt }}"}
    assert desired(found).complete


def test_they_are_those_of_the_fleets_folder(work: Work) -> None:
    files = {f"fleets/web/{name}": text for name, text in {**BASE, "prompts/mine.md.j2": MINE}.items()}
    work.commit({**files, "prompts/mine.md.j2": "{{", "fleets/web/a.yaml": uses("mine", who="Ada")})
    repository = open_repository(str(work.path / "fleets" / "web"), work.path.parent / "cache")
    found = load(repository, repository.resolve(), Parser())
    assert said(found) == []
    assert desired(found).prompts == {"mine": MINE}


WRONG = {
    "an unknown name": (
        uses("codng"),
        "a.yaml:8:14: spec.template.name: there is no template codng",
        "did you mean coding?",
    ),
    "a name like no other": (
        uses("poetry"),
        "a.yaml:8:14: spec.template.name: there is no template poetry",
        "there is coding, conventions, mine, security, or write prompts/poetry.md.j2",
    ),
    "a missing variable": (
        uses("mine"),
        "a.yaml:8:26: spec.template.variables: the template mine needs the variable who, which is not given",
        'write it below template.variables, or {{ who | default("…") }} in the template',
    ),
    "a misspelt variable": (
        uses("security", focsu="x"),
        "a.yaml:8:42: spec.template.variables.focsu: the template security does not use the variable focsu",
        "did you mean focus?",
    ),
    "a variable too much": (
        uses("mine", who="Ada", why="x"),
        "a.yaml:8:48: spec.template.variables.why: the template mine does not use the variable why",
        "it has who",
    ),
    "a variable of a template without any": (
        uses("coding", why="x"),
        "a.yaml:8:40: spec.template.variables.why: the template coding does not use the variable why",
        "it has no variables of its own: remove this one",
    ),
    "a variable that is there": (
        uses("mine", who="Ada", project="x"),
        "a.yaml:8:48: spec.template.variables.project: the variable project is there for every task,"
        " and cannot be given",
        "choose another name",
    ),
}


@pytest.mark.parametrize("content, message, hint", WRONG.values(), ids=WRONG)
def test_what_does_not_fit(work: Work, content: str, message: str, hint: str) -> None:
    found = loaded(work, {**BASE, "prompts/mine.md.j2": MINE, "a.yaml": content})
    assert (said(found), [problem.hint for problem in found.problems]) == ([message], [hint])
    assert list(desired(found).invalid) == ["a"]


def test_a_template_that_misspells_what_it_could_say_is_found_out(work: Work) -> None:
    found = loaded(work, {**BASE, "prompts/mine.md.j2": "{{ promt }}", "a.yaml": uses("mine")})
    assert found.problems[0].message == "the template mine needs the variable promt, which is not given"
    assert found.problems[0].hint == "did the template mean prompt?"


def test_a_template_of_ours_that_is_replaced_may_need_more(work: Work) -> None:
    found = loaded(work, {**BASE, "prompts/coding.md.j2": MINE, "a.yaml": work_of("a"), "b.yaml": task("b")})
    assert said(found) == [
        "a.yaml:4:1: spec.template.variables: the template coding needs the variable who, which is not given"
    ]
    assert list(desired(found).tasks) == ["b"]


BROKEN = {
    "no template": (MINE + "{% if x", "3:1: : this is no template: "),
    "a call": ("\n{{ range(3) }}", "2:1: : calls are refused"),
    "not UTF-8": (b"a\n\xe9\n", "2:1: : the file is not UTF-8"),
    "a NUL byte": ("a\nb\0\n", "2:1: : the character U+0000 is not allowed in a template"),
    "too large": ("x" * 300_000, "1:1: : the file has 300000 bytes, more than 262144"),
}


@pytest.mark.parametrize("content, message", BROKEN.values(), ids=BROKEN)
def test_a_broken_template_stands_at_its_last_good_version(work: Work, content: str | bytes, message: str) -> None:
    before = loaded(work, {**BASE, "prompts/mine.md.j2": MINE, "a.yaml": uses("mine", who="Ada")})
    loaded(work, {"prompts/mine.md.j2": "{{ nor this one"})
    for memory in (before, None):
        found = loaded(work, {"prompts/mine.md.j2": content}, memory)
        assert [text.startswith(f"prompts/mine.md.j2:{message}") for text in said(found)] == [True]
        assert desired(found).prompts == {"mine": MINE}
        assert desired(found).tasks == desired(before).tasks
        assert desired(found).frozen == {}


@pytest.mark.parametrize("content, message", BROKEN.values(), ids=BROKEN)
def test_a_template_that_was_never_good_stops_the_tasks_that_use_it(
    work: Work, content: str | bytes, message: str
) -> None:
    files = {"prompts/coding.md.j2": content, "a.yaml": work_of("a"), "b.yaml": work_of("b", "template: {name: mine}")}
    found = loaded(work, {**BASE, **files, "prompts/mine.md.j2": "{{ prompt }}"})
    assert [text.startswith(f"prompts/coding.md.j2:{message}") for text in said(found)] == [True]
    assert list(desired(found).tasks) == ["b"]
    assert desired(found).invalid["a"].startswith("the template coding cannot be used: prompts/coding.md.j2:")
    assert list(desired(found).prompts) == ["mine"]  # and ours does not take its place


def test_a_broken_template_that_nobody_uses_is_said_and_stops_nothing(work: Work) -> None:
    found = loaded(work, {**BASE, "prompts/mine.md.j2": "{{", "a.yaml": task("a"), "b.yaml": work_of("b")})
    assert [problem.file for problem in found.problems] == ["prompts/mine.md.j2"]
    assert found.problems[0].excerpt == "{{"
    assert list(desired(found).tasks) == ["a", "b"]


def test_a_symlink_and_a_second_file_are_problems(work: Work) -> None:
    work.write({"prompts/real.txt": "x"})
    (work.path / "prompts" / "link.md.j2").symlink_to("real.txt")
    files: dict[str, str | bytes | None] = {"prompts/mine.md": "other", "prompts/mine.md.j2": MINE}
    found = loaded(work, {**BASE, **files, "prompts/My Own.md.j2": "x", "a.yaml": uses("mine", who="Ada")})
    assert said(found) == [
        "prompts/My Own.md.j2:1:1: : the template's name is refused",
        "prompts/link.md.j2:1:1: : a symlink is not followed",
        "prompts/mine.md:1:1: : the template mine is already declared in prompts/mine.md.j2",
    ]
    assert desired(found).prompts == {"mine": MINE}
    assert desired(found).complete


def test_a_task_that_no_longer_fits_stands_where_it_did(work: Work) -> None:
    before = loaded(work, {**BASE, "prompts/mine.md.j2": MINE, "a.yaml": work_of("a", prompt="old")})
    found = loaded(work, {"a.yaml": uses("mine")}, before)
    assert (desired(found).tasks["a"].prompt, list(desired(found).frozen)) == ("old", ["a"])
    used = loaded(work, {"a.yaml": uses("mine", who="Ada")}, found)
    assert said(used) == []
    gone = loaded(work, {"prompts/mine.md.j2": None}, used)
    assert said(gone) == ["a.yaml:8:14: spec.template.name: there is no template mine"]
    assert (list(desired(gone).tasks), list(desired(gone).invalid)) == ([], ["a"])
    assert ("Task", "a") in [document.slot for document in gone.documents]  # it is remembered, and comes back
    assert said(loaded(work, {"prompts/mine.md.j2": MINE}, gone)) == []


def test_templates_of_the_work_tree_are_read_and_missed(work: Work) -> None:
    commit = work.commit({**BASE, "a.yaml": uses("mine", who="Ada"), "prompts/mine.md.j2": MINE})
    repository = open_repository(str(work.path), work.path.parent / "cache")
    work.write({"prompts/mine.md.j2": MINE + "\n{{ who", "prompts/new.md": "x", "prompts/notes.txt": "x"})
    found = load_worktree(repository, Parser())
    assert said(found) == [
        "prompts/mine.md.j2:4:1: : this is no template: unexpected end of template, expected 'end of print statement'"
    ]
    assert (desired(found).revision, desired(found).prompts) == (commit, {"mine": MINE})
    assert repository.uncommitted() == ["prompts/mine.md.j2", "prompts/new.md"]


def test_only_what_changed_is_read_again(work: Work) -> None:
    work.commit({**BASE, "prompts/mine.md.j2": MINE, "a.yaml": uses("mine", who="Ada")})
    repository = open_repository(str(work.path), work.path.parent / "cache")
    parser = Parser()
    first = load(repository, repository.resolve(), parser)
    texts = dict(parser.texts)
    work.commit({"prompts/other.md.j2": "x", "b.yaml": task("b")})
    second = load(repository, repository.resolve(), parser)
    assert desired(first).prompts | {"other": "x"} == desired(second).prompts
    assert all(parser.texts[blob] is data for blob, data in texts.items())


USED = """
import sys
from pathlib import Path
from reconciler.load.documents import Parser
from reconciler.load.fleet import load
from reconciler.load.git import open_repository
repository = open_repository(sys.argv[1], Path(sys.argv[1]))
assert not load(repository, repository.resolve(), Parser()).problems
print(*(name for name in ("jinja2", "reconciler.agents.registry") if name in sys.modules))
"""


@pytest.mark.parametrize(
    "files, used",
    [
        ({"a.yaml": task("a")}, ""),
        ({"a.yaml": work_of("a")}, "reconciler.agents.registry"),
        ({"a.yaml": uses("security", focus="x")}, "jinja2 reconciler.agents.registry"),
        ({"prompts/mine.md.j2": MINE}, "jinja2"),
    ],
    ids=["scripts", "agents", "variables", "templates"],
)
def test_a_fleet_pays_only_for_what_it_uses(work: Work, files: dict[str, str | bytes | None], used: str) -> None:
    work.commit({**BASE, **files})
    done = subprocess.run(
        [sys.executable, "-c", USED, str(work.path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stderr, done.stdout.strip()) == ("", used)
