"""A commit becomes what is desired: the good as written, the bad at its last good version, everything said at once."""

from pathlib import Path

import pytest

from reconciler.load.documents import Document, Parser, Slot
from reconciler.load.fleet import Loaded, load, load_worktree
from reconciler.load.git import open_repository
from reconciler.model.fleet import Suspend
from reconciler.model.host import Drain, Transport
from reconciler.model.task import Priority, Retries, Secret, UpdatePolicy

from .repositories import FLEET, HOST, Work, host, task

BASE: dict[str, str | bytes | None] = {"fleet.yaml": FLEET, "hosts.yaml": HOST}


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


def said(found: Loaded) -> list[str]:
    return [f"{p.file}:{p.line}:{p.column}: {p.path}: {p.message}" for p in found.problems]


def test_everything_is_filled_in(work: Work) -> None:
    found = loaded(
        work,
        {
            "fleet.yaml": FLEET.replace("spec: {id: 4f9d2c7e81b3}", "")
            + "spec:\n  id: 4f9d2c7e81b3\n  suspend: {cancel: true}\n  interval: 1m\n  prune: {maxCount: 3}\n"
            + "  retention: {age: 7d}\n  defaults:\n    host: {user: worker, slots: 2, labels: {zone: a, gpu: 'no'},"
            + " sshOptions: {Compression: 'yes', ConnectTimeout: 3}}\n"
            + "    task: {timeout: 2h, retries: {limit: 3, backoff: 10s}, replaceAfter: 1d}\n",
            "all.yaml": host("box1", "address: box1", "port: 2222", "minFree: 10GiB", "drain: true", "slots: 7")
            + "---\n"
            + host("box2", "address: box2", "workspaceRoot: /srv/x/", "sshOptions: {Compression: 'no'}").replace(
                "{name: box2}", "{name: box2, labels: {gpu: 'yes'}}"
            )
            + "---\n"
            + task(
                "a",
                "priority: high",
                "host: box1",
                "env: {A: '1'}",
                "secrets: [X, {name: Y, from: Z}]",
                "retries: {limit: 1}",
                "dependsOn: [b]",
                "suspend: true",
                "rerun: 2",
                "updatePolicy: ignore",
                "replaceAfter: never",
                "state: closed",
            )
            + "---\n"
            + task("b", "hostSelector: {matchLabels: {gpu: 'yes'}}", "idleTimeout: 5m"),
        },
    )
    assert said(found) == []
    desired = found.desired
    assert desired is not None
    assert desired.complete
    assert (desired.fleet.name, desired.fleet.id, desired.fleet.interval) == ("home", "4f9d2c7e81b3", 60)
    assert desired.fleet.suspend is Suspend.CANCEL
    assert (desired.fleet.prune.max_count, desired.fleet.prune.max_percent) == (3, 20)
    assert (desired.fleet.retention.age, desired.fleet.retention.runs) == (7 * 86_400, 20)
    box1, box2 = desired.hosts["box1"], desired.hosts["box2"]
    assert (box1.user, box1.port, box1.slots, box1.min_free, box1.drain) == ("worker", 2222, 7, 10 << 30, Drain(3600))
    assert box1.ssh_options == {"Compression": "yes", "ConnectTimeout": "3"}
    assert box2.ssh_options == {"Compression": "no", "ConnectTimeout": "3"}
    assert (box2.slots, box2.port, box2.workspace_root, box2.labels) == (2, None, "/srv/x", {"zone": "a", "gpu": "yes"})
    assert box2.source.file == "all.yaml"
    assert box2.source.line == 11
    a, b = desired.tasks["a"], desired.tasks["b"]
    assert (a.closed, a.suspend, a.priority, a.host) == (True, Suspend.HOLD, Priority.HIGH, "box1")
    assert (a.timeout, a.retries, a.replace_after) == (7200, Retries(1, 10, 1800), None)
    assert (a.secrets, a.depends_on, a.update_policy) == (
        (Secret("X", "X"), Secret("Y", "Z")),
        ("b",),
        UpdatePolicy.IGNORE,
    )
    assert len(a.steps) == 1
    assert a.rerun_key != "-"
    assert (b.selector, b.idle_timeout, b.replace_after, b.rerun_key) == ({"gpu": "yes"}, 300, 86_400, "-")


