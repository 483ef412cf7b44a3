"""A project's two addresses: each follows from the other where that is known, and neither runs anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.load.rules import rules
from reconciler.load.schema import check
from reconciler.load.urls import complaints, urls

FROM_GIT = {
    "https://github.com/o/r.git": "https://github.com/o/r",
    "https://github.com/o/r": "https://github.com/o/r",
    "git@github.com:o/r.git": "https://github.com/o/r",
    "git@GitHub.com:o/r": "https://github.com/o/r",
    "ssh://git@github.com/o/r.git": "https://github.com/o/r",
    "ssh://git@ssh.github.com:443/o/r.git": "https://github.com/o/r",
    "git@gitlab.com:group/sub/r.git": "https://gitlab.com/group/sub/r",
    "https://git.example.org:8443/r.git": "https://git.example.org:8443/r",
    "http://[::1]:3000/o/r.git": "http://[::1]:3000/o/r",
    "https://ada@dev.example.org/o/r": "https://dev.example.org/o/r",
    "git@git.example.org:o/r.git": "",
    "ssh://git@git.example.org:2222/o/r.git": "",
    "box1:repositories/r.git": "",
    "[::1]:r.git": "",
    "/srv/git/r.git": "",
    "/srv/git repositories/größer.git": "",
    "file:///srv/git/r.git": "",
    "git://git.example.org/r.git": "",
}


def project(**spec: str) -> dict[str, object]:
    return {"apiVersion": "reconciler/v1", "kind": "Project", "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize("git, repo", FROM_GIT.items())
def test_the_web_address_follows_from_gits(git: str, repo: str) -> None:
    assert check("Project", project(gitUrl=git)) == ()
    assert complaints({"gitUrl": git}) == []
    assert urls({"gitUrl": git}) == (repo, git)


FROM_REPO = {
    "https://github.com/o/r": ("https://github.com/o/r", "https://github.com/o/r.git"),
    "https://github.com/o/r/": ("https://github.com/o/r", "https://github.com/o/r.git"),
    "https://github.com/o/r.git": ("https://github.com/o/r", "https://github.com/o/r.git"),
    "https://gitlab.com/a/b/c": ("https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c.git"),
    "http://localhost:3000/o/r": ("http://localhost:3000/o/r", "http://localhost:3000/o/r.git"),
}


@pytest.mark.parametrize("repo, both", FROM_REPO.items())
def test_gits_address_follows_from_the_webs(repo: str, both: tuple[str, str]) -> None:
    assert check("Project", project(repoUrl=repo)) == ()
    assert complaints({"repoUrl": repo}) == []
    assert urls({"repoUrl": repo}) == both


def test_what_is_written_is_kept() -> None:
    both = {"repoUrl": "https://git.example.org/o/r", "gitUrl": "git@git.example.org:o/r.git"}
    assert complaints(both) == []
    assert urls(both) == (both["repoUrl"], both["gitUrl"])


REFUSED = [
    "",
    "web",
    "./web",
    "-u",
    "--upload-pack=sh",
    "ext::sh -c whoami",
    "EXT::sh",
    "fd::7",
    "transport.x::address",
    "https://",
    "https:///o/r",
    "ssh://-oProxyCommand=sh/o/r",
    "ssh://-l@example.org/o/r",
    "-oProxyCommand=sh:o/r",
    "git@-oProxyCommand:o/r",
    "ssh://git@example.org:99999/o/r",
    "ftp://example.org/r",
    "javascript://example.org/r",
    "https://ada:secret@example.org/r",
    "https://[::1/r",
    "/srv/a\nb",
    "/srv/a\0b",
    "/srv/a\u2028b",
]


@pytest.mark.parametrize("url", REFUSED)
def test_what_git_must_not_be_told_is_refused(url: str) -> None:
    found = check("Project", project(gitUrl=url)) or rules("Project", {"gitUrl": url})
    assert [complaint.path for complaint in found] == [("spec", "gitUrl")]
    assert "secret" not in found[0].message


ODD = st.text(alphabet="-:/@.[]ag0 ~\\%#?\u2028\n", max_size=24)


@given(st.sampled_from(["", "ssh://", "https://", "ext:", "git@", "-"]), ODD)
def test_whatever_passes_is_no_option_no_helper_and_one_line(front: str, rest: str) -> None:
    url = front + rest
    if check("Project", project(gitUrl=url)) or complaints({"gitUrl": url}):
        return
    assert not url.startswith("-")
    assert "::" not in url.partition("/")[0] or url.startswith("[") or "@[" in url
    assert "\n" not in url
    assert url.startswith("/") or ":" in url
    assert urls({"gitUrl": url}).git == url
