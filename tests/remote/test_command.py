"""Workers that are command lines: words, input, events, and what is missing."""

import json
import os
from pathlib import Path

import pytest

from tests.remote.harness import HostUnderTest
from tests.waiting import until

RUN = "build-0123abcd-1"


@pytest.fixture
def tool(host: HostUnderTest, tmp_path: Path) -> Path:
    """An agent of our own on the PATH that the prelude makes: it says how it was started."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "agent").write_text('#!/bin/bash\nprintf "%s\\n" "$@"; echo "in: $(cat)"; pwd >&2\n')
    (place / "agent").chmod(0o755)
    host.prelude = f'PATH="{place}:$PATH"'
    return place / "agent"


def log(host: HostUnderTest) -> str:
    return (host.directory(RUN) / "supervisor.log").read_text()


def test_words_arrive_as_they_were_sent(host: HostUnderTest, tool: Path):
    nasty = "a 'b' \"c\"\n$(id) `id` \\ * ü€\n\n"
    words = [("text", "agent"), ("text", nasty), ("text", ""), ("file", "prompt.md"), ("worktree", ""), ("text", "-")]
    result = host.run(RUN, words, files={"prompt.md": "do it\n"}, settings={"stdin": "prompt.md"})
    assert (result["state"], result["rc"]) == ("succeeded", "0")
    run = host.directory(RUN)
    assert host.log(RUN) == f"{nasty}\n\n{run}/prompt.md\n{run}/work\n-\nin: do it\n"
    assert host.log(RUN, "stderr") == f"{run}/work\n"


def test_without_a_file_there_is_no_input(host: HostUnderTest):
    assert host.run(RUN, [("text", "cat")])["state"] == "succeeded"
    assert host.log(RUN) == ""


def test_the_prompt_is_named_in_the_environment(host: HostUnderTest):
    host.run(
        RUN, [("text", "bash"), ("text", "-c"), ("text", 'cat "$RECONCILER_PROMPT_FILE"')], files={"prompt.md": "x"}
    )
    assert host.log(RUN) == "x"


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["no-such-agent"], "no-such-agent is not installed on this host (not on the PATH that the worker gets)"),
        (["/opt/no/agent"], "/opt/no/agent is not on this host, or cannot be executed"),
        (["~/no-agent"], f"{os.environ['HOME']}/no-agent is not on this host, or cannot be executed"),
        (["/etc/passwd"], "/etc/passwd is not on this host, or cannot be executed"),
        (["/etc"], "/etc is not on this host, or cannot be executed"),
        (["plain-file"], "plain-file is not installed on this host (not on the PATH that the worker gets)"),
        (["A=1"], "A=1 is not installed on this host (not on the PATH that the worker gets)"),
        ([""], " is not installed on this host (not on the PATH that the worker gets)"),
        (["cd"], "cd is not installed on this host (not on the PATH that the worker gets)"),
    ],
)
def test_a_program_that_is_missing(host: HostUnderTest, tmp_path: Path, words: list[str], sentence: str):
    (tmp_path / "plain-file").touch()
    host.prelude = f"no-such-agent() {{ :; }}; PATH={tmp_path}:$PATH"
    result = host.run(RUN, [("text", word) for word in words])
    assert (result["state"], result["r"], result.get("rc")) == ("failed", "PrepareFailed", None)
    assert log(host).splitlines()[-1] == f"PrepareFailed: {sentence}"


@pytest.mark.parametrize("stdin", ["prompt.md", "../../../secret", "work"])
def test_an_input_that_was_not_sent(host: HostUnderTest, stdin: str):
    assert host.run(RUN, [("text", "cat")], settings={"stdin": stdin})["r"] == "PrepareFailed"
    assert "was not sent" in log(host)


@pytest.mark.parametrize("field", [b"text 9\nx\n", b"else 1\nx\n", b"no field"])
def test_a_command_that_cannot_be_read(host: HostUnderTest, field: bytes):
    fields = [(key, field if key == "file.command" else value) for key, value in host.launch_fields(RUN, [])]
    host.call("act", fields)
    assert host.result(RUN)["r"] == "PrepareFailed"
    assert log(host).splitlines()[-1] == "PrepareFailed: the command that was sent cannot be read"


def test_signals_are_as_after_a_login(host: HostUnderTest):
    host.run(RUN, [("text", "grep"), ("text", "-E"), ("text", "Sig(Ign|Blk)"), ("text", "/proc/self/status")])
    lines = dict(line.split(":\t") for line in host.log(RUN).splitlines())
    assert {int(value, 16) & 0b111_0000_0000_0111 for value in lines.values()} == {0}


def test_variables_of_any_name_reach_the_worker(host: HostUnderTest):
    names = ["RUN", "RUN_DIR", "SETTING", "FOUND", "DRAINS", "NL", "MARK", "WORKTREE", "OUT"]
    host.run(RUN, [("text", "env")], environment=dict.fromkeys(names, "mine"))
    assert {f"{name}=mine" for name in names} <= set(host.log(RUN).splitlines())


def test_a_prelude_that_traces_tells_no_secret(host: HostUnderTest):
    host.prelude = "set -xv; trap 'echo \"$BASH_COMMAND\"' DEBUG"
    assert host.run(RUN, "true", secrets={"TOKEN": "canary-77aa"})["state"] == "succeeded"
    told = [path.name for path in host.directory(RUN).iterdir() if path.is_file() and "canary-77aa" in path.read_text()]
    assert told == []


# --- events


EMIT = [("text", "bash"), ("text", "-c"), ("text", 'echo \'{"type":"done"}\'; echo oh >&2')]


def test_events_are_kept_as_such(host: HostUnderTest):
    host.run(RUN, EMIT, settings={"events": "1"})
    run = host.directory(RUN)
    assert json.loads((run / "events.jsonl").read_text()) == {"type": "done"}
    assert not (run / "stdout.log").exists()
    assert host.log(RUN, "stderr") == "oh\n"
    rows = {row[1]: row[2] for row in (line.split("\t") for line in host.observe()["records"].splitlines())}
    assert rows[f"_/runs/{RUN}/events.jsonl"] == "16"


@pytest.mark.parametrize("offset, expected", [("0", b'{"type'), ("6", b'":"don'), ("14", b"}\n"), ("99", b"")])
def test_events_come_in_portions(host: HostUnderTest, offset: str, expected: bytes):
    host.run(RUN, EMIT, settings={"events": "1"})
    fields = [("run", f"_/runs/{RUN}"), ("limit", "6"), ("events_from", offset)]
    frames = dict(host.call("collect", fields).frames)
    assert frames[f"events/{RUN}"] == expected
    assert f"stdout/{RUN}" not in frames


def test_events_are_capped_as_logs_are(host: HostUnderTest):
    words = [("text", "bash"), ("text", "-c"), ("text", "head -c 300000 /dev/zero | tr '\\0' x")]
    host.run(RUN, words, settings={"events": "1", "log_limit": "64"})
    lines = (host.directory(RUN) / "events.jsonl").read_text().splitlines()
    assert lines[0] == "x" * 65536
    assert lines[-1].startswith("[reconciler: the log ends here")


@pytest.mark.parametrize(
    "script, reason",
    [("for i in 1 2 3 4 5 6 7 8; do echo '{}'; sleep 0.3; done", ""), ("echo '{}'; sleep 60", "IdleTimeout")],
)
def test_events_are_a_sign_of_life(host: HostUnderTest, script: str, reason: str):
    words = [("text", "bash"), ("text", "-c"), ("text", script)]
    assert host.run(RUN, words, settings={"events": "1", "idle_timeout": "1"}).get("r", "") == reason


# --- programs


@pytest.mark.parametrize("verb", ["observe", "take"])
def test_programs_are_looked_for_where_workers_find_them(host: HostUnderTest, tool: Path, verb: str):
    (tool.parent / "plain").write_text("")
    asked = "agent  no-such-agent\nplain cd ../x * -v a/b bash"
    answer = host.call(verb, [("programs", asked)])
    found = {key: value for key, value in answer.pairs("facts").items() if key.startswith("program.")}
    assert found == {
        "program.agent": "1",
        "program.no-such-agent": "0",
        "program.plain": "0",
        "program.cd": "0",
        "program.bash": "1",
    }


def test_nobody_asks_the_prelude_without_need(host: HostUnderTest, tmp_path: Path):
    host.prelude = f"touch {tmp_path}/asked"
    assert "program." not in host.observe()["facts"]
    assert not (tmp_path / "asked").exists()
    host.call("observe", [("programs", "bash")])
    assert (tmp_path / "asked").exists()


def test_a_prelude_that_hangs_on_holds_no_lock(host: HostUnderTest):
    host.prelude = "sleep 30 &"
    assert host.call("take", [("programs", "bash")]).code == 0
    assert until(lambda: host.take().code == 0)