def test_a_local_host_alone_needs_no_address(work: Work) -> None:
    found = loaded(work, {"fleet.yaml": FLEET, "here.yaml": host("here", "transport: local")})
    assert said(found) == []
    assert found.desired
    assert found.desired.hosts["here"].transport is Transport.LOCAL


def test_file_names_and_folders_never_change_what_is_desired(work: Work, tmp_path: Path) -> None:
    one = loaded(work, {**BASE, "z/a.yaml": task("a"), "b.yml": task("b")})
    other = loaded(Work(tmp_path / "other"), {"x.yaml": "---\n".join([task("b"), HOST, task("a"), FLEET])})
    assert one.desired
    assert other.desired
    assert list(one.desired.tasks) == list(other.desired.tasks)
    assert [t.steps for t in one.desired.tasks.values()] == [t.steps for t in other.desired.tasks.values()]


def test_hidden_and_ignored_files_are_left_out(work: Work) -> None:
    found = loaded(
        work,
        {
            **BASE,
            ".github/workflows/ci.yaml": "on: push\n",
            "tasks/.draft.yaml": "x",
            "vendor/chart.yaml": "x",
            "vendor/keep.yaml": task("keep"),
            "notes.txt": "x",
            ".reconcilerignore": "# charts\nvendor/*\n!vendor/keep.yaml\n",
        },
    )
    assert said(found) == []
    assert found.desired
    assert list(found.desired.tasks) == ["keep"]


def test_a_folder_is_a_fleet_of_its_own(work: Work) -> None:
    work.commit({"fleets/web/fleet.yaml": FLEET, "fleets/web/a.yaml": task("a"), "broken.yaml": "x"})
    repository = open_repository(str(work.path / "fleets" / "web"), work.path.parent / "cache")
    found = load(repository, repository.resolve(), Parser())
    assert said(found) == []
    assert found.desired
    assert found.desired.tasks["a"].source.file == "fleets/web/a.yaml"


BROKEN = {
    "a wrong value": task("a", "timeout: 90", run="new"),
    "a key twice": task("a", "run: newer", run="new"),
    "no YAML": task("a", "title: a: b", run="new"),
    "not UTF-8": task("a", run="n\xe9w").encode("latin-1"),
    "a depth bomb": "[" * 30_000,
    "empty": "",
    "oversize": task("a", run="new") + "#" * 300_000,
    "a kind with a typo": task("a", run="new").replace("kind: Task", "kind: Tsk"),
    "its name is lost": task("a", run="new").replace("name: a", "nam: a"),
}


@pytest.mark.parametrize("with_ledger", [True, False])
@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_task_stands_at_its_last_good_version(work: Work, content: str | bytes, with_ledger: bool) -> None:
    before = loaded(work, {**BASE, "a.yaml": task("a", run="old"), "b.yaml": task("b")})
    found = loaded(work, {"a.yaml": content, "b.yaml": task("b", run="new")}, before if with_ledger else None)
    assert {problem.file for problem in found.problems} == {"a.yaml"}
    assert before.desired
    assert found.desired
    assert found.desired.tasks["a"] == before.desired.tasks["a"]
    assert found.desired.tasks["a"].script == "old"
    assert found.desired.tasks["b"].script == "new"
    assert list(found.desired.frozen) == ["a"]
    assert found.desired.frozen["a"].startswith("a.yaml")
    again = loaded(work, {"b.yaml": task("b")}, found)
    assert again.desired
    assert again.desired.tasks["a"].script == "old"


def test_only_what_cannot_be_named_stops_pruning(work: Work) -> None:
    loaded(work, {**BASE, "a.yaml": task("a")})
    known = loaded(work, {"a.yaml": task("a", "timeout: 90")})
    assert known.desired
    assert known.desired.complete
    unknown = loaded(work, {"a.yaml": "x: : y"})
    assert unknown.desired
    assert not unknown.desired.complete


