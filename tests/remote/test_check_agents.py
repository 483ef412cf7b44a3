"""What a host says of agents' programs and of the logins that they use."""

import shutil
import time
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest
from tests.standins.github import GitHub

PROGRAM = """#!/bin/sh
case "$*" in
  --version) echo "warning: something"; echo "tool-cli 1.2.3 (Tool)" ;;
  "exec --help") cat; echo "TERM is $TERM"; printf '  -m, --model <M>\\n      --json[=X]\\n  --output-schema-file F\\n' ;;
  *) exit 2 ;;
esac
"""


@pytest.fixture
def tools(empty_host: HostUnderTest, tmp_path: Path) -> Path:
    """A folder on the PATH of the host's prelude; nothing else of the test's is there."""
    folder = tmp_path / "tools"
    folder.mkdir()
    empty_host.prelude = f'PATH="{folder}:$PATH"'
    empty_host.env = {**empty_host.env, "HOME": str(tmp_path)}
    return folder


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def lines(host: HostUnderTest, *fields: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Name -> verdict and sentence."""
    answer = host.call("check", fields)
    assert answer.code == 0, answer
    rows = [line.split(" ", 2) for line in answer["checks"].splitlines()]
    return {name: (verdict, why) for verdict, name, why in rows}


@pytest.mark.parametrize(
    ("flags", "verdict", "why"),
    [
        ([], "ok", "tool-cli 1.2.3 (Tool)"),
        (["--model", "--json", "-m", "--output-schema-file"], "ok", "tool-cli 1.2.3 (Tool)"),
        (["--json", "--output-schema"], "warn", "tool-cli 1.2.3 (Tool), but does not know --output-schema: update it"),
        (
            ["--no-such", "--mode", "-j"],
            "warn",
            "tool-cli 1.2.3 (Tool), but does not know --no-such --mode -j: update it",
        ),
    ],
)
def test_a_program_and_its_flags(
    empty_host: HostUnderTest, tools: Path, flags: list[str], verdict: str, why: str
) -> None:
    write(tools / "tool", PROGRAM)
    fields = [("agent", "tool"), ("help", "exec\n--help"), *(("flag", flag) for flag in flags)]
    assert lines(empty_host, *fields)["tool"] == (verdict, why)


def test_a_program_that_is_not_there(empty_host: HostUnderTest, tools: Path) -> None:
    found = lines(empty_host, ("agent", "no-such-tool"), ("help", "--help"), ("agent", "/nowhere/x y"), ("help", ""))
    assert found["no-such-tool"] == (
        "fail",
        "not installed on this host, or not on the PATH that shellPrelude gives",
    )
    assert found["x-y"][0] == "fail"


def test_a_program_without_options_to_ask_for_is_not_started(empty_host: HostUnderTest, tools: Path) -> None:
    write(tools / "mine", f"#!/bin/sh\ntouch {tools}/ran\n")
    fields = [("agent", str(tools / "mine")), ("help", ""), ("agent", "~/tools/mine"), ("help", "")]
    assert lines(empty_host, *fields)["mine"] == ("ok", "is installed")
    assert not (tools / "ran").exists()


def test_a_program_that_says_nothing(empty_host: HostUnderTest, tools: Path) -> None:
    write(tools / "broken", "#!/bin/sh\nexit 1\n")
    assert lines(empty_host, ("agent", "broken"), ("help", "--help"), ("flag", "-x"))["broken"] == (
        "warn",
        "is installed, but says nothing about its options: see that it runs on this host",
    )


def test_slow_programs_are_asked_at_once_and_not_for_ever(empty_host: HostUnderTest, tools: Path) -> None:
    for name in ("one", "two", "three"):
        write(tools / name, "#!/bin/sh\nsleep 2\n" + PROGRAM.removeprefix("#!/bin/sh\n"))
    write(tools / "daemon", "#!/bin/sh\nsetsid sleep 40 &\necho 9.9.9 --json\n")
    write(tools / "hangs", "#!/bin/sh\ntrap '' TERM\necho 4.5 --json\nwhile :; do sleep 1; done\n")
    names = ("one", "two", "three", "daemon", "hangs")
    begun = time.monotonic()
    fields = [pair for name in names for pair in (("agent", name), ("help", "exec\n--help"), ("flag", "--json"))]
    found = lines(empty_host, *fields)
    assert time.monotonic() - begun < 30
    assert {name: found[name][0] for name in names} == dict.fromkeys(names, "ok")


def test_a_version_is_a_fact_too(empty_host: HostUnderTest, tools: Path) -> None:
    write(tools / "tool", PROGRAM)
    answer = empty_host.call("check", [("agent", "tool"), ("help", "exec\n--help")])
    assert answer.pairs("facts")["tool.tool"] == "tool-cli 1.2.3 (Tool)"


def test_nobody_is_asked_who_was_not_named(empty_host: HostUnderTest, tools: Path) -> None:
    assert not {"gh", "git", "git-identity", "claude"} & lines(empty_host).keys()


def test_whose_commits_git_makes(empty_host: HostUnderTest, tools: Path, tmp_path: Path) -> None:
    asked = ("git-identity", "1")
    assert lines(empty_host, asked)["git-identity"][0] == "warn"
    (tmp_path / ".gitconfig").write_text("[user]\n name = Wera Worker\n email = wera@example.org\n")
    assert lines(empty_host, asked)["git-identity"] == ("ok", "commits are made by Wera Worker <wera@example.org>")
    empty_host.env = {**empty_host.env, "GIT_AUTHOR_NAME": "Other"}
    assert "by Other <wera@" in lines(empty_host, asked)["git-identity"][1]


@pytest.mark.parametrize(("version", "verdict"), [("2.29.9", "fail"), ("2.30.0", "ok"), ("3.0", "ok")])
def test_a_git_that_is_too_old(empty_host: HostUnderTest, tools: Path, version: str, verdict: str) -> None:
    write(tools / "git", f'#!/bin/sh\n[ "$1" = --version ] && echo "git version {version}"\n')
    assert lines(empty_host, ("git-identity", "1"))["git"][0] == verdict


@pytest.mark.skipif(not shutil.which("gh"), reason="needs gh (apt install gh)")
def test_who_is_logged_in_to_github(empty_host: HostUnderTest, tools: Path, tmp_path: Path) -> None:
    asked = ("gh", "github.localhost")
    with GitHub(tmp_path / "remotes") as github:
        empty_host.env = {**empty_host.env, **github.environment()}
        verdict, why = lines(empty_host, asked)["gh"]
        assert (verdict, why.endswith(", logged in to github.localhost")) == ("ok", True)
        assert why.startswith("gh version ")
        empty_host.env = {**empty_host.env, **github.environment(token="wrong")}
        assert lines(empty_host, asked)["gh"] == (
            "warn",
            "not logged in to github.localhost: run `gh auth login` there, or give workers a GH_TOKEN secret",
        )
        assert lines(empty_host, asked, ("gh-token", "github.localhost"))["gh"] == (
            "ok",
            "workers bring a token for github.localhost; nobody is logged in there without one",
        )
