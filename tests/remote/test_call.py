"""One call: the envelope, the payload, the frames, and what happens to calls that are cut off."""

import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.remote import scripts
from tests.remote.harness import BASH, SCRIPTS, HostUnderTest, encode, parse

VERBS = sorted(scripts.VERBS)


def feed(stdin: bytes, nonce: str = "n0nce") -> tuple[int | None, dict[str, bytes]]:
    done = subprocess.run(BASH, input=stdin, capture_output=True, timeout=30)
    answer = parse(done.stdout, nonce)
    return answer.code, dict(answer.frames)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_scripts_are_clean():
    files = sorted(map(str, SCRIPTS.glob("*.sh")))
    done = subprocess.run(["shellcheck", "-S", "warning", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_what_travels_is_ascii_and_parses(verb: str):
    text = scripts.script(verb, frozenset(scripts.OPERATIONS))
    assert text.isascii()
    assert subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True).stderr == b""


def test_scripts_hold_no_foreign_languages():
    for file in SCRIPTS.glob("*.sh"):
        code = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
        for word in ("awk", "sed", "perl"):
            assert not any(word in line.replace("used", "").split() for line in code), file


def test_a_script_that_is_cut_off_anywhere_does_nothing(empty_host: HostUnderTest):
    """Every cut inside `main` is a syntax error; after it, there is no payload."""
    whole = empty_host.stdin("take", [])
    start = whole.index(b"n0nce ")
    for end in {1, 8, start // 3, start // 2, start - 40, start - 25, start - 7, start - 6, start - 1, start}:
        done = subprocess.run(BASH, input=whole[:end], capture_output=True, timeout=30)
        assert parse(done.stdout, "n0nce").code is None
        assert not empty_host.root.exists(), end


def test_a_payload_that_is_cut_off_anywhere_does_nothing(empty_host: HostUnderTest):
    whole = empty_host.stdin("take", [])
    start = whole.index(b"n0nce ")
    for end in range(start + 1, len(whole), 23):
        done = subprocess.run(BASH, input=whole[:end], capture_output=True, timeout=30)
        assert parse(done.stdout, "n0nce").code in (None, 65)
        assert not empty_host.root.exists(), end
    assert feed(whole)[0] == 0


def test_a_large_payload_that_is_cut_off_launches_nothing(host: HostUnderTest):
    whole = host.stdin("act", host.launch_fields("a-00000000-1", "true"))
    done = subprocess.run(BASH, input=whole[:-1], capture_output=True, timeout=30)
    assert parse(done.stdout, "n0nce").code == 65
    assert not host.directory("a-00000000-1").exists()


def test_a_regular_file_as_input_is_refused_without_effect(empty_host: HostUnderTest, tmp_path: Path):
    """bash reads files in blocks and loses its place: such a call must do nothing."""
    source = tmp_path / "in"
    source.write_bytes(empty_host.stdin("take", []))
    with source.open("rb") as stdin:
        done = subprocess.run(BASH, stdin=stdin, capture_output=True, timeout=30)
    assert parse(done.stdout, "n0nce").code != 0
    assert not empty_host.root.exists()


@pytest.mark.parametrize(
    "payload",
    [b"root\n/x\n", b"root 3\n/x", b"root 99\n/x\n", b"root -1\n\n", b"ro ot 2\n/x\n", b"root 1\n/x\n"],
)
def test_a_field_that_cannot_be_read_ends_the_call(payload: bytes):
    stdin = scripts.script("observe").encode() + b"n0nce %d\n" % len(payload) + payload
    assert feed(stdin)[0] == 65


@pytest.mark.parametrize("size", [10, 5000])
def test_values_keep_every_byte_but_nul(host: HostUnderTest, size: int):
    value = (bytes(range(1, 256)) * 20)[:size] + b"\n\n"
    settings = encode([("X", value)])
    fields = [
        (key, settings if key == "environment" else text)
        for key, text in host.launch_fields("a-00000000-1", 'printf %s "$X"')
    ]
    assert host.call("act", fields).code == 0
    assert host.result("a-00000000-1")["state"] == "succeeded"
    assert (host.directory("a-00000000-1") / "stdout.log").read_bytes() == value


@pytest.mark.parametrize("root", ["", "/", "//", "/.", "~", "~/", "relative", "~/../", "{home}", "{home}/."])
def test_dangerous_workspaces_are_refused(empty_host: HostUnderTest, tmp_path: Path, root: str):
    home = tmp_path / "home"
    home.mkdir()
    empty_host.env = {**empty_host.env, "HOME": str(home)}
    if root == "~/../":
        root = "~/.//"
    empty_host.root = root.format(home=home)  # type: ignore[assignment]
    for verb in ("observe", "take", "act", "reset", "collect", "check"):
        answer = empty_host.call(verb)
        assert answer.code == 5, verb
        assert "workspaceRoot" in answer["error"]
    assert list(home.iterdir()) == []


def test_a_tilde_is_the_home_directory(empty_host: HostUnderTest, tmp_path: Path):
    empty_host.env = {**empty_host.env, "HOME": str(tmp_path)}
    empty_host.root = Path("~/deep/ws")
    assert empty_host.take().code == 0
    assert (tmp_path / "deep/ws/_/lease").is_symlink()


def test_missing_programs_are_named_and_the_prelude_may_find_them(empty_host: HostUnderTest, tmp_path: Path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "head", "stat", "grep", "readlink", "flock"):
        (tools / tool).symlink_to(shutil.which(tool) or "/nowhere")
    empty_host.env = {**empty_host.env, "PATH": str(tools)}
    answer = empty_host.observe()
    assert (answer.code, answer["error"]) == (5, "these programs are not installed on this host: find")
    empty_host.prelude = 'PATH="$PATH:/usr/bin:/bin"; echo noise'
    assert empty_host.observe().code == 0
