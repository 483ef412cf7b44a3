"""Which files of a commit are read."""

import pytest

from reconciler.load.files import MOST, select
from reconciler.load.git_objects import Entry
from reconciler.load.ignore import understood

GOOD = Entry("tasks/a.yaml", "1", "100644", 10)
REFUSED = {
    "a symlink": (GOOD._replace(mode="120000"), "a symlink is not followed"),
    "a link that may lead to a folder": (Entry("tasks", "1", "120000", 3), "a symlink is not followed"),
    "a submodule": (Entry("lib.d", "1", "160000", 0), "a submodule is not followed"),
    "an odd mode": (GOOD._replace(mode="100664"), "the file mode 100664 is refused"),
    "a large file": (GOOD._replace(size=262_145), "the file has 262145 bytes, more than 262144"),
    "a name that is not UTF-8": (GOOD._replace(path="caf\udce9.yaml"), "the file's name is not printable UTF-8"),
    "a name of two lines": (GOOD._replace(path="a\nb.yaml"), "the file's name is not printable UTF-8"),
}


@pytest.mark.parametrize("entry, message", REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_refused_says_why_and_is_named_as_unread(entry: Entry, message: str) -> None:
    found = select([GOOD._replace(path="0.yaml"), entry], "")
    assert [problem.message for problem in found.problems] == [message]
    assert found.unreadable == (entry.path,)
    assert [file.path for file in found.files] == ["0.yaml"]
    found.problems[0].file.encode()  # it can be shown


@pytest.mark.parametrize(
    "entry",
    [
        Entry("README.md", "1", "100644", 10**9),
        Entry("AGENTS.md", "1", "120000", 3),
        Entry(".github/x.yaml", "1", "100644", 3),
        Entry("a/.b/x.yaml", "1", "120000", 3),
        Entry("a/.x.yaml", "1", "100644", 3),
        Entry("old/x.yaml", "1", "120000", 3),
    ],
)
def test_what_is_no_document_is_nobodys_business(entry: Entry) -> None:
    assert select([entry], "", understood(".reconcilerignore", b"old/\n").left_out) == ((), (), ())


def test_ten_thousand_files_are_read_and_one_problem_tells_of_the_rest() -> None:
    entries = [Entry(f"{number:05}.yaml", "1", "100755", 10) for number in range(MOST + 5)]
    found = select(entries, "")
    assert len(found.files) == MOST
    assert [(problem.file, problem.message) for problem in found.problems] == [("10000.yaml", "more than 10000 files")]
    assert len(found.unreadable) == 5


def test_patterns_are_those_of_gitignore_below_the_fleets_folder() -> None:
    entries = [Entry(f"web/{name}", "1", "100644", 1) for name in ("a.yaml", "x/a.yaml", "x/keep.yaml", "b.yml")]
    found = select(
        [*entries, Entry("a.yaml", "1", "100644", 1)],
        "web/",
        understood(".reconcilerignore", b"# no\n/a.yaml\nx/*\n!x/keep.yaml\n").left_out,
    )
    assert [file.path for file in found.files] == ["web/x/keep.yaml", "web/b.yml"]