def test_a_task_that_was_never_good_is_invalid_and_no_task(work: Work) -> None:
    found = loaded(work, {**BASE, "a.yaml": task("a", "timeout: 90")})
    assert found.desired
    assert found.desired.tasks == {}
    assert "a.yaml:1: spec.timeout" in found.desired.invalid["a"]


def test_the_last_good_version_is_not_the_last_commit(work: Work) -> None:
    loaded(work, {**BASE, "a.yaml": task("a", run="good")})
    loaded(work, {"a.yaml": task("a", "timeout: 90", run="bad")})
    found = loaded(work, {"a.yaml": "x: : y"})
    assert found.desired
    assert found.desired.frozen["a"] == "a.yaml cannot be read"
    assert found.desired.tasks["a"].script == "good"


def test_a_name_declared_twice_stands_as_it_was_before(work: Work) -> None:
    before = loaded(work, {**BASE, "b.yaml": task("a", run="old")})
    for memory in (before, None):
        found = loaded(work, {"a.yaml": task("a", run="other"), "b.yaml": task("a", run="old")}, memory)
        assert said(found) == ["b.yaml:3:12: metadata.name: the Task a is already declared in a.yaml:1"]
        assert found.desired
        assert found.desired.tasks["a"].script == "old"
        assert list(found.desired.frozen) == ["a"]


def test_a_name_declared_twice_from_the_start_is_invalid(work: Work) -> None:
    found = loaded(work, {**BASE, "a.yaml": task("a") + "---\n" + task("a")})
    assert said(found) == ["a.yaml:9:12: metadata.name: the Task a is already declared in a.yaml:1"]
    assert found.desired
    assert list(found.desired.invalid) == ["a"]


def test_the_same_name_for_two_kinds_is_fine(work: Work) -> None:
    assert said(loaded(work, {**BASE, "a.yaml": task("box1")})) == []


def test_a_broken_fleet_stands_at_its_last_good_version(work: Work) -> None:
    before = loaded(work, BASE)
    for memory in (before, None):
        found = loaded(work, {"fleet.yaml": FLEET.replace("4f9d2c7e81b3", "short")}, memory)
        assert said(found)[0].startswith("fleet.yaml:4:8: spec.id: expected 8 to 64")
        assert found.desired
        assert found.desired.fleet.id == "4f9d2c7e81b3"


def test_a_second_fleet_is_a_problem_and_changes_nothing(work: Work) -> None:
    before = loaded(work, BASE)
    other = FLEET.replace("home", "work").replace("4f9d2c7e81b3", "0000000a")
    found = loaded(work, {"a.yaml": other}, before)
    assert said(found) == ["fleet.yaml:2:1: kind: there is a Fleet already, in a.yaml:1"]
    assert found.desired
    assert found.desired.fleet.name == "home"


def test_without_a_fleet_nothing_is_desired(work: Work) -> None:
    found = loaded(work, {"a.yaml": task("a")})
    assert found.desired is None
    assert said(found) == [".:1:1: : there is no Fleet document"]
    broken = loaded(work, {"fleet.yaml": FLEET.replace("4f9d2c7e81b3", "short")})
    assert broken.desired is None
    assert len(broken.problems) == 1


def test_a_fleet_that_was_deleted_stands_in_the_ledger(work: Work) -> None:
    before = loaded(work, BASE)
    found = loaded(work, {"fleet.yaml": None}, before)
    assert said(found) == [".:1:1: : there is no Fleet document"]
    assert found.desired
    assert found.desired.fleet.id == "4f9d2c7e81b3"


REFERENCES = {
    "an unknown host": (task("a", "host: bx1"), ["x.yaml:6:3: spec.host: there is no Host bx1"]),
    "an unknown dependency": (task("a", "dependsOn: [b]"), ["x.yaml:6:15: spec.dependsOn[0]: there is no Task b"]),
    "itself": (
        task("a", "dependsOn: [a]"),
        ["x.yaml:6:15: spec.dependsOn[0]: tasks wait for each other: a → a"],
    ),
    "a cycle, once": (
        "---\n".join(
            [task("a", "dependsOn: [d, b]"), task("b", "dependsOn: [c]"), task("c", "dependsOn: [a]"), task("d")]
        ),
        ["x.yaml:6:18: spec.dependsOn[1]: tasks wait for each other: a → b → c → a"],
    ),
    "a backoff over its maximum": (
        task("a", "retries: {backoff: 1h}"),
        ["x.yaml:6:3: spec.retries: backoff is 1h, longer than maxBackoff, 30m"],
    ),
    "the same place twice": (
        host("z", "address: box1.example.org", "port: 22", "workspaceRoot: ~/.reconciler/"),
        ["x.yaml:5:3: spec.address: the Host box1 is the same place: same address, user, port and workspaceRoot"],
    ),
    "a local host beside others": (
        host("here", "transport: local"),
        ["x.yaml:4:1: spec.address: is missing: a local host beside others needs it"],
    ),
}


@pytest.mark.parametrize("content, expected", REFERENCES.values(), ids=REFERENCES)
def test_references_that_lead_nowhere(work: Work, content: str, expected: list[str]) -> None:
    found = loaded(work, {**BASE, "x.yaml": content})
    assert said(found) == expected
    assert found.problems[0].excerpt.strip()
    assert found.desired
    assert found.desired.complete


def test_every_task_of_a_cycle_stands_as_it_was(work: Work) -> None:
    before = loaded(work, {**BASE, "a.yaml": task("a"), "b.yaml": task("b", "dependsOn: [a]")})
    found = loaded(work, {"a.yaml": task("a", "dependsOn: [b]"), "c.yaml": task("c", "dependsOn: [a]")}, before)
    assert found.desired
    assert sorted(found.desired.frozen) == ["a", "b"]
    assert found.desired.tasks["a"].depends_on == ()
    assert found.desired.tasks["c"].depends_on == ("a",)


def test_a_deleted_dependency_is_a_problem_and_the_task_stands(work: Work) -> None:
    before = loaded(work, {**BASE, "a.yaml": task("a"), "b.yaml": task("b", "dependsOn: [a]")})
    found = loaded(work, {"a.yaml": None}, before)
    assert said(found) == ["b.yaml:6:15: spec.dependsOn[0]: there is no Task a"]
    assert found.desired
    assert list(found.desired.tasks) == ["b"]
    assert list(found.desired.frozen) == ["b"]


def test_a_broken_host_makes_no_task_bad(work: Work) -> None:
    found = loaded(work, {**BASE, "h.yaml": host("box2", "adress: x"), "a.yaml": task("a", "host: box2")})
    assert {problem.file for problem in found.problems} == {"h.yaml"}
    assert found.desired
    assert list(found.desired.tasks) == ["a"]
    assert list(found.desired.hosts) == ["box1"]


def test_while_a_file_cannot_be_read_no_name_counts_as_unknown(work: Work) -> None:
    found = loaded(work, {**BASE, "h.yaml": "x: : y", "a.yaml": task("a", "host: box2", "dependsOn: [b]")})
    assert {problem.file for problem in found.problems} == {"h.yaml"}
    assert found.desired
    assert list(found.desired.tasks) == ["a"]


def test_git_oddities_are_problems(work: Work) -> None:
    work.commit({**BASE, "real.yaml": task("real"), "sub.txt": "x"})
    (work.path / "link.yaml").symlink_to("real.yaml")
    (work.path / "folder").symlink_to("/etc")
    (work.path / "CLAUDE.md").symlink_to("README.md")
    (work.path / "\x07bell.yaml").write_text(task("bell"))
    (work.path.as_posix().encode() + b"/caf\xe9.yaml").decode("utf-8", "surrogateescape")
    Path((work.path.as_posix().encode() + b"/caf\xe9.yaml").decode("utf-8", "surrogateescape")).write_text(task("cafe"))
    other = Work(work.path.parent / "other")
    other.commit({"x.yaml": "x"})
    work.git("submodule", "--quiet", "add", str(other.path), "module")
    work.git("add", "--all")
    blob = work.git("rev-parse", "HEAD:real.yaml")
    work.git("update-index", "--add", "--cacheinfo", f"100644,{blob},copy.txt")
    found = loaded(work, {})
    assert said(found) == [
        "\\x07bell.yaml:1:1: : the file's name is not printable UTF-8",
        "caf\\xe9.yaml:1:1: : the file's name is not printable UTF-8",
        "folder:1:1: : a symlink is not followed",
        "link.yaml:1:1: : a symlink is not followed",
        "module:1:1: : a submodule is not followed",
    ]
    assert found.desired
    assert not found.desired.complete
    assert list(found.desired.tasks) == ["real"]


def test_the_work_tree_is_read_without_a_commit(work: Work) -> None:
    work.write({"fleet.yaml": FLEET, "hosts.yaml": HOST, "a.yaml": task("a", "timeout: 90")})
    repository = open_repository(str(work.path), work.path.parent / "cache")
    first = load_worktree(repository, Parser())
    assert said(first) == [
        "a.yaml:6:3: spec.timeout: expected a duration longer than 0, such as 90s, 1h30m or 30d, got a number"
    ]
    commit = work.commit({"a.yaml": task("a", run="old")})
    work.write({"a.yaml": task("a", "titel: x", run="new"), "b.yaml": task("b"), "fifo.txt": "", "hosts.yaml": None})
    (work.path / "link.yaml").symlink_to("a.yaml")
    found = load_worktree(repository, Parser())
    assert said(found) == ["a.yaml:6:3: spec.titel: unknown key", "link.yaml:1:1: : a symlink is not followed"]
    assert found.desired
    assert found.desired.revision == commit
    assert found.desired.tasks["a"].script == "old"
    assert sorted(found.desired.tasks) == ["a", "b"]
    assert found.desired.hosts == {}


def test_only_what_changed_is_read_again(work: Work) -> None:
    commit = work.commit({**BASE, "a.yaml": task("a"), "b.yaml": task("b")})
    repository = open_repository(str(work.path), work.path.parent / "cache")
    parser = Parser()
    first = load(repository, commit, parser)
    commit = work.commit({"a.yaml": task("a", run="new")})
    second = load(repository, commit, parser)
    assert first.desired
    assert second.desired
    assert second.desired.tasks["b"] is first.desired.tasks["b"]
    assert second.desired.tasks["a"].script == "new"


def test_documents_survive_the_ledger(work: Work) -> None:
    found = loaded(work, {**BASE, "a.yaml": task("a", "x-note: [1, 2.5, null]", "env: {A: ü}")})
    for document in found.documents:
        copy = Document.from_json(document.to_json())
        assert copy.to_json() == document.to_json()


def test_what_does_not_fit_the_others_stands_as_it_did_when_it_fitted_even_without_a_ledger(work: Work) -> None:
    loaded(work, {**BASE, "a.yaml": task("a", run="first")})
    loaded(work, {"a.yaml": task("a", "dependsOn: [b]", run="second"), "b.yaml": task("b")})
    gone = loaded(work, {"b.yaml": None})
    assert gone.desired
    assert gone.desired.tasks["a"].script == "second"  # it was right when it was written
    edited = loaded(work, {"a.yaml": task("a", "dependsOn: [b]", run="third")})
    assert edited.desired
    assert edited.desired.tasks["a"].script == "second"
    assert list(edited.desired.frozen) == ["a"]


def test_a_host_that_does_not_fit_the_others_is_still_asked(work: Work) -> None:
    loaded(work, {"fleet.yaml": FLEET, "here.yaml": host("here", "transport: local")})
    found = loaded(work, {"hosts.yaml": HOST})
    assert said(found) == ["here.yaml:4:1: spec.address: is missing: a local host beside others needs it"]
    assert found.desired
    assert sorted(found.desired.hosts) == ["box1", "here"]
